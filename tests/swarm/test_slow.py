"""Slow neighbours: what they are sent and what they send is late, and nobody else waits for it."""

from fleetpush.swarm import wire
from fleetpush.swarm.events import Edge, LinkUp, SendEnded, SendEnding, TimerFired
from tests.swarm.parts import manifest_of
from tests.swarm.test_hand_out import offered, origin
from tests.swarm.test_peer_faults import HELLO, Desk, bits, sends

USUAL = 0.1


def served(desk, peer):
    """``peer`` takes what it was offered, in the usual time; who is offered something then."""
    chunk = desk.offered_to(peer)
    desk.say(peer, wire.Accept(chunk, 0))
    desk.now += USUAL
    effects = desk.feed(SendEnding(peer, chunk)) + desk.feed(SendEnded(peer, chunk))
    return offered(effects + desk.say(peer, wire.Have((chunk,))))


def test_the_origin_gives_what_a_slow_host_is_getting_to_another_one_too():
    desk = origin()
    assert offered(desk.meet("slow") + desk.meet("fast")) == [("slow", 0), ("fast", 1)]
    desk.say("slow", wire.Accept(0, 0))
    given = []
    while desk.peer.state.neighbours["fast"].offered:
        desk.now += 2 * USUAL
        given += served(desk, "fast")
    assert {peer for peer, _ in given} == {"fast"}
    assert sorted(chunk for _, chunk in given) == [0, 2, 3]


def test_an_origin_with_none_but_slow_hosts_serves_them():
    desk = origin()
    desk.meet("slow")
    assert served(desk, "slow") == [("slow", 1)]
    desk.now += 1000 * USUAL
    assert served(desk, "slow") == [("slow", 2)]


def test_late_streams_hold_no_slot_and_a_late_neighbour_gets_nothing_more():
    desk = Desk(0b1111)  # of two slots
    desk.meet("slow")
    served(desk, "slow")
    slots = [desk.offered_to("slow")]
    desk.say("slow", wire.Accept(slots[0], 0))
    slots.append(desk.offered_to("slow"))
    desk.say("slow", wire.Accept(slots[1], 0))
    assert offered(desk.meet("usual")) == []
    desk.now += 20 * USUAL
    desk.say("usual", wire.Credit())
    assert {peer for peer, _ in offered(desk.meet("new"))} <= {"usual", "new"}
    offers = {name: n.held for name, n in desk.peer.state.neighbours.items()}
    assert offers == {"slow": 0, "usual": 1, "new": 1}


def receiver():
    """With 4 blocks a chunk; the usual time of a chunk is known, and "slow" is sending chunk 3."""
    desk = Desk(0, manifest_of(6))
    for peer in ("fast", "slow", "third"):
        desk.feed(LinkUp(peer, Edge()))
        hello = wire.Hello(HELLO.version, HELLO.run, manifest_of(6).digest, False)
        desk.say(peer, hello, bits(0b111111, 6))
    for chunk in (0, 1, 2):
        desk.say("fast", wire.Offer(chunk, 4))
        desk.now += USUAL
        desk.take("fast", chunk, 4)
    assert sends(desk.say("slow", wire.Offer(3, 4))) == [wire.Accept(3, 0)]
    return desk


def test_what_is_late_takes_no_room():
    desk = receiver()
    desk.now += 10 * USUAL
    for chunk in (4, 5):
        assert sends(desk.say("fast", wire.Offer(chunk, 4))) == [wire.Accept(chunk, 0)]
    assert desk.peer._receiver.inbound.room(desk.now) == 1  # of three


def test_who_was_slow_before_is_taken_for_slow_at_once():
    desk = receiver()
    desk.now += 20 * USUAL
    desk.take("slow", 3, 4)
    desk.say("slow", wire.Offer(4, 4))
    assert [i.slow for i in desk.peer._receiver.inbound] == [True]
    desk.say("fast", wire.Offer(5, 4))
    assert [i.slow for i in desk.peer._receiver.inbound] == [True, False]


def test_the_last_chunk_is_asked_of_another_neighbour_when_it_is_late():
    desk = receiver()
    for chunk in (4, 5):
        desk.say("fast", wire.Offer(chunk, 4))
        desk.take("fast", chunk, 4)
    asked = []
    for _ in range(20):
        desk.now = max(desk.now, desk.peer.wakeup)
        asked += [f for f in sends(desk.feed(TimerFired())) if isinstance(f, wire.Want)]
        if asked:
            break
    assert asked == [wire.Want(3, 0)]
    assert desk.now <= 0.3 + 5 * USUAL
    asked_of = next(i.peer for i in desk.peer._receiver.inbound if i.peer != "slow")
    assert wire.Cancel(3) in sends(desk.take(asked_of, 3, 4), "slow")
    assert not desk.peer.expects("slow", 3)
