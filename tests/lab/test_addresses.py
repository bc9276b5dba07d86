"""Where peers call each other: a network for data of its own, by number or by name, and IPv6."""

from __future__ import annotations

import pytest

from tests.lab.fleet import LabFleet
from tests.lab.netns import PEER_PORTS

pytestmark = [pytest.mark.sshd, pytest.mark.slow]

SIZE = 8 * 1024 * 1024


@pytest.mark.parametrize("discovery", ["tracker", "gossip"])
def test_a_fleet_that_has_nothing_but_ipv6(discovery: str) -> None:
    with LabFleet(origin="fd77::1") as fleet:
        names = [f"node{i}" for i in range(1, 5)]
        for i, name in enumerate(names, 2):
            fleet.add(name, f"fd77::{i}")
        # These call the origin, the others are called by it.
        fleet.hosts["node1"].drops("fd77::1", PEER_PORTS)
        fleet.source(SIZE)
        outcome = fleet.deploy(names, "--discovery", discovery)
        assert (outcome.exit, sorted(outcome.good())) == (0, names), outcome.stderr
        assert fleet.copies() == names
        assert all(fleet.forwards(name) == 0 for name in names)


@pytest.mark.parametrize("discovery", ["tracker", "gossip"])
def test_a_network_for_data_by_number_and_by_name(discovery: str) -> None:
    with LabFleet() as fleet:
        names = [f"node{i}" for i in range(1, 5)]
        for i, name in enumerate(names, 1):
            fleet.add(name, f"10.77.1.{i}")
            fleet.hosts[name].ip("addr", "add", f"10.99.1.{i}/16", "dev", "eth0")
        for host in (fleet.origin, *fleet.hosts.values()):
            host.drops("10.77.0.0/16", PEER_PORTS)  # the network that SSH comes by
        fleet.origin.ip("addr", "add", "10.99.0.1/16", "dev", "eth0")
        # 10.99.257 is no number to a socket, so it is looked up, and every resolver knows it: 10.99.1.1.
        known = {n: {"fleetpush_address": f"10.99.1.{i}"} for i, n in enumerate(names, 1)}
        known["node1"] = {"fleetpush_address": "10.99.257"}
        fleet.source(SIZE)
        outcome = fleet.deploy(names, "--discovery", discovery, variables=known)
        assert (outcome.exit, sorted(outcome.good())) == (0, names), outcome.stderr
        assert fleet.copies() == names
        assert all(fleet.forwards(name) == 0 for name in names)
