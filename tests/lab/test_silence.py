"""Cables that are unplugged: nobody is told, no connection is reset."""

from __future__ import annotations

import time

import pytest

from tests.e2e.hosts import agents, contents, partials, wait_until
from tests.e2e.watching import EventLog
from tests.lab.fleet import SOURCE, LabFleet
from tests.lab.netns import BRIDGE

pytestmark = [pytest.mark.sshd, pytest.mark.slow]

MIB = 1024 * 1024
OTHER = "br1"
PARTED = 10.0
LEASE = 32.0


def test_a_fleet_that_is_split_for_ten_seconds_and_a_host_that_never_comes_back() -> None:
    with LabFleet() as fleet:
        fleet.source(12 * MIB)
        fleet.lab.add_bridge(OTHER)
        names = [f"node{i}" for i in range(1, 7)]
        for index, name in enumerate(names, 1):
            fleet.add(name, f"10.77.1.{index}")
        far, blinking, lost = names[3:5], names[1], names[5]
        run = fleet.start(names, "--bwlimit", "1M")
        log = EventLog(run)
        for name in names:
            log.wait_for("exchanging", name)
        fleet.lab.set_link(fleet.hosts[lost], "down")
        fleet.lab.set_link(fleet.hosts[blinking], "down")
        for name in far:
            fleet.lab.move(fleet.hosts[name], OTHER)
        parted = time.monotonic()
        wait_until(lambda: time.monotonic() > parted + PARTED / 2, PARTED, "half of the time")
        fleet.lab.set_link(fleet.hosts[blinking], "up")
        # The origin's own, too, while the fleet is still in two.
        fleet.lab.set_link(fleet.origin, "down")
        wait_until(lambda: time.monotonic() > parted + PARTED, PARTED, "all of it")
        fleet.lab.set_link(fleet.origin, "up")
        for name in far:
            fleet.lab.move(fleet.hosts[name], BRIDGE)
        done = run.outcome(60)
        assert done.exit == 3, done.stderr
        assert done.slugs().keys() == {lost}
        # Without a link to any peer it may be given up before its agent counts as silent.
        assert done.slugs()[lost] in ("agent_silent", "no_peer_link")
        assert log.phases(lost)[-2:] == ["exchanging", "done"]
        assert done.good() == fleet.copies() == [n for n in names if n != lost]
        for name in names:
            server = fleet.servers[name]
            wait_until(lambda s=server: not agents(s.root), LEASE, f"no agent left on {name}")
            home = server.home(0)
            wanted = [p.name for p in partials(home)] if name == lost else [SOURCE]
            assert contents(home) == wanted
