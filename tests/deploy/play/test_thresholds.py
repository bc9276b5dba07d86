"""Whatever fails: a roll-out goes on as long as its rule lets it, and nobody behind that is touched."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from fleetpush.deploy.play.options import PlayOptions
from fleetpush.deploy.play.performer import Call, Outcome
from fleetpush.deploy.play.run import PlayRun
from tests.deploy.play.local import Scripted

if TYPE_CHECKING:
    from fleetpush.deploy.play.report import PlayReport

BOOK = """\
- hosts: all
  serial: "{{ size }}"
  max_fail_percentage: "{{ most }}"
  tasks: [{command: one}, {command: two}]
"""


class Deaf:
    def handle(self, event: object) -> None:
        pass


def play(hosts: int, size: int, most: int, failing: set[tuple[int, str]]) -> PlayReport:
    def says(host: str, call: Call) -> Outcome:
        lost = (int(host[1:]), str(call.arguments["cmd"])) in failing
        return Outcome("failed", "x", "y") if lost else Outcome("ok")

    options = PlayOptions(
        playbooks=("x.yaml",),
        inventories=(",".join(f"n{n}" for n in range(hosts)) + ",",),
        extra_vars=(f"size={size} most={most}",),
    )
    return asyncio.run(PlayRun(options, Deaf(), lambda *_: Scripted(says)).execute())


def expected(hosts: int, size: int, most: int, failing: set[tuple[int, str]]) -> list[int]:
    """How many tasks each host has a result of, told as a person would."""
    done = [0] * hosts
    for start in range(0, hosts, size):
        batch = range(start, min(hosts, start + size))
        lost: set[int] = set()
        for command in ("one", "two"):
            for host in batch:
                if host not in lost:
                    done[host] += 1
            lost |= {host for host in batch if (host, command) in failing}
            if len(lost) == len(batch) or len(lost) * 100 > most * len(batch):
                return done
    return done


@settings(max_examples=40)
@given(
    hosts=st.integers(1, 12),
    size=st.integers(1, 12),
    most=st.sampled_from([0, 10, 25, 50, 99, 100]),
    failing=st.sets(st.tuples(st.integers(0, 11), st.sampled_from(["one", "two"])), max_size=8),
)
def test_a_rollout_goes_as_far_as_it_may(
    hosts: int, size: int, most: int, failing: set[tuple[int, str]]
) -> None:
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            Path("x.yaml").write_text(BOOK)
            report = play(hosts, size, most, failing)
        finally:
            os.chdir(here)
    results = [result.count("ok") + result.count("failed") for result in report.results]
    wanted = expected(hosts, size, most, failing)
    assert results == wanted
    assert [r.host for r in report.results if r.end == "untouched"] == [
        f"n{n}" for n in range(hosts) if not wanted[n]
    ]
    anybody_failed = any(result.count("failed") for result in report.results)
    assert (report.exit_code == 0) == (not anybody_failed)
    if 0 in wanted:
        assert report.exit_code == 8
