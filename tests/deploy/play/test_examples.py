"""The playbooks that come with the repository do what their comments say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fleetpush.deploy.play.events import TaskResult
from fleetpush.deploy.play.options import PlayOptions
from fleetpush.deploy.play.performer import Call, Outcome
from fleetpush.deploy.play.run import PlayRun
from fleetpush.playbook.load import load_playbook
from tests.deploy.play.local import Scripted

if TYPE_CHECKING:
    from fleetpush.deploy.play.report import PlayReport

REPOSITORY = Path(__file__).parents[3]
EXAMPLES = sorted(path.name for path in (REPOSITORY / "playbooks").glob("*.yaml"))


class Fleet:
    """Every host does well, but those that are ``sick``: their health check fails."""

    def __init__(self, *sick: str) -> None:
        self.sick = sick
        self.calls: dict[str, Call] = {}
        self.results: list[TaskResult] = []
        self.performer = Scripted(self.says)

    def says(self, host: str, call: Call) -> Outcome:
        self.calls.setdefault(call.action, call)
        if call.action == "wait_for":
            bad = host in self.sick
            return Outcome("failed", "not_answering", "no answer") if bad else Outcome("ok")
        if call.arguments.get("cmd") == "false":
            return Outcome("failed", "command_failed", "it ended with 1")
        return Outcome("changed", result={"rc": 0, "stdout": "", "stderr": ""})

    def handle(self, event: object) -> None:
        if isinstance(event, TaskResult):
            self.results.append(event)

    def done_on(self, host: str) -> list[tuple[str, str]]:
        return [(one.task, one.status) for one in self.results if one.host == host]

    async def play(self, name: str, *extra: str, **options: Any) -> PlayReport:
        given = PlayOptions(
            playbooks=(name,), inventories=("dc1.yaml",), extra_vars=extra, **options
        )
        return await PlayRun(given, self, lambda *_: self.performer).execute()


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    for name in ("CI_COMMIT_SHORT_SHA", "GITHUB_SHA"):
        monkeypatch.delenv(name, raising=False)


def test_there_are_three_and_each_has_a_comment_with_its_command() -> None:
    assert EXAMPLES == ["nightly-footage.yaml", "pipeline.yaml", "release-model.yaml"]
    for name in EXAMPLES:
        load_playbook(name, cwd=REPOSITORY)
        text = (REPOSITORY / "playbooks" / name).read_text()
        assert text.startswith("# ")
        assert f"fleetpush play {name} -i dc1.yaml" in text


async def test_a_release_goes_out_canary_first() -> None:
    fleet = Fleet()
    report = await fleet.play("release-model.yaml", "model=llama.pt")
    assert report.exit_code == 0
    assert [len(batch) for batch in report.plays[0].batches] == [1, 64, 575]
    assert fleet.done_on("r16n40") == [
        ("Bring it next to the release that runs", "changed"),
        ("Switch all hosts of the batch at once", "changed"),
        ("Restart the server", "changed"),
        ("Is the server well with it?", "ok"),
        ("Go back where it is not", "skipped"),
        ("Count that as a failure", "skipped"),
    ]
    assert fleet.calls["push"].arguments == {
        "src": ("llama.pt",),
        "release_dir": "/srv/model",
        "keep_releases": 3,
        "activate": "none",
        "min_success": 95.0,
    }
    assert fleet.calls["activate"].arguments == {"together": True}
    assert fleet.calls["wait_for"].arguments["timeout"] == 120.0
    assert fleet.calls["command"].become.become is True


async def test_a_sick_canary_goes_back_and_the_rest_is_untouched() -> None:
    fleet = Fleet("r01n01")
    report = await fleet.play("release-model.yaml", "model=llama.pt")
    assert report.exit_code == 8
    assert (report.named("failed"), len(report.named("untouched"))) == (["r01n01"], 639)
    assert fleet.done_on("r01n01")[3:] == [
        ("Is the server well with it?", "failed"),
        ("Go back where it is not", "changed"),
        ("Restart the server", "changed"),
        ("Count that as a failure", "failed"),
    ]
    assert fleet.calls["rollback"].arguments == {"release_dir": "/srv/model"}


async def test_too_many_sick_hosts_stop_the_second_batch() -> None:
    few, many = ([f"r01n{n:02d}" for n in range(2, 2 + count)] for count in (3, 4))
    assert (await Fleet(*few).play("release-model.yaml", "model=x")).exit_code == 3
    report = await Fleet(*many).play("release-model.yaml", "model=x")
    assert (report.exit_code, len(report.named("untouched"))) == (8, 575)


async def test_the_whole_fleet_goes_back_with_one_command() -> None:
    fleet = Fleet()
    report = await fleet.play("release-model.yaml", "to=20260105031500", tags=("rollback",))
    assert report.exit_code == 0
    assert fleet.calls["rollback"].arguments == {
        "release_dir": "/srv/model",
        "to": "20260105031500",
    }
    assert "push" not in fleet.calls
    assert [task for task, _ in fleet.done_on("r16n40")] == [
        "Switch back",
        "Restart the server",
        "Is the server well with it?",
    ]


async def test_a_check_of_a_release_runs_no_command() -> None:
    fleet = Fleet()
    report = await fleet.play("release-model.yaml", "model=x", check=True)
    assert report.exit_code == 0
    assert set(fleet.calls) == {"push", "activate"}


async def test_footage_goes_to_the_archive() -> None:
    fleet = Fleet()
    report = await fleet.play("nightly-footage.yaml", "day=2026-01-05 spool=/mnt/it")
    assert (report.exit_code, len(report.named("done"))) == (0, 80)
    assert fleet.calls["push"].arguments == {
        "src": tuple(f"/mnt/it/2026-01-05/{camera}.mp4" for camera in ("gate", "yard", "dock")),
        "dest": "/srv/footage/2026-01-05/",
        "mode": 0o440,
        "bwlimit": 40 << 20,
        "verify": "full",
        "stall": 300.0,
    }
    shells = [
        call.arguments["cmd"]
        for calls in fleet.performer.calls
        for call in calls.values()
        if call.action == "shell"
    ]
    assert (
        shells[0] == """test "$(df -P -k /srv/footage | awk 'NR == 2 { print $4 }')" -gt 50000000"""
    )
    assert shells[-1].endswith("-mtime +30 -print -exec rm -r {} +")
    assert fleet.done_on("r25n40")[-1] == ("Let go of what is old", "ok")


async def test_footage_of_no_day_is_refused_on_every_host() -> None:
    fleet = Fleet()
    report = await fleet.play("nightly-footage.yaml")
    assert report.exit_code == 8
    assert "say which day: -e day=2026-01-05" in report.results[0].message
    assert not fleet.calls.keys() - {"shell"}


async def test_a_build_is_tried_on_staging_before_production(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GITHUB_SHA", "0123456789abcdef")
    fleet = Fleet()
    report = await fleet.play("pipeline.yaml", "build=server.tar")
    assert report.exit_code == 0
    assert [play.name for play in report.plays] == [
        "Try 01234567 on staging",
        "Bring 01234567 to production",
    ]
    assert [len(batch) for play in report.plays for batch in play.batches] == [7, 35, 323]
    assert fleet.calls["command"].arguments["cmd"] == "systemctl restart server"


async def test_a_build_that_fails_on_staging_does_not_reach_production() -> None:
    fleet = Fleet("r03n40")
    report = await fleet.play("pipeline.yaml", "build=server.tar")
    assert report.exit_code == 8
    assert report.named("failed") == ["r03n40"]
    assert len(report.named("untouched")) == 358


def test_the_playbook_in_the_readme_is_one(tmp_path: Path) -> None:
    text = (REPOSITORY / "README.md").read_text().partition("### Playbooks")[2]
    (tmp_path / "release.yaml").write_text(text.partition("```yaml\n")[2].partition("```")[0])
    (play,) = load_playbook("release.yaml", cwd=tmp_path).plays
    assert [size.of(1000) for size in play.serial] == [1, 100, 1000]
    assert play.handlers[0].name == "restart"
