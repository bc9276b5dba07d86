"""The origin of a mesh sends every chunk once before any twice, and nothing that somebody holds."""

from fleetpush.swarm import bitfield, wire
from fleetpush.swarm.events import ChunksHeld, LinkDown, Send, SendEnded, SendEnding, TimerFired
from fleetpush.swarm.hand_out import HandOut
from fleetpush.swarm.sending import WATCH_WITHIN
from tests.swarm.parts import manifest_of
from tests.swarm.test_peer_faults import Desk

CHUNKS = 4


def origin() -> Desk:
    return Desk(bitfield.full(CHUNKS), manifest_of(CHUNKS), HandOut(CHUNKS))


def offered(effects: list) -> list[tuple[str, int]]:
    return [
        (e.peer, e.frame.chunk)
        for e in effects
        if isinstance(e, Send) and isinstance(e.frame, wire.Offer)
    ]


def sent(desk: Desk, peer: str, chunk: int) -> list:
    """``chunk`` is accepted by ``peer`` and goes out to it whole; what happens then."""
    desk.say(peer, wire.Accept(chunk, 0))
    ending = desk.feed(SendEnding(peer, chunk))
    return ending + desk.feed(SendEnded(peer, chunk))


def test_each_chunk_goes_to_the_next_neighbour_in_turn_and_none_goes_twice():
    desk = origin()
    assert offered(desk.meet("a") + desk.meet("b")) == [("a", 0), ("b", 1)]
    assert offered(sent(desk, "a", 0)) == [("a", 2)]
    assert offered(sent(desk, "b", 1)) == [("b", 3)]
    assert offered(sent(desk, "a", 2) + sent(desk, "b", 3)) == []


def test_what_a_host_holds_is_not_handed_out():
    desk = origin()
    desk.feed(ChunksHeld(0b0101))
    assert offered(desk.meet("a")) == [("a", 1)]
    assert offered(sent(desk, "a", 1)) == [("a", 3)]
    assert offered(sent(desk, "a", 3)) == []


def test_what_a_neighbour_has_is_not_handed_out():
    desk = origin()
    desk.meet("a", 0b1110)
    assert offered(desk.meet("b")) == []
    assert offered(sent(desk, "a", 0)) == []


def test_what_a_neighbour_refuses_as_in_flight_is_left_to_it_until_it_gives_credit():
    desk = origin()
    assert offered(desk.meet("a") + desk.meet("b")) == [("a", 0), ("b", 1)]
    assert offered(desk.say("a", wire.Decline(0, wire.INFLIGHT))) == [("a", 2)]
    later = sent(desk, "b", 1) + sent(desk, "a", 2) + sent(desk, "b", 3)
    assert offered(later) == [("b", 3)]
    assert offered(desk.say("a", wire.Credit())) == [("a", 0)]


def test_what_had_left_before_it_was_cancelled_goes_out_again():
    desk = origin()
    desk.meet("a")
    sent(desk, "a", 0)
    desk.say("a", wire.Cancel(0))
    assert offered(sent(desk, "a", 1)) == [("a", 0)]


def test_what_only_the_dead_had_goes_out_again_first():
    desk = origin()
    desk.meet("a")
    desk.meet("b")
    sent(desk, "a", 0)
    assert offered(desk.say("b", wire.Have((1,)))) == [("b", 3)]
    assert offered(desk.feed(LinkDown("a"))) == []
    assert offered(sent(desk, "b", 3)) == [("b", 0)]
    assert offered(sent(desk, "b", 0)) == [("b", 2)]


def test_what_the_dead_had_passed_on_stays_handed_out():
    desk = origin()
    desk.meet("a")
    desk.meet("b")
    sent(desk, "a", 0)
    desk.say("b", wire.Have((0,)))
    desk.feed(LinkDown("a"))
    later = sent(desk, "b", 1) + sent(desk, "b", 2) + sent(desk, "b", 3)
    assert ("b", 0) not in offered(later)
    assert offered(desk.meet("c")) == []


def test_what_one_host_alone_claims_and_nobody_gets_from_it_goes_out_all_the_same():
    desk = origin()
    desk.meet("a", 0b1111)
    assert offered(desk.meet("b") + desk.meet("c")) == [], "it may be sending it to them"
    desk.say("c", wire.Have((0,)))  # chunk 0 spreads, the others do not
    desk.now += WATCH_WITHIN
    assert offered(desk.feed(TimerFired())) == [("b", 1), ("c", 2)]
    assert offered(sent(desk, "b", 1)) == [("b", 3)]
    assert offered(sent(desk, "c", 2) + sent(desk, "b", 3)) == []
    for _ in range(3):  # once each: that the claims stay alone means nothing any more
        desk.now += 2.0
        assert offered(desk.feed(TimerFired())) == []


def offered_in(desk: Desk, seconds: float) -> set[int]:
    """Which chunks go on offer by themselves."""
    effects, end = [], desk.now + seconds
    while desk.peer.wakeup is not None and desk.peer.wakeup <= end:
        desk.now = desk.peer.wakeup
        effects += desk.feed(TimerFired())
    return {chunk for _, chunk in offered(effects)}


def test_nor_are_a_few_believed_who_claim_it_together():
    for liars, goes_out in ((2, True), (3, False)):
        desk = origin()
        for number in range(8):
            assert offered(desk.meet(f"h{number}", 0b1111 if number < liars else 0)) == [] or (
                number < liars
            )
        assert bool(offered_in(desk, 2 * WATCH_WITHIN)) == goes_out, f"{liars} of 8"


def test_what_one_took_and_is_gone_with_goes_out_again_though_another_claims_it():
    desk = origin()
    desk.meet("liar", 0b1111)
    desk.meet("taker")
    desk.meet("c")
    desk.say("taker", wire.Want(0, 0))
    desk.feed(SendEnding("taker", 0))
    desk.feed(SendEnded("taker", 0))
    desk.feed(LinkDown("taker"))
    taken = set()
    for _ in range(6):
        taken |= offered_in(desk, WATCH_WITHIN)
        n = desk.peer.state.neighbours["c"]
        while n.offered:
            chunk = desk.offered_to("c")
            taken |= {chunk, *(c for _, c in offered(sent(desk, "c", chunk)))}
            desk.say("c", wire.Have((chunk,)))
    assert taken == {0, 1, 2, 3}


def test_what_others_get_from_one_host_is_left_to_it():
    desk = origin()
    desk.meet("a", 0b1111)
    desk.meet("b")
    desk.say("b", wire.Have((0, 1, 2, 3)))
    desk.now += WATCH_WITHIN
    assert offered(desk.feed(TimerFired())) == []
