"""Wrong clocks, and clocks that are set in mid-run: hours and years make no difference to a deploy."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from tests.e2e.desk import name
from tests.e2e.hosts import wait_until
from tests.e2e.watching import EventLog, look, residue, settled
from tests.fleet.clocks import Clock, needs_faketime, sweep

if TYPE_CHECKING:
    from tests.e2e.desk import Desk

pytestmark = [pytest.mark.sshd, needs_faketime]

MIB = 1024 * 1024
PORTS = range(48750, 48800)
HOUR = 3600.0


def test_hosts_of_any_date_are_served_and_clocks_may_be_set_in_mid_run(desk: Desk) -> None:
    hosts = 4
    source = desk.source(4 * MIB)
    before_and_then = [("-56y", "+9h"), ("+100y", "-9h"), ("+0", "-1y")]
    clocks = [Clock(desk.root / f"clock{i}", first) for i, (first, _) in enumerate(before_and_then)]
    special = {
        name(i): {"ansible_python_interpreter": desk.script(f"python{i}", clock.python())}
        for i, clock in enumerate(clocks)
    }
    before = look(desk.fleet, PORTS)
    ours = Clock(desk.root / "clock")
    run = desk.start(
        source,
        desk.inventory(hosts, **special),
        *("--bwlimit", "2M", "--chunk-size", "256K", "--stall", "10s", "--progress", "json"),
        *("--port-range", f"{PORTS[0]}-{PORTS[-1]}"),
        env=ours.env,
    )
    log = EventLog(run)
    for i in range(hosts):
        log.wait_for("exchanging", name(i))
    wait_until(lambda: desk.taken_in() > 2 * MIB, 30, "content there")
    assert {log.phase(name(i)) for i in range(hosts)} == {"exchanging"}
    for clock, (_, then) in zip(clocks, before_and_then, strict=True):
        clock.set(then)
    ours.set("-30h")
    done = run.outcome()
    assert done.exit == 0, done.stderr
    assert done.good() == desk.copies(hosts, source) == [name(i) for i in range(hosts)]
    assert not any(result["over_ssh"] for result in done.document["results"])
    desk.no_agent_is_left()
    sweep()
    after = settled(desk.fleet, PORTS, before, 5.0)
    assert residue(before, after, [source.name]) == []
    # What the run took is what it took, whatever the clock said at its end.
    listed = json.loads(desk.run("runs", "list", "-o", "json").outcome().stdout)["runs"][0]
    began, ended = (datetime.fromisoformat(listed[key]) for key in ("began", "ended"))
    assert abs((ended - began).total_seconds() - done.document["timing"]["total_s"]) < HOUR
