"""Whom a peer of a mesh offers something: the poorer of two neighbours; who gets something already, later."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from fleetpush.swarm import bitfield
from fleetpush.swarm.events import Edge
from fleetpush.swarm.neighbour import Availability, Neighbour
from fleetpush.swarm.picker import UNDER_WAY, Rarest

CHUNKS = 100


def chosen(poor: int, rich: int, under_way: int) -> str:
    """Of two neighbours with so many chunks each; so many are on their way to the poor one."""
    ring = {}
    for name, count in (("poor", poor), ("rich", rich)):
        n = ring[name] = Neighbour(name, Edge(), CHUNKS)
        n.greeted, n.has, n.count = True, bitfield.full(count), count
    for chunk in range(under_way):
        ring["poor"].sending |= 1 << CHUNKS - 1 - chunk
        ring["poor"].started[CHUNKS - 1 - chunk] = 0.0
    peer = SimpleNamespace(
        have=bitfield.full(CHUNKS),
        partial=0,
        slots=8,
        bundle=1,
        chunks=CHUNKS,
        now=0.0,
        late_after=float("inf"),
        neighbours=ring,
        availability=Availability(),
        rng=SimpleNamespace(random=lambda: 0.0),
    )
    offer = Rarest().next_offer(peer, 4)
    assert offer is not None
    return offer[0].id


@pytest.mark.parametrize(("poor", "under_way"), [(40, 0), (49, 0), (40, 1), (40, 2)])
def test_the_poorer_one_comes_first(poor, under_way):
    assert chosen(poor, 50, under_way) == "poor"


@pytest.mark.parametrize("under_way", [1, 2])
def test_one_that_gets_something_comes_second_while_it_is_not_behind(under_way):
    assert chosen(50 - UNDER_WAY * under_way + 1, 50, under_way) == "rich"
