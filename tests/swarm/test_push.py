"""What a parent offers its children: each the lowest that it lacks, as much as keeps the line busy."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from fleetpush.swarm import bitfield
from fleetpush.swarm.events import Edge
from fleetpush.swarm.neighbour import Neighbour
from fleetpush.swarm.picker import LEAD, Push
from fleetpush.swarm.wire import MAX_OFFER

CHUNKS = 200


def parent(children: int, *, slots: int, bundle: int) -> SimpleNamespace:
    ring = {f"c{i}": Neighbour(f"c{i}", Edge(), CHUNKS) for i in range(children)}
    for child in ring.values():
        child.greeted = True
    return SimpleNamespace(
        have=bitfield.full(CHUNKS), partial=0, slots=slots, bundle=bundle, neighbours=ring
    )


@pytest.mark.parametrize(
    ("children", "slots", "bundle", "each"),
    [(2, 2, 1, 3), (2, 7, 1, 4), (1, 6, 3, 9), (4, 6, 3, 9), (50, 2, 1, 3), (1, 36, 3, MAX_OFFER)],
)
def test_a_child_is_offered_a_few_bundles_or_its_share_of_the_line(children, slots, bundle, each):
    peer, policy = parent(children, slots=slots, bundle=bundle), Push()
    room = policy.slots(peer)
    assert room >= LEAD * children * bundle
    given = {}
    while offer := policy.next_offer(peer, room):
        child, chunks, limit = offer
        child.offered, child.held = bitfield.of(chunks), limit
        room -= limit
        given[child.id] = chunks
        if not room:
            break
    assert list(given.values())[:-1] == [list(range(each))] * (len(given) - 1)
    assert len(list(given.values())[-1]) in range(1, each + 1)
    assert room == 0 or len(given) == children
