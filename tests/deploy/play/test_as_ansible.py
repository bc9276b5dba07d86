"""Plays go as they go in Ansible: which tasks were done where, with which result, and the recap.

Every case is played by Ansible's own command and by us. Commands are really run, on this machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from fleetpush.deploy.play.events import TaskResult
from fleetpush.deploy.play.options import PlayOptions
from fleetpush.deploy.play.report import COUNTS
from fleetpush.deploy.play.run import PlayRun
from tests.deploy.play import ansible_plays
from tests.deploy.play.cases import CASES, HOSTS, Case
from tests.deploy.play.local import Local

PLUGINS = Path(__file__).parent / "plugins"


def flags(options: dict[str, Any]) -> list[str]:
    """The options as both commands' flags."""
    given = [
        f"--{name.replace('_', '-')}={','.join(options[name])}"
        for name in ("tags", "skip_tags")
        if name in options
    ]
    given += [f"--limit={options['limit']}"] if "limit" in options else []
    given += [f"--start-at-task={options['start_at_task']}"] if "start_at_task" in options else []
    given += [f"-e{text}" for text in options.get("extra_vars", ())]
    return given + (["--check"] if options.get("check") else [])


def write(folder: Path, case: Case) -> None:
    (folder / "host_vars").mkdir(parents=True)
    for host in case.down:
        (folder / "host_vars" / host).write_text("down: true\n")
    (folder / "hosts").write_text(HOSTS)
    (folder / "play.yaml").write_text(case.text)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    root = tmp_path_factory.mktemp("theirs")
    for name, case in CASES.items():
        write(root / name, case)
    (root / "cases.json").write_text(
        json.dumps({name: flags(case.options) for name, case in CASES.items()})
    )
    result = subprocess.run(
        [sys.executable, "-W", "ignore", ansible_plays.__file__, root],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(root),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_LOCAL_TEMP": str(root / "tmp"),
            "ANSIBLE_ACTION_PLUGINS": str(PLUGINS / "action"),
            "ANSIBLE_CALLBACK_PLUGINS": str(PLUGINS / "callback"),
            "ANSIBLE_CALLBACKS_ENABLED": "tell",
            "ANSIBLE_FORKS": "2",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


class Listener:
    def __init__(self) -> None:
        self.results: list[tuple[str, str, str]] = []

    def handle(self, event: object) -> None:
        if isinstance(event, TaskResult):
            status = "ignored" if event.ignored and event.status == "failed" else event.status
            self.results.append((event.task, event.host, status))


def by_task(results: list[tuple[str, str, str]]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Tasks in order, the hosts of each sorted: who is first of them is chance."""
    return [
        (task, sorted((host, status) for _, host, status in same))
        for task, same in groupby(results, key=lambda one: one[0])
    ]


@pytest.mark.parametrize("name", CASES)
async def test_goes_as_in_ansible(
    theirs: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    case = CASES[name]
    write(tmp_path / "ours", case)
    monkeypatch.chdir(tmp_path / "ours")
    listener, performer = Listener(), Local()
    options = PlayOptions(playbooks=("play.yaml",), inventories=("hosts",), **case.options)
    run = PlayRun(options, listener, lambda *_: performer)
    report = await run.execute()
    expected = theirs[name]
    told = [(one["task"], one["host"], one["status"]) for one in expected["results"]]
    assert by_task(listener.results) == by_task(told), expected["said"]
    ours = {
        result.host: dict(zip(COUNTS, result.counts, strict=True))
        for result in report.results
        if any(result.counts)
    }
    recap = {
        h: {n: c["failures" if n == "failed" else n] for n in COUNTS}
        for h, c in expected["recap"].items()
    }
    assert ours == recap
    assert (report.exit_code == 0) == (expected["exit"] == 0)
    assert performer.closed == 1
