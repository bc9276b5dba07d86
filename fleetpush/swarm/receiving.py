"""The receiver's half of a peer: which offers it takes, what is reserved, what has stalled."""

from __future__ import annotations

from math import inf

from fleetpush.swarm import bitfield, wire
from fleetpush.swarm.awaited import Awaited
from fleetpush.swarm.inbound import Reservations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetpush.swarm.events import BlockStored
    from fleetpush.swarm.neighbour import Neighbour
    from fleetpush.swarm.state import State

MAX_BROKEN = 5
DISTRUST = 0.5
"""Seconds, doubled each time: who let us wait in vain so many times in a row is dropped, and is not heard for
so long before that."""

PROMISED = 16
"""Bundles that may be on their way here by one route: it is the parent that knows how much has to be."""

IDLE_CHECK = 0.5
"""Seconds between looks at a download that does not progress."""


class Receiver:
    """Accepts what there is room for, gives credit when room comes free, asks when nothing comes."""

    def __init__(self, state: State, credit: int) -> None:
        self.inbound = Reservations(credit)
        self._awaited = Awaited(state, self.inbound)
        self.check_at: float | None = None
        """When to look whether anything comes; None when complete or not begun."""
        self._state = state
        self._owed: dict[str, None] = {}
        """Whom we told we are busy, longest ago first: they are owed a credit."""
        self._progress_at = 0.0
        self._hungry = 0
        """Looks in a row that found no progress."""
        self._asked: dict[tuple[str, int], int | None] = {}
        """Whose leaves of a chunk are to come before we say what we want of it: the blocks that it offered,
        None where we asked of our own accord."""

    def asked(self, peer: str, chunk: int) -> bool:
        return (peer, chunk) in self._asked

    def watch(self, now: float) -> None:
        """There is a neighbour: something should come."""
        if not self._state.complete and self.check_at is None:
            self._progress_at = now
            self.check_at = now + IDLE_CHECK

    def lost(self, peer: str, now: float) -> list[int]:
        """The link to ``peer`` went down. Returns the chunks that are not coming in any more."""
        self._owed.pop(peer, None)
        gone = [chunk for chunk in self.inbound.from_peer(peer) if self._lose(chunk, peer)]
        self._offer_anew(bitfield.of(gone))
        self._give_credit(now)
        return gone

    def rerouted(self, n: Neighbour, lost: int, now: float) -> list[int]:
        """``n`` is not to bring ``lost`` by its route any more: what of it has not begun may come from
        somebody else. Returns the chunks that are not coming in any more."""
        gone = []
        for inbound in self.inbound.unbegun(n.id):
            if lost >> inbound.chunk & 1:
                self._state.send(n.id, wire.Cancel(inbound.chunk))
                if self._lose(inbound.chunk, n.id):
                    gone.append(inbound.chunk)
        self._offer_anew(bitfield.of(gone))
        self._give_credit(now)
        return gone

    # -- frames

    def offered(self, n: Neighbour, frame: wire.Offer, now: float) -> None:
        state, left, had, refused = self._state, frame.limit, False, -1
        why = wire.INFLIGHT
        if any(chunk >= state.chunks for chunk, _ in frame.others):
            state.fault(n, "offered chunks that do not exist")
            return
        for chunk, blocks in ((frame.chunk, frame.blocks), *frame.others):
            if state.have >> chunk & 1:
                had = True
                continue
            if not self._is_wanted(n, chunk, blocks, now):
                refused = chunk
                continue
            if not self._may_come(n, chunk, now):
                refused, why = chunk, wire.BUSY
                self._owed[n.id] = None
                break
            self._reserve(n, chunk, now)
            self._take(n, chunk, blocks)
            left -= 1
            if not left:
                break
        if had:
            state.tell_news(n)  # unless a HAVE that says so is on its way
        if left and refused >= 0:
            if why == wire.INFLIGHT and not self._awaited.may_offer(n, now):
                why = wire.BUSY  # until it has what no route brings
                self._owed[n.id] = None
            state.send(n.id, wire.Decline(refused, why))

    def _may_come(self, n: Neighbour, chunk: int, now: float) -> bool:
        """Whether there is room for ``chunk`` from ``n``."""
        if n.brings >> chunk & 1:
            return len(self.inbound.from_peer(n.id)) < PROMISED * self._state.bundle
        return (
            self._has_room(n, now) and not self._is_doubtful(n, now) and not self._has_its_share(n)
        )

    def _has_room(self, n: Neighbour, now: float) -> bool:
        """Whether there is room for something from ``n``. One that has never given anything finds some where
        others do not: if all the room is with slow ones, nobody could tell that they are."""
        if self.inbound.room(now):
            return True
        full = len(self.inbound) >= self.inbound.limit + self._state.bundle
        return not n.gave and not full and not self.inbound.from_peer(n.id)

    def _is_doubtful(self, n: Neighbour, now: float) -> bool:
        """Whether ``n`` has to send what it promised before it may promise more."""
        return now < n.distrusted_until or self.inbound.waits_for(n.id, now)

    def _has_its_share(self, n: Neighbour) -> bool:
        """Whether ``n`` holds all of the room but a bundle while others have something for us, too: were it
        slow, nothing would come from them, and nobody could tell that it is."""
        state = self._state
        share = self.inbound.limit - state.bundle if n.gave else (self.inbound.limit + 1) // 2
        if len(self.inbound.from_peer(n.id)) < max(1, share):
            return False
        missing = state.every & ~state.have & ~self.inbound.mask
        return any(o.has & missing for o in state.neighbours.values() if o is not n)

    def _is_wanted(self, n: Neighbour, chunk: int, blocks: int, now: float) -> bool:
        """Whether ``chunk`` may come from ``n``, which has so many of its blocks."""
        if self.inbound.comes(chunk, now) or self.inbound.expects(n.id, chunk):
            return False
        if n.edge.imports and self._is_near(chunk):
            return False
        if self._awaited.comes(n, chunk, now):
            return False
        # Whoever has no more of it than we do may be waiting for it in a circle that ends with us.
        return self._awaited.may_promise(n, chunk) or blocks > self._state.progress(chunk)

    def _take(self, n: Neighbour, chunk: int, blocks: int) -> None:
        """Accepts ``chunk``, or asks first which of its blocks are here."""
        if self._state.sifts(chunk):
            self._asked[n.id, chunk] = blocks
            self._state.send(n.id, wire.Ask(chunk))
        else:
            self._state.send(n.id, wire.Accept(*self._lacking(chunk)))

    def _lacking(self, chunk: int) -> tuple[int, int, int]:
        """What an ACCEPT or WANT of ``chunk`` says."""
        return chunk, self._state.progress(chunk), self._state.skips(chunk)

    def sifted(self, peer: str, chunk: int) -> None:
        """The leaves from ``peer`` came, and what of ``chunk`` was here already counts."""
        if not self.asked(peer, chunk):
            return  # it was given up before this was heard
        state, blocks = self._state, self._asked.pop((peer, chunk))
        ahead = self._awaited.may_promise(state.neighbours[peer], chunk)
        if blocks is not None and not ahead and blocks <= state.progress(chunk):
            self._lose(chunk, peer)  # see ``offered``
            state.send(peer, wire.Decline(chunk, wire.INFLIGHT))
            return
        if state.progress(chunk):
            state.partial |= 1 << chunk
            state.coming &= ~(1 << chunk)
        answer = wire.Want if blocks is None else wire.Accept
        state.send(peer, answer(*self._lacking(chunk)))

    def _is_near(self, chunk: int) -> bool:
        """Whether a neighbour in our rack has it: then it need not come through the rack's uplink again."""
        return any(n.local and n.has >> chunk & 1 for n in self._state.neighbours.values())

    def stopped(self, n: Neighbour, frame: wire.Stop, now: float) -> bool:
        """Whether the chunk is not coming in any more."""
        gone = self._lose(frame.chunk, n.id)
        if gone:
            self._offer_anew(1 << frame.chunk)
        self._give_credit(now)
        return gone

    # -- the store reports

    def stored(self, event: BlockStored, now: float) -> None:
        """A block was written; it may have made its chunk whole."""
        state, bit = self._state, 1 << event.chunk
        self._progress_at = now
        self._hungry = 0
        sender = state.neighbours.get(event.peer)
        if sender is not None:
            sender.broken = 0
        if not event.whole:
            state.coming &= ~bit
            if not self.inbound.progressed(event.chunk, event.peer, now):
                state.partial |= bit
            return
        state.partial &= ~bit
        state.coming &= ~bit
        state.have |= bit
        idle = self.inbound.idle_sources(event.chunk, now)
        others, took = self.inbound.finish(event.chunk, event.peer, now)
        self._asked.pop((event.peer, event.chunk), None)
        for other in others:
            self._asked.pop((other, event.chunk), None)
            late = state.neighbours[other]
            state.tell_news(late)  # or it would offer what it has sent in vain again
            state.send(other, wire.Cancel(event.chunk))
            if other in idle and not self._awaited.may_promise(late, event.chunk):
                self._broke(late, now)
        if sender is not None:
            sender.gave = took
            if sender.frugal and not sender.brings & bit:
                state.strays |= bit
        if state.complete:
            self.check_at = None
        elif self.check_at is not None and not state.every & ~state.have & ~self.inbound.mask:
            # All the rest is on its way: it is over when the slowest of it is.
            self.check_at = min(self.check_at, now + self._look_again())
        self._give_credit(now)

    def _broke(self, n: Neighbour, now: float) -> None:
        """``n`` let us wait for a chunk that another sent in the end, and sent nothing meanwhile."""
        n.broken += 1
        n.distrusted_until = now + DISTRUST * (1 << n.broken)
        if n.broken >= MAX_BROKEN:
            self._state.fault(n, f"promised {n.broken} chunks in a row and sent nothing of any")

    # -- time

    def drags(self, now: float) -> list[int]:
        """The chunks that have turned out to come slowly. They are passed on when they are whole: whoever we
        pass them on to would be as late with them, and taken for slow itself."""
        found = {i.chunk: i for i in self.inbound.late(now) if not i.slow}
        for inbound in found.values():
            inbound.slow = True
        self._state.partial &= ~bitfield.of(found)
        self._state.coming &= ~bitfield.of(found)
        self._offer_anew(bitfield.of(found))
        return list(found)

    def check(self, now: float) -> None:
        """A download that does not progress gives credit anew and asks outright (the endgame)."""
        # Ever less often: on a machine too busy to serve us, asking more would make it worse.
        self.check_at = now + IDLE_CHECK * min(8, 1 << self._hungry)
        state = self._state
        if not state.every & ~state.have & ~self.inbound.mask:
            self._hasten(now)
        idle = self.inbound.idle(now)
        self._offer_anew(bitfield.of({i.chunk for i in idle}))
        stalled = [*self.inbound.stalled(now), *idle]
        if not stalled and now - self._progress_at < IDLE_CHECK:
            return
        if len(self.inbound) == len({id(i) for i in stalled}):
            self._hungry += 1
            missing = state.every & ~state.have & ~self.inbound.mask
            for n in state.neighbours.values():
                if n.has & missing:
                    self._credit(n.id)
            self._ask(missing, now)
        alive = {i.chunk for i in self.inbound if i not in stalled}
        for inbound in sorted(stalled, key=lambda i: i.since):
            if inbound.chunk not in alive and self._ask(1 << inbound.chunk, now):
                return

    def _offer_anew(self, wanted: int) -> None:
        """Others were told that these chunks are in flight, and may send them after all."""
        for n in self._state.neighbours.values() if wanted else ():
            if n.has & wanted and not self.inbound.from_peer(n.id):
                self._credit(n.id)

    def _hasten(self, now: float) -> None:
        """All that is missing is on its way: asks another neighbour for what is late."""
        for inbound in self.inbound.late(now, at_end=True):
            if len(self.inbound.sources(inbound.chunk)) == 1:
                self._ask(1 << inbound.chunk, now)
        self.check_at = min(self.check_at or inf, now + self._look_again())

    def _look_again(self) -> float:
        """Seconds until what is on its way now, and is the last, is late."""
        return min(IDLE_CHECK, self.inbound.late_after(at_end=True))

    def _ask(self, wanted: int, now: float) -> bool:
        """WANT one of ``wanted`` from a neighbour that has it; the frugal origin comes last.

        False if there is none to ask.
        """
        state = self._state
        able = [
            n
            for n in state.neighbours.values()
            if n.greeted and n.has & wanted and not self.inbound.from_peer(n.id)
        ]
        able = [n for n in able if n.distrusted_until <= now] or able
        generous = [n for n in able if not n.frugal]
        if not generous and self._hungry < 2:
            return False
        able = generous or able
        if not able:
            return False
        n = able[int(state.rng.random() * len(able))]
        chunk = state.pick(state.availability.rarest(n.has & wanted))
        self._reserve(n, chunk, now)
        if state.sifts(chunk):
            self._asked[n.id, chunk] = None
            state.send(n.id, wire.Ask(chunk))
        else:
            state.send(n.id, wire.Want(*self._lacking(chunk)))
        return True

    def _reserve(self, n: Neighbour, chunk: int, now: float) -> None:
        slow = n.gave > self.inbound.late_after()
        ahead = self._awaited.may_promise(n, chunk)
        self._awaited.promised(n, chunk)
        self.inbound.reserve(chunk, n.id, now, slow=slow, ahead=ahead)
        if slow:
            return
        if self._state.progress(chunk):
            self._state.partial |= 1 << chunk
        elif ahead:
            self._state.coming |= 1 << chunk

    def _lose(self, chunk: int, peer: str) -> bool:
        """``peer`` will not send the rest of ``chunk``; True if then nobody does."""
        self._asked.pop((peer, chunk), None)
        if not self.inbound.release(chunk, peer) or self.inbound.mask >> chunk & 1:
            return False
        self._state.partial &= ~(1 << chunk)
        self._state.coming &= ~(1 << chunk)
        return True

    def _give_credit(self, now: float) -> None:
        """Room came free: tell as many of those we turned away as can use it, and one more."""
        state = self._state
        if state.complete or not self._owed:
            return
        room = self.inbound.room(now)
        if room:
            for peer in self._awaited.useful(self._owed, now)[: -(-room // state.bundle) + 1]:
                self._credit(peer)
        else:
            owed = [n for n in state.neighbours.values() if n.id in self._owed]
            untried = next((n for n in owed if self._has_room(n, now)), None)
            if untried is not None:
                self._credit(untried.id)

    def _credit(self, peer: str) -> None:
        self._owed.pop(peer, None)
        self._state.send(peer, wire.Credit())
