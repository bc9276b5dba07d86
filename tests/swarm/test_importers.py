"""Each class of chunks has one importer in every rack, and what crosses between racks is only its."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.swarm.plan.importers import Importers
from fleetpush.swarm.plan.mesh import Mesh
from fleetpush.swarm.seat import CLASSES

ORIGIN = "origin"


def shares(importers, rack, members):
    return {peer: importers.takes(rack, peer) for peer in members}


def settled(importers):
    """Everybody whose share has changed."""
    return {*importers.tick(), *importers.tick()}


@given(st.lists(st.booleans(), max_size=60))
def test_every_class_has_one_importer_once_shares_are_dealt(comings):
    importers, members, told = Importers(), [], {}
    for number, comes in enumerate(comings):
        if comes or not members:
            members.append(f"h{number}")
            changed = importers.join("r", members[-1])
        else:
            peer = members.pop(number % len(members))
            told.pop(peer, None)
            changed = importers.leave("r", peer, needed=bool(number % 2))
        told.update({peer: importers.takes("r", peer) for peer in changed})
        told = {peer: share for peer, share in told.items() if peer in members}
    told.update({peer: importers.takes("r", peer) for peer in settled(importers)})
    assert {p: s for p, s in told.items() if s} == shares(importers, "r", members)
    dealt = sorted(c for share in told.values() for c in share)
    assert dealt == (list(range(CLASSES)) if members else [])
    sizes = {len(share) for share in told.values()}
    assert not sizes or max(sizes) - min(sizes) <= 1


def test_in_a_rack_with_more_hosts_than_classes_everybody_imports_something():
    importers = Importers()
    for number in range(CLASSES + 30):
        importers.join("r", str(number))
    settled(importers)
    taken = [importers.takes("r", str(number)) for number in range(CLASSES + 30)]
    assert all(len(share) == 1 for share in taken)
    assert {share[0] for share in taken} == set(range(CLASSES))


def test_arrivals_deal_shares_anew_only_when_a_rack_has_doubled():
    importers = Importers()
    changes = [len(importers.join("r", str(number))) for number in range(64)]
    assert [n + 1 for n, changed in enumerate(changes) if changed] == [1, 2, 4, 8, 16, 32, 64]


def test_a_rack_that_does_not_rest_is_not_dealt_to_at_every_tick():
    importers = Importers()
    for number in range(64):
        importers.join("r", str(number))
    for number in range(64, 100):
        importers.join("r", str(number))
        assert importers.tick() == []
    assert settled(importers)
    assert all(importers.takes("r", str(number)) for number in range(100))


@pytest.mark.parametrize("racks", [1, 2, 5])
def test_edges_between_racks_carry_what_their_ends_import(racks):
    plan = Mesh((ORIGIN,), random.Random(1), chunks=250)
    place = {f"h{n}": f"r{n % racks}" for n in range(40)}
    for peer, rack in place.items():
        plan.join(peer, rack)
    plan.leave("h3")
    del place["h3"]
    plan.tick()
    plan.tick()
    came_in = {rack: set() for rack in set(place.values())}
    for one, other in plan.links.pairs():
        link = plan.links.get((one, other))
        for sender, receiver, sends in ((one, other, link.a_sends), (other, one, link.b_sends)):
            if ORIGIN in (sender, receiver) or place[sender] == place[receiver]:
                assert (sends, link.stripes, link.between_racks) == ((0,), 1, False)
            else:
                assert (link.stripes, link.between_racks) == (CLASSES, True)
                came_in[place[receiver]] |= {(stripe, receiver) for stripe in sends}
    for pairs in came_in.values():
        classes = [stripe for stripe, _ in pairs]
        assert len(classes) == len(set(classes))
        if racks > 1:
            assert set(classes) == set(range(CLASSES))
