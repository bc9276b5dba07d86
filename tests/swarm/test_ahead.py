"""A parent promises its children what it has been promised itself: agreeing takes no time on the way down."""

import pytest

from fleetpush.sim.outcome import simulate
from fleetpush.sim.scenario import Scenario
from fleetpush.swarm import wire
from fleetpush.swarm.events import Edge, LinkDown, LinkUp, SendLeaves, StartSend, StopSend
from fleetpush.swarm.inbound import Reservations
from fleetpush.swarm.picker import Push, Rarest
from tests.swarm.test_peer_faults import HELLO, Desk, bits, sends

UPWARDS, DOWNWARDS = Edge(send=()), Edge()


def between(policy, have: int = 0) -> Desk:
    """A host with a parent "p" that has all, and a child "c" that has nothing."""
    desk = Desk(have=have, policy=policy)
    for peer, edge, has in (("p", UPWARDS, 0b1111), ("c", DOWNWARDS, 0)):
        desk.feed(LinkUp(peer, edge))
        desk.say(peer, HELLO, bits(has))
    return desk


def promised(desk: Desk) -> list:
    """Chunks 0 and 1, by the parent; what the child hears of that."""
    effects = desk.say("p", wire.Offer(0, 4, ((1, 4),), 2))
    assert sends(effects, "p") == [wire.Accept(0, 0), wire.Accept(1, 0)]
    return sends(effects, "c")


def test_what_a_parent_was_promised_it_offers_before_any_of_it_came():
    desk = between(Push())
    assert promised(desk) == [wire.Offer(0, 0, ((1, 0),), 2)]
    assert StartSend("c", 0, 0) in desk.say("c", wire.Accept(0, 0))


def test_a_peer_of_a_mesh_offers_what_has_begun():
    desk = between(Rarest())
    assert promised(desk) == []
    assert sends(desk.take("p", 0, 1), "c") == [wire.Offer(0, 1)]


def test_what_a_parent_has_nothing_of_is_taken_in_a_tree_and_declined_in_a_mesh():
    for policy, answer in ((Push(), wire.Accept(0, 0)), (Rarest(), wire.Decline(0, wire.INFLIGHT))):
        assert sends(between(policy).say("p", wire.Offer(0, 0)), "p") == [answer]


@pytest.mark.parametrize("gone", [LinkDown("p"), wire.Stop(0)], ids=lambda g: type(g).__name__)
def test_a_promise_that_comes_to_nothing_is_taken_back(gone):
    desk = between(Push())
    promised(desk)
    desk.say("c", wire.Accept(0, 0))
    effects = desk.feed(gone) if isinstance(gone, LinkDown) else desk.say("p", gone)
    assert StopSend("c", 0) in effects
    assert wire.Stop(0) in sends(effects, "c")


def test_leaves_are_told_when_they_are_here():
    desk = between(Push())
    promised(desk)
    assert desk.say("c", wire.Ask(0)) == []
    assert SendLeaves("c", 0) in desk.take("p", 0, 1)
    assert SendLeaves("c", 0) not in desk.take("p", 0, 1)
    assert StartSend("c", 0, 2) in desk.say("c", wire.Accept(0, 2))


@pytest.mark.parametrize("child_stays", [True, False])
def test_who_waits_for_leaves_that_will_not_come_hears_of_it(child_stays):
    desk = between(Push())
    promised(desk)
    desk.say("c", wire.Ask(0))
    if not child_stays:
        desk.feed(LinkDown("c"))
    stops = [wire.Stop(0)] if child_stays else []
    assert sends(desk.say("p", wire.Stop(0)), "c") == stops


def test_nobody_is_blamed_for_a_promise_that_another_keeps():
    desk = between(Push())
    desk.feed(LinkUp("q", UPWARDS))
    desk.say("q", HELLO, bits(0b1111))
    promised(desk)
    desk.now = 5.0
    desk.say("q", wire.Offer(0, 4))
    desk.take("q", 0, 4)
    assert desk.peer.state.neighbours["p"].broken == 0


def test_a_chunk_is_measured_from_its_turn_on():
    coming = Reservations(16)
    for chunk in (1, 2, 3):
        coming.reserve(chunk, "p", 0.0, ahead=True)
    coming.progressed(1, "p", 5.0)
    coming.finish(1, "p", 5.1)
    assert not coming.stalled(5.5)
    assert not coming.late(5.5, at_end=True)
    coming.progressed(2, "p", 5.6)
    assert coming.finish(2, "p", 5.8)[1] == pytest.approx(0.7)
    assert [i.chunk for i in coming.idle(20.0)] == [3]


def test_what_stops_in_the_middle_is_late_and_stalled():
    coming = Reservations(16)
    for chunk in (1, 2, 3):
        coming.reserve(chunk, "p", 0.0, ahead=True)
    coming.progressed(1, "p", 0.1)
    coming.finish(1, "p", 0.2)
    coming.progressed(2, "p", 0.3)
    assert [i.chunk for i in coming.late(9.0)] == [2]
    assert [i.chunk for i in coming.stalled(9.0)] == [2]


def test_the_last_chunk_is_asked_of_nobody_else_at_once():
    """Its parent may wait for its own; a mesh would ask another after 20 ms."""
    coming = Reservations(16)
    for chunk, ahead in ((1, True), (2, True), (3, False)):
        coming.reserve(chunk, "p", 1.0, ahead=ahead)
        coming.progressed(chunk, "p", 1.0)
    coming.finish(1, "p", 1.01)
    assert [i.chunk for i in coming.late(1.03, at_end=True)] == [3]
    assert [i.chunk for i in coming.late(2.0, at_end=True)] == [2, 3]


def test_agreeing_costs_no_journeys_on_the_way_down(monkeypatch):
    """Else each hop would cost an offer and its answer beside the block itself."""
    hop, hops = 0.05, 2
    tree = Scenario(hosts=7, chunks=200, rate=10_000_000, latency=hop, topology="tree")
    ahead = simulate(tree).makespan
    monkeypatch.setattr(Push, "ahead", False)
    assert simulate(tree).makespan - ahead > 2 * hop * hops
