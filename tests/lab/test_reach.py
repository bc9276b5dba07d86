"""Who cannot dial whom, and that everybody gets the content all the same, or is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.fleet import LabFleet
from tests.lab.netns import PEER_PORTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.desk import Outcome

pytestmark = [pytest.mark.sshd, pytest.mark.slow]

GOSSIP = ["--discovery", "gossip"]

SIZE = 24 * 1024 * 1024


@pytest.fixture
def fleet() -> Iterator[LabFleet]:
    with LabFleet() as fleet:
        fleet.source(SIZE)
        yield fleet


def nodes(fleet: LabFleet, count: int, network: str = "10.77.1") -> list[str]:
    first = len(fleet.hosts) + 1
    names = [f"node{i}" for i in range(first, first + count)]
    for index, name in enumerate(names, 1):
        fleet.add(name, f"{network}.{index}")
    return names


def about_one_copy(sent: int) -> bool:
    return SIZE <= sent < 1.3 * SIZE


def over_ssh(outcome: Outcome) -> set[str]:
    """The hosts that are said to have been served over SSH, and why."""
    said = {r["host"]: r["over_ssh"] for r in outcome.document["results"] if r["over_ssh"]}
    assert all("no peer port is open" in why for why in said.values())
    return set(said)


@pytest.mark.parametrize(
    ("silent", "flags"),
    [(False, []), (False, ["--topology", "tree"]), (True, ["--no-encrypt"]), (True, GOSSIP)],
)
def test_an_origin_behind_a_bastion_serves_over_ssh(
    fleet: LabFleet, silent: bool, flags: list[str]
) -> None:
    fleet.add("bastion", "10.77.0.2")
    names = nodes(fleet, 5)
    for name in names:
        fleet.hosts[name].cannot_route_to(fleet.origin.address)
    if not silent:
        fleet.origin.cannot_route_to("10.77.1.0/24")
    outcome = fleet.deploy(names, "--jump", fleet.login("bastion"), *flags)
    assert (outcome.exit, sorted(outcome.good())) == (0, names), outcome.stderr
    assert fleet.copies() == names
    assert fleet.connections("bastion") == 1
    assert all(fleet.connections(name) == 1 for name in names)
    assert sum(fleet.forwards(name) for name in names) > 0
    assert about_one_copy(outcome.document["traffic"]["origin_bytes_sent"])
    assert over_ssh(outcome) == {name for name in names if fleet.forwards(name)}


def test_hosts_at_addresses_that_are_nobodys_are_served_over_ssh(fleet: LabFleet) -> None:
    names = nodes(fleet, 3)
    fleet.origin.drops("10.77.1.0/24", PEER_PORTS)
    wrong = {name: {"fleetpush_address": f"10.77.3.{i}"} for i, name in enumerate(names)}
    outcome = fleet.deploy(names, variables=wrong)
    assert (outcome.exit, sorted(outcome.good())) == (0, names), outcome.stderr
    assert fleet.copies() == names
    assert all(fleet.forwards(name) > 0 for name in names)


@pytest.mark.parametrize("how", ["drop", "no_route"])
def test_hosts_that_let_only_ssh_in_call_the_origin(fleet: LabFleet, how: str) -> None:
    names = nodes(fleet, 4)
    if how == "no_route":
        variables = {n: {"fleetpush_address": f"10.99.1.{i}"} for i, n in enumerate(names, 1)}
        for name in names:
            fleet.hosts[name].ip(
                "addr", "add", variables[name]["fleetpush_address"] + "/16", "dev", "eth0"
            )
        fleet.origin.cannot_route_to("10.99.0.0/16")
    else:
        variables = {}
        for name in names:
            fleet.hosts[name].drops(fleet.origin.address, PEER_PORTS)
    outcome = fleet.deploy(names, variables=variables)
    assert (outcome.exit, sorted(outcome.good())) == (0, names), outcome.stderr
    assert fleet.copies() == names
    assert sum(fleet.forwards(name) for name in names) == 0
    assert about_one_copy(outcome.document["traffic"]["origin_bytes_sent"])


def cut_off(fleet: LabFleet, name: str) -> None:
    """Only SSH reaches it; it reaches nobody's peer port. Nothing says no: packets vanish."""
    fleet.hosts[name].drops(ports=PEER_PORTS)
    for other in (fleet.origin, *fleet.hosts.values()):
        if other.name != name:
            other.drops(fleet.hosts[name].address, PEER_PORTS)


def cannot_call(fleet: LabFleet, name: str) -> None:
    """It is called, and its own calls come to nothing."""
    for other in (fleet.origin, *fleet.hosts.values()):
        if other.name != name:
            other.drops(fleet.hosts[name].address, PEER_PORTS)


@pytest.mark.parametrize(
    "flags", [["--topology", "mesh"], ["--topology", "tree"], ["--topology", "star"], GOSSIP]
)
def test_hosts_that_nobody_can_call_that_can_call_nobody_and_both(
    fleet: LabFleet, flags: list[str]
) -> None:
    names = nodes(fleet, 6)
    fleet.hosts[names[0]].drops(ports=PEER_PORTS)
    cannot_call(fleet, names[1])
    cut_off(fleet, names[2])
    outcome = fleet.deploy(names, *flags)
    assert (outcome.exit, sorted(outcome.good())) == (0, names), outcome.stderr
    assert fleet.copies() == names
    assert {name for name in names if fleet.forwards(name)} == over_ssh(outcome) == {names[2]}


@pytest.mark.parametrize(
    "flags", [["--topology", "mesh"], ["--topology", "tree"], ["--topology", "star"], GOSSIP]
)
def test_a_host_that_nothing_reaches_fails_by_name(fleet: LabFleet, flags: list[str]) -> None:
    names = nodes(fleet, 3)
    fleet.add("closed", "10.77.1.9", config="AllowTcpForwarding no")
    cut_off(fleet, "closed")
    outcome = fleet.deploy([*names, "closed"], *flags)
    assert (outcome.exit, sorted(outcome.good())) == (3, names), outcome.stderr
    assert outcome.slugs() == {"closed": "no_peer_link"}
    why = outcome.host("closed")["reason"]["message"]
    assert "--port-range" in why
    assert "AllowTcpForwarding" in why
    assert fleet.copies() == names


@pytest.mark.parametrize(
    ("how", "flags"),
    [("drop", []), ("no_route", []), ("drop", ["--topology", "tree"])],
)
def test_two_groups_without_a_way_between_them(fleet: LabFleet, how: str, flags: list[str]) -> None:
    left, right = nodes(fleet, 3, "10.77.1"), nodes(fleet, 3, "10.77.2")
    for group, others in ((left, "10.77.2.0/24"), (right, "10.77.1.0/24")):
        for name in group:
            if how == "drop":
                fleet.hosts[name].drops(others)
            else:
                fleet.hosts[name].cannot_route_to(others)
    outcome = fleet.deploy([*left, *right], *flags)
    assert (outcome.exit, sorted(outcome.good())) == (0, [*left, *right]), outcome.stderr
    assert fleet.copies() == [*left, *right]
    assert all(fleet.forwards(name) == 0 for name in (*left, *right))
