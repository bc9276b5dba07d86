"""One peer of the swarm as a pure state machine: events and ``now`` in, effects out.

The exchange is by *late-bound offers*: a sender with a free upload slot offers one chunk, a receiver with
room accepts, nothing is bound before it can move. PROTOCOL.md describes it for readers; the policies of
whom to offer what are in ``picker``, the receiver's bookkeeping in ``receiving``.

The driver feeds events to ``handle`` and performs the effects it returns; it calls ``handle(TimerFired())``
at ``wakeup``. It asks ``expects`` before it lets a block reach the store.
"""

from __future__ import annotations

from fleetpush.swarm import bitfield, wire
from fleetpush.swarm.events import (
    BlockStored,
    ChunksHeld,
    Completed,
    ContentCorrupt,
    DropPeer,
    EdgeChanged,
    Effect,
    Event,
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
from fleetpush.swarm.neighbour import Availability, Neighbour
from fleetpush.swarm.receiving import Reservations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from fleetpush.swarm.manifest import Manifest
    from fleetpush.swarm.picker import Policy, Rng

HAVE_EVERY = 0.02
"""Seconds between batches of HAVEs."""

IDLE_CHECK = 0.5
"""Seconds between looks at a download that does not progress."""


class Peer:
    """``slots`` is u, ``credit`` is R (DESIGN: the exchange). ``progress(chunk)`` counts verified blocks."""

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
        frugal: bool = False,
    ) -> None:
        self.chunks = manifest.chunks
        self.have = have
        self.partial = 0
        """Chunks that have some blocks and are still arriving."""
        self.slots = slots
        self.rng = rng
        self.availability = Availability(self.chunks)
        self.neighbours: dict[str, Neighbour] = {}
        self.inbound = Reservations(credit)
        self._all = bitfield.full(self.chunks)
        self._hello = wire.Hello(wire.VERSION, run, manifest.digest, frugal)
        self._policy = policy
        self._progress = progress
        self._news: list[int] = []
        self._flush_at: float | None = None
        self._check_at: float | None = None
        self._progress_at = 0.0
        self._hungry = 0
        """Idle checks in a row that found no progress."""
        self._owed: dict[str, None] = {}
        """Whom we told we are busy, longest ago first: they are owed a credit."""
        self._out: list[Effect] = []

    @property
    def complete(self) -> bool:
        return self.have == self._all

    @property
    def wakeup(self) -> float | None:
        """When ``TimerFired`` is due next."""
        if self._flush_at is None:
            return self._check_at
        if self._check_at is None:
            return self._flush_at
        return min(self._flush_at, self._check_at)

    def expects(self, peer: str, chunk: int) -> bool:
        """Whether a block of ``chunk`` from ``peer`` is one that we asked for."""
        return self.inbound.expects(peer, chunk)

    def handle(self, event: Event, now: float) -> list[Effect]:
        """The only way in. The returned effects are to be performed in order."""
        self._out = out = []
        _EVENTS[type(event)](self, event, now)
        return out

    # -- links

    def _link_up(self, event: LinkUp, now: float) -> None:
        self._forget(event.peer, now)
        self.neighbours[event.peer] = Neighbour(event.peer, event.edge, self.chunks)
        self._send(event.peer, self._hello)
        self._send(event.peer, wire.Bitfield(bitfield.to_bytes(self.have, self.chunks)))
        self._watch(now)

    def _edge_changed(self, event: EdgeChanged, now: float) -> None:
        n = self.neighbours.get(event.peer)
        if n is not None:
            n.set_edge(event.edge, self.chunks)
            self._fill_slots(now)

    def _link_down(self, event: LinkDown, now: float) -> None:
        self._forget(event.peer, now)
        self._fill_slots(now)

    def _forget(self, peer: str, now: float) -> None:
        n = self.neighbours.pop(peer, None)
        if n is None:
            return
        self._owed.pop(peer, None)
        self.availability.remove(bitfield.chunks(n.has))
        for chunk in bitfield.chunks(n.sending):
            self._out.append(StopSend(peer, chunk))
        self._policy.lost(self, n)
        for chunk in self.inbound.from_peer(peer):
            self._lose(chunk, peer)
        self._give_credit(now)

    # -- frames

    def _frame(self, event: FrameReceived, now: float) -> None:
        n = self.neighbours.get(event.peer)
        if n is None or isinstance(event.frame, wire.Ping):
            return
        frame = event.frame
        act = _FRAMES.get(type(frame))
        if act is None or (not n.greeted and not isinstance(frame, (wire.Hello, wire.Bitfield))):
            self._fault(n, f"sent {type(frame).__name__} where it does not belong")
            return
        chunk = getattr(frame, "chunk", None)
        if chunk is not None and chunk >= self.chunks:
            self._fault(n, f"named chunk {chunk} of {self.chunks}")
            return
        act(self, n, frame, now)

    def _hello_in(self, n: Neighbour, frame: wire.Hello, now: float) -> None:
        if n.met:
            self._fault(n, "greeted twice")
        elif frame[:3] != self._hello[:3]:
            self._fault(n, "belongs to another run, content or protocol version")
        else:
            n.met = True
            n.frugal = frame.frugal

    def _bitfield_in(self, n: Neighbour, frame: wire.Bitfield, now: float) -> None:
        try:
            has = bitfield.from_bytes(frame.data, self.chunks)
        except ValueError:
            self._fault(n, "sent a bitfield of the wrong size")
            return
        if n.greeted or not n.met:
            self._fault(n, "sent a bitfield out of turn")
            return
        n.greeted = True
        self._now_has(n, has)
        self._fill_slots(now)

    def _have_in(self, n: Neighbour, frame: wire.Have, now: float) -> None:
        if any(chunk >= self.chunks for chunk in frame.chunks):
            self._fault(n, "has chunks that do not exist")
            return
        self._now_has(n, bitfield.of(frame.chunks))
        self._fill_slots(now)

    def _now_has(self, n: Neighbour, mask: int) -> None:
        fresh = mask & ~n.has
        n.has |= fresh
        n.offered &= ~fresh
        added = list(bitfield.chunks(fresh))
        n.count += len(added)
        self.availability.add(added)

    def _offer_in(self, n: Neighbour, frame: wire.Offer, now: float) -> None:
        why = self.inbound.answer(frame.chunk, self.have, now)
        if why is None:
            self._reserve(n, frame.chunk, now)
            self._send(n.id, wire.Accept(frame.chunk, self._progress(frame.chunk)))
            return
        if why == wire.BUSY:
            self._owed[n.id] = None
        self._send(n.id, wire.Decline(frame.chunk, why))

    def _accept_in(self, n: Neighbour, frame: wire.Accept, now: float) -> None:
        bit = 1 << frame.chunk
        if not n.offered & bit:
            # The offer was withdrawn by a Have that crossed it: nothing will come.
            self._send(n.id, wire.Stop(frame.chunk))
            return
        n.offered ^= bit
        self._start(n, frame.chunk, frame.block)

    def _want_in(self, n: Neighbour, frame: wire.Want, now: float) -> None:
        bit = 1 << frame.chunk
        n.offered &= ~bit
        if n.sending & bit:
            return
        if (self.have | self.partial) & bit and bitfield.count(n.sending) <= self.slots:
            self._start(n, frame.chunk, frame.block)
        else:
            self._send(n.id, wire.Stop(frame.chunk))

    def _start(self, n: Neighbour, chunk: int, block: int) -> None:
        n.sending |= 1 << chunk
        self._out.append(StartSend(n.id, chunk, block))

    def _decline_in(self, n: Neighbour, frame: wire.Decline, now: float) -> None:
        bit = 1 << frame.chunk
        n.offered &= ~bit
        if frame.why == wire.HAVE:
            self._now_has(n, bit)
        elif frame.why == wire.BUSY:
            n.credit = False
        else:
            n.refused |= bit
        self._fill_slots(now)

    def _credit_in(self, n: Neighbour, frame: wire.Credit, now: float) -> None:
        n.credit = True
        n.refused = 0
        self._fill_slots(now)

    def _cancel_in(self, n: Neighbour, frame: wire.Cancel, now: float) -> None:
        bit = 1 << frame.chunk
        if n.sending & bit:
            n.sending ^= bit
            n.ending &= ~bit
            self._out.append(StopSend(n.id, frame.chunk))
        self._fill_slots(now)

    def _stop_in(self, n: Neighbour, frame: wire.Stop, now: float) -> None:
        self._lose(frame.chunk, n.id)
        self._give_credit(now)

    # -- the store and the senders report

    def _stored(self, event: BlockStored, now: float) -> None:
        self._progress_at = now
        self._hungry = 0
        bit = 1 << event.chunk
        if not event.whole:
            self.inbound.progressed(event.chunk, event.peer, now)
            if not self.partial & bit:
                self.partial |= bit
                self._fill_slots(now)
            return
        self.partial &= ~bit
        self.have |= bit
        for other in self.inbound.finish(event.chunk, event.peer, now):
            self._send(other, wire.Cancel(event.chunk))
        self._news.append(event.chunk)
        if self.complete:
            self._flush()
            self._check_at = None
            self._out.append(Completed())
        elif self._flush_at is None:
            self._flush_at = now + HAVE_EVERY
        self._give_credit(now)
        self._fill_slots(now)

    def _corrupt(self, event: ContentCorrupt, now: float) -> None:
        n = self.neighbours.get(event.peer)
        if n is not None:
            self._fault(n, f"sent bytes of chunk {event.chunk} that do not match the manifest")

    def _ending(self, event: SendEnding, now: float) -> None:
        n = self.neighbours.get(event.peer)
        if n is not None:
            n.ending |= n.sending & 1 << event.chunk
            self._fill_slots(now)

    def _ended(self, event: SendEnded, now: float) -> None:
        n = self.neighbours.get(event.peer)
        if n is not None:
            bit = 1 << event.chunk
            n.sending &= ~bit
            n.ending &= ~bit
            n.sent |= bit
            # Until its HAVE or DECLINE comes it would look as if it still lacked the chunk.
            n.refused |= bit
            self._fill_slots(now)

    def _held(self, event: ChunksHeld, now: float) -> None:
        self._policy.held(event.mask)

    # -- time

    def _timer(self, event: TimerFired, now: float) -> None:
        if self._flush_at is not None and now >= self._flush_at:
            self._flush()
        if self._check_at is not None and now >= self._check_at:
            self._check(now)

    def _flush(self) -> None:
        self._flush_at = None
        news, self._news = self._news, []
        for frame in wire.have_frames(news):
            for n in self.neighbours.values():
                self._send(n.id, frame)

    def _watch(self, now: float) -> None:
        if not self.complete and self._check_at is None:
            self._progress_at = now
            self._check_at = now + IDLE_CHECK

    def _check(self, now: float) -> None:
        """A download that does not progress gives credit anew and asks outright (the endgame)."""
        # Ever less often: on a machine too busy to serve us, asking more would make it worse.
        self._check_at = now + IDLE_CHECK * min(8, 1 << self._hungry)
        stalled = self.inbound.stalled(now)
        if not stalled and now - self._progress_at < IDLE_CHECK:
            return
        if len(self.inbound) == len(stalled):
            self._hungry += 1
            missing = self._all & ~self.have & ~self.inbound.mask
            for n in self.neighbours.values():
                if n.has & missing:
                    self._credit(n.id)
            self._ask(missing, now)
        oldest = min(stalled, key=lambda i: i.since, default=None)
        if oldest is not None and len(self.inbound.sources(oldest.chunk)) < 2:
            self._ask(1 << oldest.chunk, now)

    def _ask(self, wanted: int, now: float) -> None:
        """WANT one of ``wanted`` from a neighbour that has it; the frugal origin comes last."""
        asked = [
            n
            for n in self.neighbours.values()
            if n.greeted and n.has & wanted and not self.inbound.from_peer(n.id)
        ]
        generous = [n for n in asked if not n.frugal]
        if not generous and self._hungry < 2:
            return
        asked = generous or asked
        if not asked:
            return
        n = asked[int(self.rng.random() * len(asked))]
        rarest = self.availability.rarest(n.has & wanted)
        chunk = bitfield.from_rotation(rarest, int(self.rng.random() * self.chunks))
        self._reserve(n, chunk, now)
        self._send(n.id, wire.Want(chunk, self._progress(chunk)))

    # -- shared steps

    def _reserve(self, n: Neighbour, chunk: int, now: float) -> None:
        self.inbound.reserve(chunk, n.id, now)
        if self._progress(chunk):
            self.partial |= 1 << chunk

    def _lose(self, chunk: int, peer: str) -> None:
        """``peer`` will not send the rest of ``chunk``: whoever we pass it on to must look elsewhere."""
        if not self.inbound.release(chunk, peer) or self.inbound.mask >> chunk & 1:
            return
        bit = 1 << chunk
        self.partial &= ~bit
        for n in self.neighbours.values():
            n.offered &= ~bit
            if n.sending & bit:
                n.sending ^= bit
                n.ending &= ~bit
                self._out.append(StopSend(n.id, chunk))
                self._send(n.id, wire.Stop(chunk))

    def _give_credit(self, now: float) -> None:
        """Room came free: tell as many of those we turned away as can use it, and one more."""
        room = self.inbound.room(now)
        if not room or self.complete:
            return
        for peer in list(self._owed)[: room + 1]:
            self._credit(peer)

    def _credit(self, peer: str) -> None:
        self._owed.pop(peer, None)
        self._send(peer, wire.Credit())

    def _fill_slots(self, now: float) -> None:
        if not self.have and not self.partial:
            return
        slots = self._policy.slots(self)
        used = sum(bitfield.count(n.busy) for n in self.neighbours.values() if n.offered or n.sending)
        while used < slots:
            offer = self._policy.next_offer(self)
            if offer is None:
                return
            n, chunk = offer
            n.offered |= 1 << chunk
            used += 1
            self._send(n.id, wire.Offer(chunk))

    def _fault(self, n: Neighbour, reason: str) -> None:
        self._out.append(DropPeer(n.id, reason))

    def _send(self, peer: str, frame: wire.Frame) -> None:
        self._out.append(Send(peer, frame))

    def check_invariants(self) -> None:
        """Raises AssertionError when the state contradicts itself; tests and simulations call it."""
        assert not self.partial & self.have
        assert not self.inbound.mask & self.have
        assert self.have | self._all == self._all
        for inbound in self.inbound:
            assert inbound.peer in self.neighbours
        for n in self.neighbours.values():
            assert not n.sending & ~(self.have | self.partial), "sends what it does not have"
            assert not n.ending & ~n.sending
            assert not n.offered & n.sending
            assert n.count == bitfield.count(n.has)
        for chunk in range(self.chunks):
            holders = sum(n.has >> chunk & 1 for n in self.neighbours.values())
            assert holders == self.availability.count(chunk)


_EVENTS: dict[type, Callable[[Peer, object, float], None]] = {
    LinkUp: Peer._link_up,
    EdgeChanged: Peer._edge_changed,
    LinkDown: Peer._link_down,
    FrameReceived: Peer._frame,
    BlockStored: Peer._stored,
    ContentCorrupt: Peer._corrupt,
    SendEnding: Peer._ending,
    SendEnded: Peer._ended,
    ChunksHeld: Peer._held,
    TimerFired: Peer._timer,
}  # type: ignore[assignment]

_FRAMES: dict[type, Callable[[Peer, Neighbour, object, float], None]] = {
    wire.Hello: Peer._hello_in,
    wire.Bitfield: Peer._bitfield_in,
    wire.Have: Peer._have_in,
    wire.Offer: Peer._offer_in,
    wire.Accept: Peer._accept_in,
    wire.Want: Peer._want_in,
    wire.Decline: Peer._decline_in,
    wire.Credit: Peer._credit_in,
    wire.Cancel: Peer._cancel_in,
    wire.Stop: Peer._stop_in,
}  # type: ignore[assignment]
