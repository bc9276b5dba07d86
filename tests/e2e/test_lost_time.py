"""A run that took much longer than it had to says where the time went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.desk import Desk

pytestmark = pytest.mark.sshd

MIB = 1024 * 1024
LATE = "node0002"


def test_a_host_whose_agent_came_up_late_is_named_in_the_recap_and_the_document(
    desk: Desk,
) -> None:
    python = desk.script("python", 'sleep 2; exec python3 "$@"')
    inventory = desk.inventory(3, **{LATE: {"ansible_python_interpreter": python}})
    done = desk.deploy(desk.source(2 * MIB), inventory)
    assert (done.exit, len(done.good())) == (0, 3), done.stderr
    assert done.document["timing"]["ratio"] > 1.15
    lost = next(lost for lost in done.document["lost_time"] if lost["cause"] == "late_hosts")
    assert (lost["hosts"], lost["held_by"]) == ([LATE], "agent")
    assert 0 < lost["seconds"] <= done.document["timing"]["makespan_s"]
    # The history keeps it: what is shown later is what was shown then.
    shown = desk.run("runs", "show", "last").outcome().stdout
    assert f"until {LATE} joined" in shown
