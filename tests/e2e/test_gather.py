"""``--gather``: with slow, failing and satisfied hosts, nothing moves before everybody is there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.desk import Desk, Outcome

pytestmark = pytest.mark.sshd

MIB = 1024 * 1024
SLOW, BROKEN = "node0002", "node0004"


def phases(done: Outcome) -> list[tuple[str, str]]:
    lines = [line for line in done.stderr.splitlines() if line.startswith("{")]
    events: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return [(e["host"], e["phase"]) for e in events if e["event"] == "host_phase_changed"]


@pytest.mark.parametrize("flags", [(), ("--gather",)])
def test_the_exchange_awaits_the_slowest_host_only_when_told_to(
    desk: Desk, flags: tuple[str, ...]
) -> None:
    source = desk.source(8 * MIB)
    python = desk.script("python", 'sleep 1.5; exec python3 "$@"')
    broken = desk.script("broken", "sleep 1; exit 9")
    inventory = desk.inventory(
        4,
        **{
            SLOW: {"ansible_python_interpreter": python},
            BROKEN: {"ansible_python_interpreter": broken},
        },
    )
    done = desk.deploy(source, inventory, "--progress", "json", *flags)
    assert (done.exit, len(done.good()), list(done.slugs())) == (3, 3, [BROKEN]), done.stderr
    seen = phases(done)
    began = [i for i, (_, phase) in enumerate(seen) if phase == "exchanging"]
    assert len(began) == 3
    assert (min(began) > seen.index((SLOW, "scanning"))) is bool(flags)


def test_hosts_that_have_everything_wait_for_nobody(desk: Desk) -> None:
    source = desk.source(4 * MIB)
    desk.deploy(source, desk.inventory(2))
    done = desk.deploy(source, desk.inventory(4), "--gather")
    assert (done.exit, len(done.good())) == (0, 4), done.stderr
    assert done.document["hosts"]["already_present"] == 2
    assert len(desk.copies(4, source)) == 4
