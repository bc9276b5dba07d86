"""A neighbour that breaks the protocol is dropped, by name, and nobody else."""

import random

import pytest

from fleetpush.swarm import bitfield, wire
from fleetpush.swarm.events import (
    BlockStored,
    Completed,
    ContentCorrupt,
    DropPeer,
    Edge,
    FrameReceived,
    LinkDown,
    LinkUp,
    Send,
    SendEnded,
    SendEnding,
    StartSend,
    StopSend,
    TimerFired,
)
from fleetpush.swarm.peer import Peer
from fleetpush.swarm.picker import Rarest
from tests.swarm.parts import RUN, manifest_of

MANIFEST = manifest_of(4)
HELLO = wire.Hello(wire.VERSION, RUN, MANIFEST.digest)


def bits(mask: int, chunks: int = 4) -> wire.Bitfield:
    return wire.Bitfield(bitfield.to_bytes(mask, chunks))


class Desk:
    """One peer, spoken to by hand. ``blocks[c]``: the verified blocks of chunk ``c``."""

    def __init__(self, have: int = 0, manifest=MANIFEST, policy=None) -> None:
        self.blocks = [4 if have >> c & 1 else 0 for c in range(manifest.chunks)]
        self.now = 0.0
        self.peer = Peer(
            manifest,
            RUN,
            policy or Rarest(),
            random.Random(1),
            have=have,
            progress=self.blocks.__getitem__,
            slots=2,
            credit=3,
        )

    def feed(self, event) -> list:
        effects = self.peer.handle(event, self.now)
        self.peer.check_invariants()
        return effects

    def say(self, peer: str, *frames) -> list:
        return [e for frame in frames for e in self.feed(FrameReceived(peer, frame))]

    def meet(self, peer: str, has: int = 0) -> list:
        self.feed(LinkUp(peer, Edge()))
        return self.say(peer, HELLO, bits(has))

    def knows(self, peer: str) -> None:
        """It gave something before."""
        self.peer.state.neighbours[peer].gave = 0.1

    def offered_to(self, peer: str) -> int:
        """A chunk that it was offered and has not answered for."""
        return bitfield.lowest(self.peer.state.neighbours[peer].offered)

    def take(self, peer: str, chunk: int, blocks: int) -> list:
        """So many blocks of ``chunk`` from ``peer`` arrive."""
        effects = []
        for _ in range(blocks):
            self.blocks[chunk] += 1
            effects += self.feed(BlockStored(peer, chunk, self.blocks[chunk] == 4))
        return effects


def sends(effects: list, peer: str | None = None) -> list:
    return [e.frame for e in effects if isinstance(e, Send) and peer in (None, e.peer)]


def drops(effects: list) -> list[str]:
    return [e.peer for e in effects if isinstance(e, DropPeer)]


def test_a_link_begins_with_hello_and_bitfield():
    desk = Desk(have=0b101)
    assert sends(desk.feed(LinkUp("a", Edge()))) == [HELLO, bits(0b101)]


OUT_OF_TURN = [
    wire.Have((1,)),
    wire.Offer(0, 4),
    wire.Accept(0, 0),
    wire.Decline(0, wire.BUSY),
    wire.Credit(),
    wire.Want(0, 0),
    wire.Cancel(0),
    wire.Stop(0),
    wire.Ask(0),
    wire.Lane(bytes(16)),
    wire.OpenLane(bytes(16)),
]


@pytest.mark.parametrize("frame", [*OUT_OF_TURN, bits(0)], ids=lambda f: type(f).__name__)
def test_whatever_comes_before_the_hello_drops_the_peer(frame):
    desk = Desk(have=0b1)
    desk.meet("b")
    desk.feed(LinkUp("a", Edge()))
    assert drops(desk.say("a", frame)) == ["a"]


@pytest.mark.parametrize("frame", [*OUT_OF_TURN, HELLO], ids=lambda f: type(f).__name__)
def test_whatever_comes_between_hello_and_bitfield_drops_the_peer(frame):
    desk = Desk(have=0b1)
    desk.feed(LinkUp("a", Edge()))
    assert drops(desk.say("a", HELLO)) == []
    assert drops(desk.say("a", frame)) == ["a"]


@pytest.mark.parametrize(
    "frame",
    [
        HELLO,
        bits(0),
        wire.Have((0, 4)),
        wire.Offer(4, 4),
        wire.Offer(0xFFFFFFFF, 4),
        wire.Offer(0, 4, ((4, 4),)),
        wire.Accept(4, 0),
        wire.Accept(0, 4),
        wire.Decline(4, wire.INFLIGHT),
        wire.Want(4, 0),
        wire.Want(0, 4),
        wire.Want(3, 3),
        wire.Cancel(4),
        wire.Stop(4),
        wire.Lane(bytes(16)),
        wire.OpenLane(bytes(16)),
    ],
    ids=repr,
)
def test_what_has_no_place_among_the_greeted_drops_the_peer(frame):
    desk = Desk(have=0b1)
    desk.meet("b")
    desk.meet("a")
    assert drops(desk.say("a", frame)) == ["a"]


@pytest.mark.parametrize(
    "hello",
    [
        wire.Hello(wire.VERSION + 1, HELLO.run, HELLO.digest),
        wire.Hello(wire.VERSION, b"x" * 16, HELLO.digest),
        wire.Hello(wire.VERSION, HELLO.run, b"x" * 32),
    ],
)
def test_another_version_run_or_content_drops_the_peer(hello):
    desk = Desk()
    desk.feed(LinkUp("a", Edge()))
    assert drops(desk.say("a", hello)) == ["a"]


@pytest.mark.parametrize("data", [b"", b"\0\0", b"\x10"])
def test_a_bitfield_of_another_size_drops_the_peer(data):
    desk = Desk()
    desk.feed(LinkUp("a", Edge()))
    assert drops(desk.say("a", HELLO, wire.Bitfield(data))) == ["a"]


@pytest.mark.parametrize(
    "frame",
    [wire.Offer(0, 4), wire.Accept(0, 0), wire.Want(0, 0), wire.Stop(0), wire.Cancel(0)],
    ids=repr,
)
def test_an_empty_content_has_not_even_chunk_zero(frame):
    manifest = manifest_of(0)
    desk = Desk(manifest=manifest)
    desk.feed(LinkUp("a", Edge()))
    desk.say("a", wire.Hello(wire.VERSION, HELLO.run, manifest.digest), wire.Bitfield(b""))
    assert drops(desk.say("a", frame)) == ["a"]


def test_wrong_bytes_drop_their_sender():
    desk = Desk()
    desk.meet("a", 0b1)
    desk.say("a", wire.Offer(0, 4))
    assert drops(desk.feed(ContentCorrupt("a", 0))) == ["a"]


def test_a_stream_that_breaks_off_goes_on_elsewhere_from_its_first_missing_block():
    desk = Desk()
    desk.meet("a", 0b1)
    desk.meet("b", 0b1)
    assert sends(desk.say("a", wire.Offer(0, 4))) == [wire.Accept(0, 0)]
    desk.take("a", 0, 3)
    assert not desk.peer.expects("b", 0)
    desk.say("a", wire.Stop(0))
    assert not desk.peer.expects("a", 0)
    assert sends(desk.say("b", wire.Offer(0, 4))) == [wire.Accept(0, 3)]


def test_a_chunk_still_arriving_is_offered_and_its_loss_is_passed_on():
    desk = Desk()
    desk.meet("a", 0b1)
    desk.meet("b")
    desk.say("a", wire.Offer(0, 4))
    assert sends(desk.take("a", 0, 1), "b") == [wire.Offer(0, 1)]
    assert StartSend("b", 0, 0) in desk.say("b", wire.Accept(0, 0))
    effects = desk.feed(LinkDown("a"))
    assert StopSend("b", 0) in effects
    assert sends(effects, "b") == [wire.Stop(0)]


def test_an_acceptance_of_what_is_not_offered_any_more_is_stopped():
    desk = Desk(have=0b1)
    desk.meet("a")
    desk.say("a", wire.Have((0,)))
    assert sends(desk.say("a", wire.Accept(0, 0))) == [wire.Stop(0)]


def test_the_loser_of_an_endgame_is_cancelled():
    desk = Desk(have=0b1110)
    desk.meet("a", 0b1)
    desk.meet("b", 0b1)
    desk.say("a", wire.Offer(0, 4))
    desk.take("a", 0, 1)
    asked = []
    for _ in range(10):
        desk.now = desk.peer.wakeup or desk.now
        asked += sends(desk.feed(TimerFired()), "b")
    assert wire.Want(0, 1) in asked
    assert desk.peer.expects("a", 0)
    assert desk.peer.expects("b", 0)
    effects = desk.take("b", 0, 3)
    assert sends(effects, "a") == [wire.Have((0,)), wire.Cancel(0)]
    assert Completed() in effects
    assert not desk.peer.expects("a", 0)


def test_a_cancelled_stream_ends():
    desk = Desk(have=0b1)
    desk.meet("a")
    assert StartSend("a", 0, 2) in desk.say("a", wire.Accept(0, 2))
    assert StopSend("a", 0) in desk.say("a", wire.Cancel(0))


def test_a_want_is_served_or_stopped():
    desk = Desk(have=0b1)
    desk.meet("a")
    assert sends(desk.say("a", wire.Want(1, 0))) == [wire.Stop(1)]
    assert StartSend("a", 0, 1) in desk.say("a", wire.Want(0, 1))
    assert desk.say("a", wire.Want(0, 1)) == []


def test_who_has_no_more_of_a_chunk_than_we_do_cannot_help_us_with_it():
    """It may be waiting for us: three that pass on what they lack would wait in a circle."""
    desk = Desk()
    desk.meet("a", 0b1)
    desk.meet("b")
    desk.say("a", wire.Offer(0, 4))
    desk.take("a", 0, 2)
    desk.feed(LinkDown("a"))
    assert sends(desk.say("b", wire.Offer(0, 2))) == [wire.Decline(0, wire.INFLIGHT)]
    assert sends(desk.say("b", wire.Offer(0, 3))) == [wire.Accept(0, 2)]


def test_who_was_turned_away_gets_credit_when_there_is_room():
    desk = Desk()
    desk.meet("a", 0b1111)
    assert sends(desk.say("a", *(wire.Offer(c, 4) for c in range(3)))) == [
        wire.Accept(c, 0) for c in range(3)
    ]
    desk.meet("b", 0b1111)
    desk.knows("b")
    assert sends(desk.say("b", wire.Offer(2, 4))) == [wire.Decline(2, wire.INFLIGHT)]
    assert sends(desk.say("b", wire.Offer(3, 4))) == [wire.Decline(3, wire.BUSY)]
    assert wire.Credit() in sends(desk.take("a", 0, 4), "b")
    assert sends(desk.say("b", wire.Offer(0, 4))) == [wire.Have((0,))]
    assert sends(desk.say("b", wire.Offer(0, 4))) == []  # it was told
    assert sends(desk.say("b", wire.Offer(3, 4))) == [wire.Accept(3, 0)]


def test_one_neighbour_does_not_get_all_the_room_while_others_have_something_too():
    desk = Desk(have=0b1000)
    desk.meet("a", 0b1111)
    assert sends(desk.say("a", wire.Offer(0, 4))) == [wire.Accept(0, 0)]
    desk.meet("b", 0b1111)
    assert sends(desk.say("a", wire.Offer(1, 4))) == [wire.Accept(1, 0)]
    # Room for one more, for somebody else: nobody knows yet how fast this one is.
    assert sends(desk.say("a", wire.Offer(2, 4))) == [wire.Decline(2, wire.BUSY)]
    assert sends(desk.say("b", wire.Offer(2, 4))) == [wire.Accept(2, 0)]


def test_what_comes_slowly_is_taken_from_others_and_passed_on_when_whole():
    desk = Desk()
    desk.meet("slow", 0b1111)
    desk.meet("fast", 0b1111)
    for chunk in (0, 1):
        desk.say("fast", wire.Offer(chunk, 4))
        desk.now += 0.1
        desk.take("fast", chunk, 4)
    desk.say("slow", wire.Offer(2, 4))
    desk.take("slow", 2, 1)
    assert desk.peer.state.partial == 0b100
    assert sends(desk.say("fast", wire.Offer(2, 4))) == [wire.Decline(2, wire.INFLIGHT)]
    desk.now += 1.0
    heard = desk.feed(TimerFired())
    assert desk.peer.state.partial == 0
    assert wire.Credit() in sends(heard, "fast")
    desk.take("slow", 2, 1)
    assert desk.peer.state.partial == 0
    assert sends(desk.say("fast", wire.Offer(2, 4))) == [wire.Accept(2, 2)]
    assert wire.Cancel(2) in sends(desk.take("fast", 2, 2), "slow")


def test_of_an_offer_of_several_the_first_that_is_wanted_is_taken():
    desk = Desk(have=0b1)
    desk.meet("a", 0b1111)
    desk.meet("b", 0b1111)
    assert sends(desk.say("a", wire.Offer(1, 4))) == [wire.Accept(1, 0)]
    several = wire.Offer(1, 4, ((0, 4), (2, 4), (3, 4)))
    # Chunk 0 was told with the bitfield: nothing needs to be said of it again.
    assert sends(desk.say("b", several)) == [wire.Accept(2, 0)]


def test_an_offer_of_which_less_is_taken_than_might_be_is_closed_by_a_decline():
    desk = Desk()
    desk.meet("a", 0b1111)
    desk.meet("b", 0b1111)
    desk.say("a", wire.Offer(1, 4))
    both = wire.Offer(1, 4, ((0, 4),), limit=2)
    assert sends(desk.say("b", both)) == [wire.Accept(0, 0), wire.Decline(1, wire.INFLIGHT)]
    more = wire.Offer(2, 4, ((3, 4),), limit=2)
    assert sends(desk.say("b", more)) == [wire.Accept(2, 0), wire.Decline(3, wire.BUSY)]


def test_an_offer_of_what_is_there_and_what_is_coming_is_declined_with_word_of_what_is_there():
    desk = Desk()
    desk.meet("a", 0b1111)
    desk.meet("b", 0b1111)
    desk.say("a", wire.Offer(1, 4), wire.Offer(0, 4))
    desk.take("a", 0, 4)
    heard = sends(desk.say("b", wire.Offer(0, 4, ((1, 4),))))
    assert heard == [wire.Have((0,)), wire.Decline(1, wire.INFLIGHT)]


def test_what_of_an_offer_was_not_taken_is_free_for_the_next():
    desk = Desk(have=0b1111)
    desk.meet("a")
    first = desk.offered_to("a")
    (offer,) = sends(desk.say("a", wire.Accept(first, 0)), "a")
    assert {offer.chunk, *(chunk for chunk, _ in offer.others)} == {0, 1, 2, 3} - {first}
    assert sends(desk.say("a", wire.Decline(offer.chunk, wire.INFLIGHT))) == []
    assert offers(desk.say("a", wire.Credit())) == ["a"]


@pytest.mark.parametrize("event", [LinkDown("a"), FrameReceived("a", wire.Stop(1))], ids=repr)
def test_room_that_comes_free_through_a_loss_is_told_at_once(event):
    desk = Desk()
    desk.meet("a", 0b1111)
    desk.say("a", *(wire.Offer(c, 4) for c in range(3)))
    desk.meet("b", 0b1111)
    desk.knows("b")
    assert sends(desk.say("b", wire.Offer(3, 4))) == [wire.Decline(3, wire.BUSY)]
    assert wire.Credit() in sends(desk.feed(event), "b")


def test_who_never_gave_anything_finds_room_where_others_do_not():
    """Were those slow who have all of it, nobody could tell."""
    desk = Desk(0, manifest_of(8))
    for peer in ("a", "b", "c", "d"):
        desk.feed(LinkUp(peer, Edge()))
        hello = wire.Hello(HELLO.version, HELLO.run, manifest_of(8).digest, False)
        desk.say(peer, hello, bits(0b11111111, 8))
    assert [sends(desk.say(p, wire.Offer(c, 4))) for c, p in enumerate("aab")] == [
        [wire.Accept(c, 0)] for c in range(3)
    ]
    assert sends(desk.say("b", wire.Offer(3, 4))) == [wire.Decline(3, wire.BUSY)]
    assert sends(desk.say("c", wire.Offer(3, 4))) == [wire.Accept(3, 0)]
    assert sends(desk.say("d", wire.Offer(4, 4))) == [wire.Decline(4, wire.BUSY)], "one at a time"
    desk.now += 0.1
    assert sends(desk.take("c", 3, 4), "d") == [wire.Credit()]
    assert sends(desk.say("c", wire.Offer(4, 4))) == [wire.Decline(4, wire.BUSY)]
    assert sends(desk.say("d", wire.Offer(4, 4))) == [wire.Accept(4, 0)]


def offers(effects: list) -> list[str]:
    """To whom something is offered."""
    return [e.peer for e in effects if isinstance(e, Send) and isinstance(e.frame, wire.Offer)]


def timers(desk: Desk, seconds: float) -> list:
    """Everything that happens by itself in so many seconds."""
    effects, end = [], desk.now + seconds
    while desk.peer.wakeup is not None and desk.peer.wakeup <= end:
        desk.now = desk.peer.wakeup
        effects += desk.feed(TimerFired())
    desk.now = end
    return effects


def test_a_neighbour_that_does_not_answer_holds_a_slot_for_seconds_only():
    desk = Desk(have=0b1111)
    assert offers(desk.meet("a")) == ["a"]
    assert offers(desk.meet("b")) == ["b"]
    assert offers(desk.meet("c")) == [], "both slots are taken"
    assert offers(timers(desk, 3.0)) == ["c"]
    assert offers(desk.say("a", wire.Decline(desk.offered_to("a"), wire.BUSY))) == []
    assert offers(desk.say("a", wire.Credit())) == ["a"]


def test_a_stream_that_nobody_takes_holds_a_slot_for_seconds_only_also_if_it_was_asked_for():
    desk = Desk(have=0b1111)
    desk.feed(LinkUp("a", Edge(send=())))
    desk.say("a", HELLO, bits(0), wire.Want(0, 0), wire.Want(1, 0))
    assert offers(desk.meet("b")) == []
    assert offers(timers(desk, 30.0)) == ["b"]
    assert len(offers(desk.say("b", wire.Accept(desk.offered_to("b"), 0)))) == 1


def test_a_neighbour_is_not_stuck_with_what_was_withdrawn():
    desk = Desk(have=0b1)
    assert offers(desk.meet("a")) == ["a"]
    assert offers(timers(desk, 5.0)) == []
    desk.say("a", wire.Have((0,)))
    timers(desk, 5.0)
    desk.blocks[1] = 3
    desk.meet("c", 0b10)
    desk.say("c", wire.Offer(1, 4))
    assert offers(desk.take("c", 1, 1)) == ["a"]


def test_what_went_out_whole_is_not_offered_again_before_word_of_it_comes_back():
    desk = Desk(have=0b1)
    assert offers(desk.meet("a")) == ["a"]
    desk.say("a", wire.Accept(0, 0))
    ends = desk.feed(SendEnding("a", 0)) + desk.feed(SendEnded("a", 0))
    assert offers(ends) == []
    assert offers(desk.say("a", wire.Credit())) == ["a"], "it says that it has lost it"


def test_who_promises_over_and_over_and_sends_nothing_is_dropped_by_name():
    manifest = manifest_of(12)
    desk = Desk(0, manifest)
    for peer in ("liar", "good"):
        desk.feed(LinkUp(peer, Edge()))
        hello = wire.Hello(HELLO.version, HELLO.run, manifest.digest, False)
        desk.say(peer, hello, bits((1 << 12) - 1, 12))
    dropped, heard = [], 0
    for chunk in range(5):
        desk.now += 100.0  # it is listened to again
        assert sends(desk.say("liar", wire.Offer(chunk, 4))) == [wire.Accept(chunk, 0)]
        assert sends(desk.say("good", wire.Offer(chunk, 4))) == [wire.Decline(chunk, wire.INFLIGHT)]
        desk.now += 5.0
        assert sends(desk.say("liar", wire.Offer(11, 4))) == [wire.Decline(11, wire.BUSY)]
        assert sends(desk.say("good", wire.Offer(chunk, 4))) == [wire.Accept(chunk, 0)]
        effects = desk.take("good", chunk, 4)
        assert wire.Cancel(chunk) in sends(effects, "liar")
        dropped += drops(effects)
        heard += 1
    assert (dropped, heard) == (["liar"], 5)


def test_a_block_makes_up_for_what_was_promised_in_vain():
    desk = Desk(0)
    desk.meet("a", 0b1111)
    desk.meet("b", 0b1111)
    for chunk in (0, 1):
        desk.now += 100.0
        desk.say("a", wire.Offer(chunk, 4))
        desk.now += 5.0
        desk.say("b", wire.Offer(chunk, 4))
        desk.take("b", chunk, 4)
    assert desk.peer.state.neighbours["a"].broken == 2
    desk.now += 100.0
    desk.say("a", wire.Offer(2, 4))
    desk.take("a", 2, 1)
    assert desk.peer.state.neighbours["a"].broken == 0


def test_a_flood_of_frames_ends_its_sender_and_costs_little():
    desk = Desk(have=0b1111)
    desk.meet("a")
    effects = desk.say("a", *[wire.Want(0, 0)] * 5000)
    assert drops(effects) == ["a"]
    assert "more than an exchange needs" in next(
        e.reason for e in effects if isinstance(e, DropPeer)
    )
