"""A night from cron, a step of a pipeline, and two runs that share a limit, against real SSH."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from junitparser import JUnitXml

from tests.e2e.embedded import EmbeddedDesk, Ended
from tests.report.endings import figures

if TYPE_CHECKING:
    from pathlib import Path

KIB = 1024
BROKEN = (
    "-e",
    "ansible_python_interpreter={{ '/nowhere/python3' if inventory_hostname == bad else 'auto' }}",
    "-e",
    "bad=demo-0002",
)
"""Variables that make one host fail."""


def problems(path: Path) -> dict[str, list[str]]:
    """What each case of a test report failed of."""
    (suite,) = JUnitXml.fromfile(str(path))
    return {case.name: [problem.type for problem in case.result] for case in suite}


async def test_a_night_from_cron_is_silent_until_it_fails(tmp_path: Path) -> None:
    flags = ["--progress", "quiet", "--lock", "run.lock", "--log-file", "run.log"]
    flags += ["--metrics", "footage.prom", "--splay", "10ms"]
    async with EmbeddedDesk(tmp_path, 3) as desk:
        source = desk.source(300 * KIB, "footage.mp4")
        well = await desk.deploy(source, *flags)
        again = await desk.deploy(source, *flags)
        assert desk.copies(source) == [host.name for host in desk.fleet.hosts]
        at_well = figures(tmp_path / "footage.prom")[0]["success_timestamp_seconds"]
        source = desk.source(200 * KIB, "footage.mp4")
        failed = await desk.deploy(source, *flags, *BROKEN)
        assert desk.copies(source) == ["demo-0001", "demo-0003"]
    assert well == again == Ended(0, "", "")
    assert (failed.exit, failed.stdout) == (3, "")
    for words in (
        "fleetpush deploy failed\n",
        "failed: no_python (1 host)\n  demo-0002\n",
        "set ansible_python_interpreter",
        "exit 3: at least one host failed",
        "the same command with -l 'demo-0002'",
    ):
        assert words in failed.stderr
    found, names = figures(tmp_path / "footage.prom")
    assert names == {"footage"}
    assert (found["run_exit_code"], found["success_timestamp_seconds"]) == (3, at_well)
    log = (tmp_path / "run.log").read_text()
    assert log.count("deploy to 3 hosts") == log.count("finished in") == 3
    assert log.count(" verified: demo-") == 5
    assert log.count(" already present: demo-") == 3
    assert "failed: demo-0002: no_python: " in log


async def test_a_step_of_a_pipeline_fails_and_passes(tmp_path: Path) -> None:
    summary, report = tmp_path / "summary.md", tmp_path / "run.xml"
    step = {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    async with EmbeddedDesk(tmp_path, 3) as desk:
        source = desk.source(100 * KIB)
        failed = await desk.deploy(source, "--junit", str(report), *BROKEN, env=step)
        assert problems(report)["demo-0002"] == ["no_python"]
        enough = await desk.deploy(source, "--min-success", "60%", *BROKEN, env=step)
        passed = await desk.deploy(source, "--junit", str(report), "-o", "json", env=step)
        assert problems(report) == {host.name: [] for host in desk.fleet.hosts}
        unbegun = await desk.deploy(tmp_path / "none", "--junit", str(report), env=step)
    assert [failed.exit, enough.exit, passed.exit, unbegun.exit] == [3, 0, 0, 5]
    assert "::error title=fleetpush deploy%3A no_python (1 host)::demo-0002: " in failed.stdout
    assert "::warning title=fleetpush deploy%3A no_python (1 host)::demo-0002: " in enough.stdout
    assert "66.66% of the hosts have it, which is enough (--min-success)" in enough.stdout
    assert json.loads(passed.stdout)["hosts"]["verified"] == 3
    assert "::" not in passed.stderr
    assert unbegun.stdout.startswith("::error title=fleetpush deploy%3A bad_input::")
    assert problems(report) == {"the run as a whole": ["bad_input"]}
    heads = [line for line in summary.read_text().splitlines() if line.startswith("### ")]
    assert [head.rpartition(" ")[2] for head in heads] == ["failed", "passed", "passed", "failed"]


async def test_two_runs_at_once_send_no_more_than_the_limit_together(tmp_path: Path) -> None:
    limit, size = 512 * KIB, 1024 * KIB

    async def run(desk: EmbeddedDesk, number: int) -> dict[str, Any]:
        source = desk.source(size, f"model{number}.pt")
        flags = ["--bwlimit", "512K", "-o", "json", "--metrics", f"{number}.prom"]
        done = await desk.deploy(source, *flags, limit=f"demo-000{number}")
        assert done.exit == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def sent(number: int, document: dict[str, Any]) -> tuple[float, float]:
        """When the first and the last byte were, on the clock of the wall."""
        found, _ = figures(tmp_path / f"{number}.prom")
        began = found["run_timestamp_seconds"] - found["run_duration_seconds"]
        last = began + max(result["verified_at_s"] for result in document["results"])
        return last - document["timing"]["makespan_s"], last

    async with EmbeddedDesk(tmp_path, 2) as desk:
        both = await asyncio.gather(run(desk, 1), run(desk, 2))
        assert list((tmp_path / ".local/state/fleetpush/bwlimit").iterdir()) == []
    times = [sent(number, document) for number, document in enumerate(both, 1)]
    window = max(last for _, last in times) - min(first for first, _ in times)
    assert 2 * size / window < 1.4 * limit, f"{times}: alone each would need {size / limit:.1f} s"
