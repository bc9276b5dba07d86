"""Switching together: not before enough have verified, and then all."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fleetpush.deploy.activation import Activation
from fleetpush.deploy.member import Member
from fleetpush.deploy.options import DeployOptions
from fleetpush.errors import HostFailure


class Ear:
    """A channel that remembers what was said."""

    running, bytes_in, bytes_out, stderr_tail = True, 0, 0, b""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []

    def say(self, message: dict[str, Any]) -> None:
        self.said.append(message)

    def kill(self) -> None:
        """Nobody is there."""


class Fleet:
    def __init__(self, hosts: int, min_success: float | None = None) -> None:
        options = DeployOptions(
            sources=(), inventories=(), activate="together", min_success=min_success
        )
        self.decided: list[tuple[str, ...]] = []
        self.activation = Activation(options, self._decide)
        self.members = [Member(str(i), f"n{i}", "", self._changed) for i in range(hosts)]
        for member in self.members:
            member.channel = Ear()
        self.activation.expect(self.members)

    def _changed(self, member: Member, kind: str, message: dict[str, Any]) -> None:
        if kind == "failure":
            self.activation.lost(0.0)

    def _decide(self, hosts: Any) -> None:
        told = [m.name for m in self.members if self.was_told(m) and m.name in hosts]
        assert told == [], "told before it was recorded"
        self.decided.append(tuple(hosts))

    def was_told(self, member: Member) -> bool:
        assert isinstance(member.channel, Ear)
        return {"do": "activate"} in member.channel.said

    def verify(self, number: int, at: float = 0.0) -> None:
        self.activation.verified(self.members[number], at)

    def fail(self, number: int) -> None:
        self.members[number].fail(HostFailure("disk_full", "full"))

    def switch(self, number: int, at: float) -> None:
        self.members[number].activated = True
        self.activation.switched(at)
        self.members[number].succeed()


def test_nobody_switches_before_the_last_has_verified() -> None:
    fleet = Fleet(3)
    fleet.verify(0)
    fleet.verify(2)
    assert not any(map(fleet.was_told, fleet.members))
    fleet.verify(1)
    assert all(map(fleet.was_told, fleet.members))
    assert fleet.decided == [("n0", "n2", "n1")]


def test_one_failure_holds_all_back() -> None:
    fleet = Fleet(3)
    fleet.verify(0)
    fleet.fail(1)
    fleet.verify(2)
    assert not any(map(fleet.was_told, fleet.members))
    assert all(member.settled.is_set() for member in fleet.members)
    assert "3 of 3 had to verify" in fleet.activation.held_back


def test_enough_is_enough_and_who_comes_later_follows() -> None:
    fleet = Fleet(4, min_success=75.0)
    fleet.fail(3)
    fleet.verify(0)
    assert not fleet.decided
    fleet.verify(1)
    assert not fleet.decided
    fleet.verify(2)
    assert [fleet.was_told(member) for member in fleet.members] == [True, True, True, False]
    fleet = Fleet(4, min_success=50.0)
    for number in range(3):
        fleet.verify(number)
    assert fleet.decided == [("n0", "n1"), ("n2",)]


def test_the_spread_is_from_the_first_command_to_the_last_acknowledgement() -> None:
    fleet = Fleet(2)
    fleet.verify(0, at=1.0)
    fleet.verify(1, at=4.0)
    fleet.switch(0, at=4.25)
    assert not fleet.activation.settled
    fleet.switch(1, at=4.75)
    assert fleet.activation.settled
    assert fleet.activation.spread == 0.75


def test_a_host_lost_while_it_switches_leaves_the_fleet_unsettled() -> None:
    fleet = Fleet(2)
    fleet.verify(0)
    fleet.verify(1)
    fleet.switch(0, at=1.0)
    fleet.fail(1)
    assert not fleet.activation.settled


@given(
    hosts=st.integers(1, 12),
    share=st.one_of(st.none(), st.floats(0, 100)),
    data=st.data(),
)
def test_all_or_nobody_whatever_comes(hosts: int, share: float | None, data: st.DataObject) -> None:
    fleet = Fleet(hosts, share)
    order = data.draw(st.permutations(range(hosts)))
    good = data.draw(st.lists(st.booleans(), min_size=hosts, max_size=hosts))
    for number in order:
        (fleet.verify if good[number] else fleet.fail)(number)
    enough = sum(good) * 100 >= (100 if share is None else share) * hosts - 1e-6
    told = [fleet.was_told(member) for member in fleet.members]
    assert told == (good if enough else [False] * hosts)
    assert bool(fleet.activation.held_back) == (not enough and any(good))
