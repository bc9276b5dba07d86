"""One peer, fed with anything that honest neighbours and a driver could say, never contradicts itself."""

import random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fleetpush.swarm import bitfield, events, wire
from fleetpush.swarm.hand_out import HandOut
from fleetpush.swarm.peer import Peer
from fleetpush.swarm.picker import Push, Rarest
from tests.swarm.parts import RUN, manifest_of

CHUNKS, BLOCKS = 6, 3
MANIFEST = manifest_of(CHUNKS, BLOCKS)
HELLO = wire.Hello(wire.VERSION, RUN, MANIFEST.digest)
PEERS = st.sampled_from("abcd")
NUMBERS = st.integers(0, CHUNKS - 1)
MASKS = st.integers(0, bitfield.full(CHUNKS))
EDGES = st.sampled_from(
    [events.Edge(), events.Edge((), 2), events.Edge((1,), 2), events.Edge((0, 1), 2)]
)


class PeerMachine(RuleBasedStateMachine):
    """Keeps its own books of what the peer asked for, and checks each new request against them."""

    policy: type = Rarest
    have = 0

    def __init__(self) -> None:
        super().__init__()
        self.blocks = [
            MANIFEST.blocks_in(c) if self.have >> c & 1 else 0 for c in range(MANIFEST.chunks)
        ]
        policy = HandOut(CHUNKS) if self.policy is HandOut else self.policy()
        self.peer = Peer(
            MANIFEST,
            RUN,
            policy,
            random.Random(3),
            have=self.have,
            progress=self.blocks.__getitem__,
            slots=2,
            credit=3,
        )
        self.now = 0.0
        self.links: set[str] = set()
        self.greeted: set[str] = set()
        self.streams: set[tuple[str, int]] = set()
        self.completed = False

    def feed(self, event) -> None:
        if isinstance(event, events.LinkDown):
            self.links.discard(event.peer)
            self.greeted.discard(event.peer)
        for effect in self.peer.handle(event, self.now):
            self.perform(effect)
        if isinstance(event, events.LinkDown):
            assert not {s for s in self.streams if s[0] == event.peer}

    def perform(self, effect) -> None:
        if isinstance(effect, events.Completed):
            assert not self.completed
            self.completed = True
        elif isinstance(effect, events.StartSend):
            assert effect.peer in self.links
            assert (effect.peer, effect.chunk) not in self.streams
            self.streams.add((effect.peer, effect.chunk))
        elif isinstance(effect, events.StopSend):
            self.streams.remove((effect.peer, effect.chunk))
        else:
            assert isinstance(effect, events.Send), effect
            assert effect.peer in self.links
            wire.encode(effect.frame)

    def say(self, peer, frame) -> None:
        if peer in self.greeted:
            self.feed(events.FrameReceived(peer, frame))

    @rule(peer=PEERS, edge=EDGES)
    def link_up(self, peer, edge):
        if peer in self.links:
            self.feed(events.LinkDown(peer))
        self.links.add(peer)
        self.feed(events.LinkUp(peer, edge))

    @rule(peer=PEERS)
    def link_down(self, peer):
        self.feed(events.LinkDown(peer))

    @rule(peer=PEERS, mask=MASKS, frugal=st.booleans())
    def greet(self, peer, mask, frugal):
        if peer in self.links - self.greeted:
            self.greeted.add(peer)
            self.feed(
                events.FrameReceived(
                    peer, wire.Hello(wire.VERSION, HELLO.run, HELLO.digest, frugal)
                )
            )
            data = bitfield.to_bytes(mask, CHUNKS)
            self.feed(events.FrameReceived(peer, wire.Bitfield(data)))

    @rule(peer=PEERS, edge=EDGES)
    def edge_changed(self, peer, edge):
        self.feed(events.EdgeChanged(peer, edge))

    @rule(peer=PEERS, chunks=st.lists(NUMBERS, max_size=3).map(tuple))
    def have_in(self, peer, chunks):
        self.say(peer, wire.Have(chunks))

    @rule(
        peer=PEERS,
        chunks=st.lists(NUMBERS, min_size=1, max_size=4),
        limit=st.integers(1, 3),
    )
    def offer(self, peer, chunks, limit):
        others = tuple((chunk, 4) for chunk in chunks[1:])
        self.say(peer, wire.Offer(chunks[0], 4, others, limit))

    @rule(peer=PEERS, data=st.data())
    def answer_an_offer(self, peer, data):
        n = self.peer.state.neighbours.get(peer)
        if n is not None and n.offered:
            chunk = data.draw(st.sampled_from(list(bitfield.chunks(n.offered))))
            block = data.draw(st.integers(0, MANIFEST.blocks_in(chunk) - 1))
            why = data.draw(st.integers(-1, 3))
            self.say(peer, wire.Accept(chunk, block) if why < 0 else wire.Decline(chunk, why))

    @rule(peer=PEERS, chunk=NUMBERS, why=st.integers(-1, 3))
    def answer_what_was_not_asked(self, peer, chunk, why):
        self.say(peer, wire.Accept(chunk, 0) if why < 0 else wire.Decline(chunk, why))

    @rule(peer=PEERS, chunk=NUMBERS)
    def want(self, peer, chunk):
        self.say(peer, wire.Want(chunk, 0))

    @rule(peer=PEERS, chunk=NUMBERS)
    def cancel(self, peer, chunk):
        self.say(peer, wire.Cancel(chunk))

    @rule(peer=PEERS, chunk=NUMBERS)
    def stop(self, peer, chunk):
        self.say(peer, wire.Stop(chunk))

    @rule(peer=PEERS)
    def credit(self, peer):
        self.say(peer, wire.Credit())

    @precondition(lambda self: len(self.peer._receiver.inbound))
    @rule(data=st.data(), blocks=st.integers(1, BLOCKS))
    def blocks_arrive(self, data, blocks):
        inbound = sorted((i.peer, i.chunk) for i in self.peer._receiver.inbound)
        peer, chunk = data.draw(st.sampled_from(inbound))
        for _ in range(blocks):
            if self.peer.expects(peer, chunk):
                self.blocks[chunk] += 1
                whole = self.blocks[chunk] == MANIFEST.blocks_in(chunk)
                self.feed(events.BlockStored(peer, chunk, whole))

    @precondition(lambda self: self.streams)
    @rule(data=st.data(), whole=st.booleans())
    def a_stream_ends(self, data, whole):
        peer, chunk = data.draw(st.sampled_from(sorted(self.streams)))
        if self.blocks[chunk] == MANIFEST.blocks_in(chunk):
            self.feed(events.SendEnding(peer, chunk))
            if whole and (peer, chunk) in self.streams:
                self.streams.remove((peer, chunk))
                self.feed(events.SendEnded(peer, chunk))

    @rule(mask=MASKS)
    def held(self, mask):
        self.feed(events.ChunksHeld(mask))

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.3, 3.0, 30.0]))
    def time_passes(self, seconds):
        self.now += seconds
        if self.peer.wakeup is not None and self.peer.wakeup <= self.now:
            self.feed(events.TimerFired())
            assert self.peer.wakeup is None or self.peer.wakeup > self.now

    @invariant()
    def agrees_with_itself_and_with_what_it_asked_for(self):
        self.peer.check_invariants()
        state = self.peer.state
        sending = {(n.id, c) for n in state.neighbours.values() for c in bitfield.chunks(n.sending)}
        assert sending == self.streams
        assert set(state.neighbours) == self.links
        assert self.completed == (self.peer.complete and self.have != state.every)
        for n in state.neighbours.values():
            assert not n.offered & ~state.mine


class PushMachine(PeerMachine):
    policy = Push


class OriginMachine(PeerMachine):
    policy = HandOut
    have = bitfield.full(CHUNKS)


class ResumingMachine(PeerMachine):
    have = 0b10110


FEW = settings(max_examples=30, stateful_step_count=50, deadline=None)


class TestMesh(PeerMachine.TestCase):
    settings = FEW


class TestTree(PushMachine.TestCase):
    settings = FEW


class TestOrigin(OriginMachine.TestCase):
    settings = FEW


class TestResuming(ResumingMachine.TestCase):
    settings = FEW
