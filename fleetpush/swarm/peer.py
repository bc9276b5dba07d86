"""One peer of the swarm as a pure state machine: events and ``now`` in, effects out.

The exchange is by *late-bound offers*: a sender with a free upload slot offers one of a few chunks,
a receiver with room accepts, nothing is bound before it can move. PROTOCOL.md describes it for readers. Here
is who hears what; the two halves are in ``sending`` and ``receiving``, the policies of whom to offer what in
``picker``.

The driver feeds events to ``handle`` and performs the effects it returns; it calls ``handle(TimerFired())``
at ``wakeup``. It asks ``expects`` before it lets a block reach the store.
"""

from __future__ import annotations

from fleetpush.swarm import bitfield, events, wire
from fleetpush.swarm.lag import Lag
from fleetpush.swarm.neighbour import Neighbour
from fleetpush.swarm.receiving import Receiver
from fleetpush.swarm.sending import Sender
from fleetpush.swarm.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Union

    from fleetpush.swarm.manifest import Manifest
    from fleetpush.swarm.picker import Policy, Rng

    OfAChunk = Union[
        wire.Offer, wire.Accept, wire.Decline, wire.Want, wire.Cancel, wire.Stop, wire.Ask
    ]

FRAMES, FRAMES_PER_CHUNK, FRAMES_PER_S = 2_000, 24, 200
"""How many frames a neighbour may send in all, whatever the content, for each chunk and second of its link.
An exchange takes some four a chunk; a flood would keep us from everybody else."""

HAVE_TIMES = 2
HAVE_EVERY = 0.03, 0.25
HAVE_EVERY_AT_END = 0.02
"""Between batches of HAVEs lie so many times what a chunk takes to come, within bounds in seconds. One that
comes late costs a declined offer, or one that is not made, and those are rare while much is missing; one
frame a chunk and neighbour would cost more than a small chunk itself."""


_OF_A_CHUNK = (
    wire.Offer, wire.Accept, wire.Decline, wire.Want, wire.Cancel, wire.Stop, wire.Ask,
)  # fmt: skip


class Peer:
    """``slots`` is u, ``credit`` is R, ``bundle`` how many small chunks count as one (see ``plan.Shape``).

    ``progress(chunk)`` counts a chunk's verified blocks. ``sifts(chunk)``: old content is here that may be
    some of its blocks, and its leaves would tell; ``skips(chunk)``: the set of those that are, beyond
    ``progress``.
    ``frugal``: an origin, which hands out what it has
    and takes nothing, be it all or a part.
    """

    def __init__(
        self,
        manifest: Manifest,
        run: bytes,
        policy: Policy,
        rng: Rng,
        *,
        have: int,
        progress: Callable[[int], int],
        slots: int = 2,
        credit: int = 3,
        bundle: int = 1,
        frugal: bool = False,
        sifts: Callable[[int], bool] = lambda chunk: False,
        skips: Callable[[int], int] = lambda chunk: 0,
    ) -> None:
        self.state = State(
            manifest.chunks,
            have,
            progress,
            rng,
            slots=slots,
            bundle=bundle,
            sifts=sifts,
            skips=skips,
            ahead=policy.ahead,
        )
        self._hello = wire.Hello(wire.VERSION, run, manifest.digest, frugal)
        self._blocks_in = manifest.blocks_in
        self._lag = Lag()
        self._sender = Sender(self.state, policy, self._lag)
        self._receiver = Receiver(self.state, 0 if frugal else credit)
        self._frugal = frugal
        self._flush_at: float | None = None
        self._most_frames = FRAMES + FRAMES_PER_CHUNK * manifest.chunks
        sender = self._sender
        # Who hears what.
        self._events: dict[type, Callable[[Any, float], None]] = {
            events.LinkUp: self._link_up,
            events.EdgeChanged: self._edge_changed,
            events.LinkDown: self._link_down,
            events.FrameReceived: self._frame,
            events.BlockStored: self._stored,
            events.LeavesStored: self._sifted,
            events.ContentCorrupt: self._corrupt,
            events.SendEnding: lambda event, now: sender.ending(event),
            events.SendEnded: self._send_ended,
            events.ChunksHeld: lambda event, now: sender.held(event.mask),
            events.ChunksInherited: lambda event, now: sender.inherited(event.mask),
            events.TimerFired: self._timer,
        }
        self._greetings: dict[type, Callable[[Neighbour, Any, float], None]] = {
            wire.Hello: self._hello_in,
            wire.Bitfield: self._bitfield_in,
        }
        self._frames = {**self._greetings, **self._exchange_frames()}

    def _exchange_frames(self) -> dict[type, Callable[[Neighbour, Any, float], None]]:
        sender = self._sender
        return {
            wire.Have: self._have_in,
            wire.Offer: self._offer_in,
            wire.Stop: self._stop_in,
            wire.Ask: lambda n, frame, now: sender.asked(n, frame),
            wire.Accept: lambda n, frame, now: sender.accepted(n, frame),
            wire.Want: lambda n, frame, now: sender.wanted(n, frame),
            wire.Decline: lambda n, frame, now: sender.declined(n, frame),
            wire.Credit: lambda n, frame, now: sender.credited(n, frame),
            wire.Cancel: lambda n, frame, now: sender.cancelled(n, frame),
        }

    @property
    def have(self) -> int:
        """The set of chunks that are whole on disk."""
        return self.state.have

    @property
    def complete(self) -> bool:
        return self.state.complete

    @property
    def wakeup(self) -> float | None:
        """When ``TimerFired`` is due next."""
        due = self._flush_at
        for at in (self._receiver.check_at, self._sender.check_at):
            if at is not None and (due is None or at < due):
                due = at
        return due

    def expects(self, peer: str, chunk: int) -> bool:
        """Whether a block of ``chunk`` from ``peer`` is one that we asked for."""
        return self._receiver.inbound.expects(peer, chunk)

    def asked(self, peer: str, chunk: int) -> bool:
        """Whether ``peer`` owes us the leaves of ``chunk``."""
        return self._receiver.asked(peer, chunk)

    def lacks_of(self, peer: str) -> int:
        """The chunks that neighbour ``peer`` has and we lack."""
        n = self.state.neighbours.get(peer)
        return n.has & ~self.state.have if n is not None else 0

    def trades_with(self, peer: str) -> bool:
        """Whether a chunk is on offer or on its way between us, either way."""
        n = self.state.neighbours.get(peer)
        if n is None:
            return False
        return bool(n.busy or n.sending or self._receiver.inbound.from_peer(peer))

    @property
    def trades_ahead(self) -> bool:
        """Whether most of what passes here is promised long before it comes, and the end is not near: what is
        last is late by as much as all hops together take."""
        state = self.state
        is_ahead = state.ahead or bool(state.parents or state.children)
        return is_ahead and not self._is_near_end

    def handle(self, event: events.Event, now: float) -> list[events.Effect]:
        """The only way in. The returned effects are to be performed in order."""
        out: list[events.Effect] = []
        self.state.out = out
        self.state.now = now
        self._events[type(event)](event, now)
        return out

    # -- links

    def _link_up(self, event: events.LinkUp, now: float) -> None:
        state = self.state
        self._forget(event.peer, now)
        n = state.neighbours[event.peer] = Neighbour(event.peer, event.edge, state.chunks, now)
        n.told = state.have
        state.find_routes()
        state.send(event.peer, self._hello)
        state.send(event.peer, wire.Bitfield(bitfield.to_bytes(state.have, state.chunks)))
        if not self._frugal:
            self._receiver.watch(now)

    def _edge_changed(self, event: events.EdgeChanged, now: float) -> None:
        n = self.state.neighbours.get(event.peer)
        if n is not None:
            brought = n.brings
            n.set_edge(event.edge, self.state.chunks)
            self.state.find_routes()
            for chunk in self._receiver.rerouted(n, brought & ~n.brings, now):
                self._sender.withdraw(chunk)
            self._sender.rerouted(n)

    def _link_down(self, event: events.LinkDown, now: float) -> None:
        self._forget(event.peer, now)
        self._sender.fill_slots()

    def _forget(self, peer: str, now: float) -> None:
        n = self.state.neighbours.pop(peer, None)
        if n is None:
            return
        self.state.find_routes()
        self.state.availability.remove(n.has)
        self._sender.lost(n)
        for chunk in self._receiver.lost(peer, now):
            self._sender.withdraw(chunk)

    # -- frames

    def _frame(self, event: events.FrameReceived, now: float) -> None:
        n = self.state.neighbours.get(event.peer)
        if n is None:
            return
        frame = event.frame
        n.frames += 1
        if n.frames > self._most_frames and n.frames > self._most_frames + FRAMES_PER_S * (
            now - n.since
        ):
            if not n.flooded:
                n.flooded = True
                self.state.fault(n, f"sent {n.frames} frames, more than an exchange needs")
            return
        act = (self._frames if n.greeted else self._greetings).get(type(frame))
        if act is None:
            self.state.fault(n, f"sent {type(frame).__name__} where it does not belong")
            return
        if isinstance(frame, _OF_A_CHUNK) and not self._is_sound(n, frame):
            return
        act(n, frame, now)

    def _is_sound(self, n: Neighbour, frame: OfAChunk) -> bool:
        """Whether what ``frame`` is about exists."""
        chunk = frame.chunk
        if chunk >= self.state.chunks:
            self.state.fault(n, f"named chunk {chunk} of {self.state.chunks}")
        elif not isinstance(frame, (wire.Accept, wire.Want)):
            return True
        elif max(frame.block + 1, frame.skip.bit_length()) > self._blocks_in(chunk):
            self.state.fault(n, f"named a block that chunk {chunk} does not have")
        elif frame.skip and not (
            bitfield.full(self._blocks_in(chunk)) >> frame.block & ~(frame.skip >> frame.block)
        ):
            self.state.fault(n, f"wants chunk {chunk} and no block of it")
        else:
            return True
        return False

    def _hello_in(self, n: Neighbour, frame: wire.Hello, now: float) -> None:
        if n.met:
            self.state.fault(n, "greeted twice")
        elif not frame.same_run(self._hello):
            self.state.fault(n, "belongs to another run, content or protocol version")
        else:
            n.met = True
            n.frugal = frame.frugal
            n.credit = not frame.frugal

    def _bitfield_in(self, n: Neighbour, frame: wire.Bitfield, now: float) -> None:
        if n.greeted or not n.met:
            self.state.fault(n, "sent a bitfield out of turn")
            return
        try:
            has = bitfield.from_bytes(frame.data, self.state.chunks)
        except ValueError:
            self.state.fault(n, "sent a bitfield of the wrong size")
            return
        n.greeted = True
        self.state.now_has(n, has)
        self._sender.fill_slots()

    def _have_in(self, n: Neighbour, frame: wire.Have, now: float) -> None:
        if any(chunk >= self.state.chunks for chunk in frame.chunks):
            self.state.fault(n, "has chunks that do not exist")
            return
        self._sender.has_now(n, bitfield.of(frame.chunks))

    def _offer_in(self, n: Neighbour, frame: wire.Offer, now: float) -> None:
        coming = self.state.coming
        self._receiver.offered(n, frame, now)
        if self.state.coming != coming:
            self._sender.fill_slots()

    def _stop_in(self, n: Neighbour, frame: wire.Stop, now: float) -> None:
        if self._receiver.stopped(n, frame, now):
            self._sender.withdraw(frame.chunk)

    # -- the store reports

    def _stored(self, event: events.BlockStored, now: float) -> None:
        was_partial = self.state.partial >> event.chunk & 1
        self._receiver.stored(event, now)
        self._sender.begun(event.chunk)
        if event.whole:
            self._lag.look(self.state)
            if self.state.complete:
                self._flush()
                self.state.out.append(events.Completed())
            elif self._flush_at is None:
                every = HAVE_EVERY_AT_END if self._is_near_end else self._have_every()
                self._flush_at = now + every
        if event.whole or not was_partial:
            self._sender.fill_slots()

    @property
    def _is_near_end(self) -> bool:
        missing = bitfield.count(self.state.every & ~self.state.have)
        return missing <= max(4, self.state.chunks // 64)

    def _have_every(self) -> float:
        least, most = HAVE_EVERY
        return min(most, max(least, HAVE_TIMES * self._receiver.inbound.usual))

    def _send_ended(self, event: events.SendEnded, now: float) -> None:
        before = self.state.slots
        self._sender.ended(event)
        if not self._frugal:
            # What others send takes as long to be agreed on as what we send.
            self._receiver.inbound.limit += self.state.slots - before

    def _sifted(self, event: events.LeavesStored, now: float) -> None:
        if event.whole:
            self._stored(events.BlockStored(event.peer, event.chunk, True), now)
            if event.peer in self.state.neighbours:
                self.state.tell_news(self.state.neighbours[event.peer])  # the answer to its offer
        else:
            self._receiver.sifted(event.peer, event.chunk)
            self._sender.fill_slots()

    def _corrupt(self, event: events.ContentCorrupt, now: float) -> None:
        n = self.state.neighbours.get(event.peer)
        if n is not None:
            self.state.fault(n, f"sent bytes of chunk {event.chunk} that do not match the manifest")

    # -- time

    def _timer(self, event: events.TimerFired, now: float) -> None:
        if self._flush_at is not None and now >= self._flush_at:
            self._flush()
        check_at = self._receiver.check_at
        if check_at is not None and now >= check_at:
            for chunk in self._receiver.drags(now):
                self._sender.withdraw(chunk)
            self._receiver.check(now)
        check_at = self._sender.check_at
        if check_at is not None and now >= check_at:
            self._sender.check()

    def _flush(self) -> None:
        self._flush_at = None
        for n in self.state.neighbours.values():
            self.state.tell_news(n)

    def check_invariants(self) -> None:
        """Raises AssertionError when the state contradicts itself; tests and simulations call it."""
        state, inbound = self.state, self._receiver.inbound
        assert not state.partial & state.have
        assert not state.coming & (state.have | state.partial)
        assert not inbound.mask & state.have
        assert state.have | state.every == state.every
        for source in inbound:
            assert source.peer in state.neighbours
        for n in state.neighbours.values():
            assert not n.sending & ~state.mine, "sends what it does not have"
            assert not n.ending & ~n.sending
            assert not n.offered & n.sending
            assert bool(n.held) == bool(n.offered)
            assert n.held <= bitfield.count(n.offered)
            assert n.started.keys() == set(bitfield.chunks(n.sending))
            assert n.count == bitfield.count(n.has)
        for chunk in range(state.chunks):
            holders = sum(n.has >> chunk & 1 for n in state.neighbours.values())
            assert holders == state.availability.count(chunk)
