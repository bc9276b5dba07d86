"""Hosts that gossip does not reach: by which ways they are linked to the origin, and when they fail."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from fleetpush.deploy import rescue
from fleetpush.deploy.member import ORIGIN
from fleetpush.deploy.progress import HostPhase
from fleetpush.deploy.rescue import AT_ONCE, FED_WITHIN, GIVEN_UP_AFTER, Rescue
from fleetpush.errors import HostError

PATIENCE = 10.0


class Way:
    """An SSH connection that forwards, or does not."""

    def __init__(self, refusal: str = "") -> None:
        self._refusal = refusal

    async def forward(self, address: str, port: int) -> Any:
        if self._refusal:
            raise HostError("forwarding_prohibited", self._refusal)
        return SimpleNamespace(close=lambda: None)


class Fleet:
    """Hosts in the middle of an exchange, and what was said of them to whom."""

    def __init__(self, hosts: int, *, links: int = 0, refusal: str = "") -> None:
        self.failed: dict[str, Any] = {}
        self.said: list[tuple[str, str, bool, str]] = []
        self.members: dict[str, Any] = {
            peer: SimpleNamespace(
                peer=peer,
                is_origin=peer == ORIGIN,
                phase=HostPhase.EXCHANGING,
                figures=SimpleNamespace(content_in=0, links=links),
                address=("192.0.2.1", 47600),
                inside=("192.0.2.1", 47600),
                connection=Way(refusal),
                over_ssh="",
                fail=lambda failure, peer=peer: self.failed.setdefault(peer, failure),
            )
            for peer in (ORIGIN, *(f"h{i}" for i in range(hosts)))
        }
        self.rescue = Rescue(self.members, self._name)

    def _name(self, to: str, other: str, *, dial: bool, through: str = "") -> None:
        self.said.append((to, other, dial, through.partition(":")[0]))

    async def until(self, count: int) -> None:
        """So many things were said."""
        async with asyncio.timeout(PATIENCE):
            while len(self.said) < count:
                await asyncio.sleep(0.01)

    def tick(self, *times: float) -> None:
        for now in times:
            self.rescue.tick(now)


LATE = FED_WITHIN + 1


async def test_each_way_is_tried_in_turn_and_ssh_last() -> None:
    fleet = Fleet(1)
    fleet.rescue.dialled("h0")
    fleet.rescue.dial_failed(ORIGIN, "h0")
    assert fleet.said == [("h0", ORIGIN, True, "")]
    fleet.rescue.dial_failed(ORIGIN, "h0")  # again, late
    fleet.rescue.dial_failed("h0", ORIGIN)
    await fleet.until(2)
    assert fleet.said[1:] == [(ORIGIN, "h0", True, "127.0.0.1")]
    assert "no peer port is open" in fleet.members["h0"].over_ssh
    await fleet.rescue.close()


async def test_a_host_without_any_link_is_dialled_by_the_origin_and_then_served_over_ssh() -> None:
    fleet = Fleet(2)
    fleet.members["h1"].figures.content_in = 5
    fleet.tick(0.0)
    fleet.members["h1"].figures.content_in = 6
    fleet.tick(LATE)
    assert fleet.said == [(ORIGIN, "h0", True, "")]
    fleet.tick(LATE + 1)  # whatever became of that dial
    await fleet.until(2)
    assert fleet.said[1:] == [(ORIGIN, "h0", True, "127.0.0.1")]
    await fleet.rescue.close()


async def test_hosts_that_are_cut_off_together_get_a_few_links_and_go_on_from_these() -> None:
    fleet = Fleet(10, links=3)
    fleet.tick(0.0, LATE, LATE + 1)
    dialled = [other for _, other, *_ in fleet.said]
    assert len(dialled) == AT_ONCE
    for peer in dialled:
        fleet.members[peer].figures.content_in = 1
    fleet.tick(LATE + 2)
    assert len(fleet.said) == 2 * AT_ONCE
    for member in fleet.members.values():
        member.phase = HostPhase.VERIFYING
    fleet.tick(LATE + 3, 3 * LATE)
    assert len(fleet.said) == 2 * AT_ONCE
    assert not fleet.failed


@pytest.mark.parametrize(("links", "patience"), [(0, LATE + 2), (2, GIVEN_UP_AFTER + 1)])
async def test_a_host_that_ssh_does_not_help_either_fails_by_name(
    links: int, patience: float
) -> None:
    fleet = Fleet(1, links=links, refusal="it forbids TCP forwarding")
    fleet.tick(0.0, LATE)
    fleet.rescue.dial_failed(ORIGIN, "h0")
    fleet.rescue.dial_failed("h0", ORIGIN)
    async with asyncio.timeout(PATIENCE):
        while not fleet.rescue._refusals:
            await asyncio.sleep(0.01)
    if links:
        fleet.tick(LATE + 2)
        assert not fleet.failed
    fleet.tick(patience)
    failure = fleet.failed["h0"]
    assert failure.slug == "no_peer_link"
    assert "it forbids TCP forwarding" in failure.message
    assert fleet.members["h0"].over_ssh == ""
    await fleet.rescue.close()


async def test_a_link_through_ssh_that_breaks_is_none() -> None:
    fleet = Fleet(1)
    fleet.tick(0.0, LATE, LATE + 1)
    await fleet.until(2)
    fleet.rescue.dial_failed(ORIGIN, "h0")
    fleet.tick(LATE + 2)
    assert "the link through SSH broke" in fleet.failed["h0"].message
    await fleet.rescue.close()


async def test_who_has_left_and_who_was_not_asked_about_is_nobodys_concern() -> None:
    fleet = Fleet(2)
    fleet.tick(0.0)
    del fleet.members["h1"]
    fleet.rescue.leave("h1")
    fleet.rescue.dial_failed(ORIGIN, "h1")
    fleet.rescue.dial_failed("h0", "h1")
    fleet.rescue.dial_failed("h0", ORIGIN)
    assert fleet.said == []
    assert rescue.BY_HOST not in fleet.rescue._tried.values()
