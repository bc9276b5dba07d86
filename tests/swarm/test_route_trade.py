"""Who offers and takes what in a mesh with routes: by its route first, from anybody where that fails."""

import pytest

from fleetpush.swarm import bitfield, wire
from fleetpush.swarm.events import (
    Edge,
    EdgeChanged,
    LinkDown,
    LinkUp,
    Route,
    Send,
    SendEnded,
    SendEnding,
    StartSend,
    StopSend,
    TimerFired,
)
from fleetpush.swarm.hand_out import HandOut
from fleetpush.swarm.picker import Push
from fleetpush.swarm.receiving import PROMISED
from tests.swarm.parts import RUN, manifest_of
from tests.swarm.test_peer_faults import Desk, bits, sends

CHUNKS = 40
EVERY = bitfield.full(CHUNKS)
EVEN, ODD = range(0, CHUNKS, 2), range(1, CHUNKS, 2)
PARENT, CHILD, MESH = Edge(route=Route((), (0,), 2)), Edge(route=Route((0,), (), 2)), Edge()
"""Over the first two the even chunks go."""


class Trader(Desk):
    """A peer of a mesh, or its origin, spoken to by hand."""

    def __init__(self, have=(), policy=None) -> None:
        super().__init__(bitfield.of(have), manifest_of(CHUNKS), policy)

    def join(self, peer: str, edge: Edge = MESH, has=(), *, frugal: bool = False) -> list:
        effects = self.feed(LinkUp(peer, edge))
        hello = wire.Hello(wire.VERSION, RUN, manifest_of(CHUNKS).digest, frugal)
        return effects + self.say(peer, hello, bits(bitfield.of(has), CHUNKS))


def between(*, child: bool = True) -> Trader:
    """A peer with a parent "p" that has all, and a child "c" that has nothing."""
    desk = Trader()
    desk.join("p", PARENT, range(CHUNKS))
    if child:
        desk.join("c", CHILD)
    return desk


def offer(*chunks: int, blocks: int = 4) -> wire.Offer:
    """Of ``chunks``, all of which may be taken."""
    first, *others = ((chunk, blocks) for chunk in chunks)
    return wire.Offer(*first, tuple(others), len(chunks))


def accepts(*chunks: int) -> list:
    return [wire.Accept(chunk, 0) for chunk in chunks]


def offered(effects: list) -> dict[str, list[int]]:
    """What is on offer to whom."""
    found: dict[str, list[int]] = {}
    for e in effects:
        if isinstance(e, Send) and isinstance(e.frame, wire.Offer):
            chunks = [e.frame.chunk, *(chunk for chunk, _ in e.frame.others)]
            found[e.peer] = found.get(e.peer, []) + chunks
    return found


# -- what is offered


def test_a_child_is_offered_in_order_what_its_parent_is_only_promised_and_nobody_else_is():
    desk = between()
    desk.join("other")
    effects = desk.say("p", offer(4, 0, 2, blocks=0))
    assert sends(effects, "p") == accepts(4, 0, 2)
    assert sends(effects, "c") == [offer(0, 2, 4, blocks=0)]
    assert offered(effects).keys() == {"c"}
    assert StartSend("c", 0, 0) in desk.say("c", wire.Accept(0, 0))


def test_a_child_gets_what_is_on_its_route_before_anybody_is_offered_the_rest():
    desk = Trader(have=(1, 3, 8))
    assert offered(desk.join("c", CHILD)) == {"c": [8]}
    assert offered(desk.join("other")).keys() == {"other"}


def test_what_has_begun_to_come_is_offered_to_others_as_well():
    desk = between()
    desk.join("other")
    desk.say("p", offer(0, blocks=0))
    assert offered(desk.take("p", 0, 1)) == {"other": [0]}


def feeding() -> Trader:
    """A peer with two children, which lack what it has not got yet; of chunk 1, which it has, another is to
    give them."""
    desk = Trader()
    desk.join("c", CHILD)
    desk.join("d", CHILD)
    desk.join("giver", has=(1,))
    desk.say("giver", offer(1))
    assert offered(desk.take("giver", 1, 4)) == {}
    return desk


def test_who_has_two_healthy_children_offers_nothing_to_others():
    assert offered(feeding().join("other")) == {}


@pytest.mark.parametrize("why", ["they take little", "one has all", "one is gone"])
def test_what_children_do_not_take_is_there_for_others(why):
    desk = feeding()
    desk.feed(LinkDown("giver"))
    ring = desk.peer.state.neighbours
    if why == "they take little":
        ring["c"].pace = ring["d"].pace = 0.2
    elif why == "one has all":
        desk.say("c", wire.Have(tuple(EVEN)))
    else:
        desk.feed(LinkDown("c"))
    desk.join("other")
    assert {n.offered for n in ring.values()} - {0} == {0b10}


def test_what_an_origin_gave_outside_of_its_route_is_offered_all_the_same_one_at_a_time():
    desk = feeding()
    desk.join("other")
    for child in ("c", "d"):
        desk.say(child, wire.Have((3,)))
    desk.join("origin", has=range(CHUNKS), frugal=True)
    desk.say("origin", offer(3))
    assert offered(desk.take("origin", 3, 3)) == {}
    ((first, chunks),) = offered(desk.take("origin", 3, 1)).items()
    assert chunks == [3]
    assert offered(desk.say(first, wire.Accept(3, 0))) == {}
    ((second, chunks),) = offered(desk.feed(SendEnding(first, 3))).items()
    assert (second != first, chunks) == (True, [3])


def test_what_an_origin_gives_by_the_route_is_left_to_the_routes():
    desk = feeding()
    desk.feed(LinkDown("c"))
    desk.feed(LinkDown("d"))
    for child in ("c", "d"):
        desk.join(child, Edge(route=Route((1,), (), 2)), has=(0, 1))
    desk.join("origin", PARENT, range(CHUNKS), frugal=True)
    desk.say("origin", offer(0))
    assert offered(desk.take("origin", 0, 4)) == {}


# -- what is taken


def test_a_promise_by_route_is_taken_though_others_have_filled_all_the_room():
    desk = between()
    desk.join("other", has=range(CHUNKS))
    desk.join("third", has=range(CHUNKS))
    desk.say("other", offer(1, 3))
    assert sends(desk.say("third", offer(5, 7)), "third") == [
        *accepts(5),
        wire.Decline(7, wire.BUSY),
    ]
    assert sends(desk.say("p", offer(0, 2, blocks=0)), "p") == accepts(0, 2)


def test_a_parent_may_promise_so_much_and_no_more():
    desk = between()
    heard = []
    for chunk in EVEN[: PROMISED + 1]:
        heard += sends(desk.say("p", offer(chunk, blocks=0)), "p")
    assert heard == [*accepts(*EVEN[:PROMISED]), wire.Decline(EVEN[PROMISED], wire.BUSY)]


def test_what_a_parent_promises_outside_of_its_route_has_to_have_begun():
    assert sends(between().say("p", offer(1, blocks=0)), "p") == [wire.Decline(1, wire.INFLIGHT)]


def test_what_the_route_is_about_to_bring_is_taken_from_nobody_else():
    desk = between()
    desk.say("p", offer(0, blocks=0))
    desk.join("other", has=(2, 16))
    assert sends(desk.say("other", offer(2, 16)), "other") == [wire.Decline(16, wire.BUSY)]
    assert sends(desk.say("p", offer(2, blocks=0)), "p") == accepts(2)


@pytest.mark.parametrize("chunk", [1, 38], ids=["of no route", "far ahead"])
def test_what_no_route_is_about_to_bring_is_taken_from_anybody(chunk):
    desk = between()
    desk.say("p", offer(0, blocks=0))
    desk.join("other", has=(2, chunk))
    assert sends(desk.say("other", offer(2, chunk)), "other") == [
        *accepts(chunk),
        wire.Decline(2, wire.BUSY),
    ]


def test_what_the_parent_left_out_is_taken_from_anybody():
    desk = between()
    desk.say("p", offer(0, 6, blocks=0))
    desk.join("other", has=(2,))
    assert sends(desk.say("other", offer(2)), "other") == accepts(2)


def test_who_has_other_chunks_than_those_it_offered_is_told_that_these_come():
    """It offers the others next, and waits for nothing."""
    desk = between()
    desk.say("p", offer(0, blocks=0))
    desk.join("other", has=(2, 38))
    assert sends(desk.say("other", offer(2)), "other") == [wire.Decline(2, wire.INFLIGHT)]


@pytest.mark.parametrize("then", ["nothing", "far ahead", "of no route", "left out"])
def test_who_was_refused_hears_when_it_has_what_no_route_brings(then):
    desk = between()
    desk.say("p", offer(0, 2, 4, blocks=0))
    desk.join("other", has=(6,))
    assert sends(desk.say("other", offer(6)), "other") == [wire.Decline(6, wire.BUSY)]
    assert wire.Credit() not in sends(desk.take("p", 0, 4), "other")
    if then == "left out":
        desk.say("p", offer(8, blocks=0))
    elif then != "nothing":
        desk.say("other", wire.Have((38 if then == "far ahead" else 1,)))
    assert (wire.Credit() in sends(desk.take("p", 2, 4), "other")) == (then != "nothing")


@pytest.mark.parametrize("why", ["no promise", "late", "stopped", "gone", "no parent any more"])
def test_without_a_parent_that_lives_anybody_may_bring_it(why):
    desk = between(child=False)
    desk.join("other", has=(2,))
    if why != "no promise":
        desk.say("p", offer(0, blocks=0))
        assert sends(desk.say("other", offer(2)), "other") == [wire.Decline(2, wire.BUSY)]
    if why == "late":
        desk.now = 5.0
    elif why == "stopped":
        desk.say("p", wire.Stop(0))
    elif why == "gone":
        desk.feed(LinkDown("p"))
    elif why == "no parent any more":
        desk.feed(EdgeChanged("p", MESH))
    assert sends(desk.say("other", offer(2)), "other") == accepts(2)


def test_what_was_promised_long_ago_can_wait_a_little_but_for_the_last_of_it():
    desk = Trader()
    desk.join("other", has=range(CHUNKS))
    assert not desk.peer.trades_ahead
    desk.join("p", PARENT, range(CHUNKS))
    assert desk.peer.trades_ahead
    for chunk in range(CHUNKS - 4):
        desk.say("p" if chunk % 2 == 0 else "other", offer(chunk))
        desk.take("p" if chunk % 2 == 0 else "other", chunk, 4)
        assert desk.peer.trades_ahead == (chunk < CHUNKS - 5)
    assert Trader(policy=Push()).peer.trades_ahead


# -- routes that are taken away


def test_what_was_promised_by_a_route_that_is_no_more_may_come_from_another():
    desk = between()
    desk.say("p", offer(0, 2, 4, blocks=0))
    desk.take("p", 0, 1)
    desk.say("c", *accepts(0, 2))
    desk.join("other", has=(2, 4))
    effects = desk.feed(EdgeChanged("p", MESH))
    assert [f for f in sends(effects, "p") if isinstance(f, wire.Cancel)] == [
        wire.Cancel(2),
        wire.Cancel(4),
    ]
    assert sends(effects, "c") == [wire.Stop(2)]
    assert [e for e in effects if isinstance(e, StopSend)] == [StopSend("c", 2)]
    assert sends(desk.say("other", offer(2, 4)), "other") == accepts(2, 4)
    assert desk.peer.expects("p", 0)
    assert not desk.peer.expects("p", 2)


@pytest.mark.parametrize("then", ["stopped", "gone", "no parent any more"])
def test_who_was_told_that_it_was_in_flight_may_send_it_when_it_is_not(then):
    desk = between(child=False)
    desk.join("other", has=range(CHUNKS))
    desk.say("p", offer(0, blocks=0))
    assert sends(desk.say("other", offer(0)), "other") == [wire.Decline(0, wire.INFLIGHT)]
    if then == "stopped":
        effects = desk.say("p", wire.Stop(0))
    else:
        effects = desk.feed(LinkDown("p") if then == "gone" else EdgeChanged("p", MESH))
    assert wire.Credit() in sends(effects, "other")


def test_who_takes_what_has_just_been_taken_back_is_told():
    desk = between()
    (chunk,) = offered(desk.say("p", offer(0, blocks=0)))["c"]
    assert sends(desk.feed(EdgeChanged("p", MESH)), "c") == []
    assert sends(desk.say("c", wire.Accept(chunk, 0)), "c") == [wire.Stop(chunk)]


def test_a_route_that_stays_keeps_its_promises():
    desk = between()
    desk.say("p", offer(0, blocks=0))
    assert desk.feed(EdgeChanged("p", PARENT)) == []
    assert desk.peer.expects("p", 0)


# -- the origin


def origin() -> tuple[Trader, list]:
    """Its child for even chunks, that for odd ones, and a neighbour that is on no route."""
    desk = Trader(range(CHUNKS), HandOut(CHUNKS))
    effects = desk.join("even", Edge(route=Route((0,), (), 2)))
    effects += desk.join("odd", Edge(route=Route((1,), (), 2))) + desk.join("other")
    return desk, effects


def trade(desk: Trader, effects: list, mute: str = "") -> list:
    """All but ``mute`` take what they are offered until nothing more is; who got what."""
    got, todo = [], list(effects)
    while todo:
        e = todo.pop(0)
        if isinstance(e, StartSend):
            got.append((e.peer, e.chunk))
            todo += ended(desk, e.peer, e.chunk)
        elif isinstance(e, Send) and isinstance(e.frame, wire.Offer) and e.peer != mute:
            chunks = [e.frame.chunk, *(chunk for chunk, _ in e.frame.others)]
            for chunk in chunks[: e.frame.limit]:
                todo += desk.say(e.peer, wire.Accept(chunk, 0))
    return got


def ended(desk: Trader, peer: str, chunk: int) -> list:
    """``chunk`` has gone to ``peer``, and it says so."""
    effects = desk.feed(SendEnding(peer, chunk)) + desk.feed(SendEnded(peer, chunk))
    return effects + desk.say(peer, wire.Have((chunk,)))


def test_an_origin_sends_each_chunk_once_and_to_the_child_whose_route_it_is():
    got = trade(*origin())
    assert sorted(got, key=lambda g: g[1]) == [(("even", "odd")[c % 2], c) for c in range(CHUNKS)]
    for peer, chunks in (("even", EVEN), ("odd", ODD)):
        assert [chunk for who, chunk in got if who == peer] == list(chunks)


def test_what_somebody_else_refuses_goes_by_its_route_all_the_same():
    """It refuses what it is to get by a route itself, from this origin in the end."""
    desk = Trader(range(CHUNKS), HandOut(CHUNKS))
    assert offered(desk.join("other")) == {"other": [0]}
    desk.say("other", wire.Decline(0, wire.INFLIGHT))
    assert offered(desk.join("even", Edge(route=Route((0,), (), 2))))["even"][0] == 0


def test_an_origin_waits_for_a_child_that_has_no_room_just_now():
    desk, effects = origin()
    effects += desk.say("even", wire.Decline(0, wire.BUSY))
    assert trade(desk, effects, mute="even") == [("odd", chunk) for chunk in ODD]
    assert trade(desk, desk.say("even", wire.Credit())) == [("even", chunk) for chunk in EVEN]


def test_an_origin_gives_others_what_a_child_that_does_not_answer_was_to_bring_on():
    desk, effects = origin()
    got = trade(desk, effects, mute="even")
    assert got == [("odd", chunk) for chunk in ODD]
    for _ in range(3):
        desk.now += 2.5
        got += trade(desk, desk.feed(TimerFired()), mute="even")
    assert sorted(chunk for _, chunk in got) == list(range(CHUNKS))
    assert {peer for peer, chunk in got if chunk % 2 == 0} == {"odd", "other"}


def test_an_origin_gives_others_what_a_slow_child_was_to_bring_on():
    desk, effects = origin()
    assert trade(desk, effects, mute="even") == [("odd", chunk) for chunk in ODD]
    desk.say("even", *accepts(0, 2, 4))
    desk.now = 5.0
    got = trade(desk, ended(desk, "even", 0))
    assert [chunk for _, chunk in got][: len(EVEN) - 3] == list(EVEN[3:])
    assert {chunk for _, chunk in got[len(EVEN) - 3 :]} == {2, 4}, "what it is getting comes last"
    assert {peer for peer, _ in got} == {"odd", "other"}
