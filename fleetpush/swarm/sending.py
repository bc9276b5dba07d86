"""The sender's half of a peer: which offers are out, what is being streamed to whom."""

from __future__ import annotations

from fleetpush.swarm import bitfield, wire
from fleetpush.swarm.events import SendEnded, SendEnding, SendLeaves, StartSend, StopSend
from fleetpush.swarm.pace import Pace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetpush.swarm.lag import Lag
    from fleetpush.swarm.neighbour import Neighbour
    from fleetpush.swarm.picker import Policy
    from fleetpush.swarm.state import State


ANSWER_WITHIN = 2.0
"""Seconds: a neighbour that answers no offer for so long holds no upload slot."""

WATCH_WITHIN = 1.0
"""Seconds that an origin with nothing to hand out leaves it to others, until it looks how they do."""

STREAM_WITHIN = 20.0
STUCK_SEND_TIMES = 12
"""Nor one whose stream does not end in so many times the median of the last ones (in seconds while there
was none). It may be frozen, and its link can stand long after that."""

LATE_TIMES = 4
"""A stream is late after so many times that median: whoever it goes to is slow. It goes on, but holds no
upload slot, so that a few slow neighbours do not take all there are; and there is only one at a time."""

MIN_LATE = 0.5
"""Seconds: no stream is called late sooner (a busy machine schedules coarsely)."""

RECENT = 16


class Sender:
    """Whom to offer what is the ``policy``'s; the protocol of it is here."""

    def __init__(self, state: State, policy: Policy, lag: Lag) -> None:
        self.check_at: float | None = None
        """When to look for neighbours that are stuck."""
        self._state = state
        self._policy = policy
        self._recent: list[float] = []
        self._pace = Pace(state.slots, state.bundle)
        self._lag = lag
        self._owed: dict[int, dict[str, None]] = {}
        """Who asked for the leaves of a chunk of which nothing is here yet."""

    def fill_slots(self) -> None:
        """Offers as long as an upload slot is free and somebody wants something."""
        state = self._state
        mine, used, anyone = state.mine, 0, False
        late_after = state.late_after
        for n in state.neighbours.values():
            if n.started:
                if not (n.stuck or n.is_late(late_after, state.now)):
                    used += n.busy
            elif (n.held or n.asked) and not n.stuck:
                used += n.busy
            anyone = anyone or (n.greeted and n.credit and bool(mine & ~n.has))
        if not anyone:
            return
        slots = self._policy.slots(state)
        # Half a bundle at least: an offer and its answer are worth more than one small chunk.
        least = max(1, state.bundle // 2)
        while slots - used >= least:
            offer = self._policy.next_offer(state, slots - used)
            if offer is None:
                if self._policy.watches and self.check_at is None:
                    self.check_at = state.now + WATCH_WITHIN
                return
            n, chunks, limit = offer
            if not n.busy:
                n.moved_at = state.now
            n.offered = bitfield.of(chunks)
            n.held = limit
            n.offered_at = state.now
            used += limit
            first, *others = [(chunk, state.progress(chunk)) for chunk in chunks]
            state.send(n.id, wire.Offer(*first, tuple(others), limit))
            self._check_later()

    def lost(self, n: Neighbour) -> None:
        """The link to ``n`` went down (it is no neighbour any more)."""
        self._lag.forget(n.id)
        for chunk in bitfield.chunks(n.sending):
            self._state.out.append(StopSend(n.id, chunk))
        self._policy.lost(self._state, n)

    def rerouted(self, n: Neighbour) -> None:
        """The plan gave the edge to ``n`` another flow."""
        self._lag.forget(n.id)
        self.fill_slots()

    def held(self, mask: int) -> None:
        self._policy.held(mask)

    def inherited(self, mask: int) -> None:
        self._policy.inherited(mask & self._state.have)
        self.fill_slots()

    def withdraw(self, chunk: int) -> None:
        """``chunk`` is not coming in any more: whoever we pass it on to must look elsewhere."""
        owed = self._owed.pop(chunk, ())
        for n in self._state.neighbours.values():
            n.withdraw(1 << chunk)
            if n.sending >> chunk & 1:
                self._stop(n, chunk)
                self._state.send(n.id, wire.Stop(chunk))
            elif n.id in owed:
                self._state.send(n.id, wire.Stop(chunk))

    # -- frames

    def has_now(self, n: Neighbour, mask: int) -> None:
        held = n.held, n.asked
        self._state.now_has(n, mask)
        if held != (n.held, n.asked):  # else it freed no slot, and wants less than before
            self._answered(n)
            self.fill_slots()

    def asked(self, n: Neighbour, frame: wire.Ask) -> None:
        """Leaves first. What was offered is taken; what of it is wanted comes later."""
        state, bit = self._state, 1 << frame.chunk
        self._answered(n)
        offered = n.offered & bit
        n.take(bit)
        if state.mine & bit:
            n.asked |= offered
            if state.have & bit or state.progress(frame.chunk):
                state.out.append(SendLeaves(n.id, frame.chunk))
            else:
                self._owed.setdefault(frame.chunk, {})[n.id] = None
        else:
            state.send(n.id, wire.Stop(frame.chunk))
        self.fill_slots()

    def begun(self, chunk: int) -> None:
        """A block of ``chunk`` is here, and so are its leaves."""
        for peer in self._owed.pop(chunk, ()):
            if peer in self._state.neighbours:
                self._state.out.append(SendLeaves(peer, chunk))

    def accepted(self, n: Neighbour, frame: wire.Accept) -> None:
        bit = 1 << frame.chunk
        self._answered(n)
        if not (n.offered | n.asked) & bit:
            # The offer was withdrawn by a Have that crossed it: nothing will come.
            self._state.send(n.id, wire.Stop(frame.chunk))
            return
        n.take(bit)
        n.asked &= ~bit
        self._start(n, frame)
        if not n.held:
            self.fill_slots()

    def wanted(self, n: Neighbour, frame: wire.Want) -> None:
        state, bit = self._state, 1 << frame.chunk
        n.withdraw(bit)
        self._moved(n)
        if n.sending & bit:
            return
        if state.mine & bit and bitfield.count(n.sending) <= state.slots:
            self._policy.asked(n, frame.chunk)
            self._start(n, frame)
        else:
            state.send(n.id, wire.Stop(frame.chunk))

    def declined(self, n: Neighbour, frame: wire.Decline) -> None:
        self._answered(n)
        if frame.why == wire.BUSY:
            n.credit = False
        bit = 1 << frame.chunk
        if n.asked & bit:
            n.asked ^= bit
            n.refused |= bit
        elif n.offered & bit:  # else it was withdrawn in the meantime
            if frame.why != wire.BUSY:
                n.refused |= n.offered
            n.offered = n.held = 0
        self.fill_slots()

    def credited(self, n: Neighbour, frame: wire.Credit) -> None:
        self._moved(n)
        n.credit = True
        n.refused = 0
        self.fill_slots()

    def cancelled(self, n: Neighbour, frame: wire.Cancel) -> None:
        self._moved(n)
        bit = 1 << frame.chunk
        if n.sending & bit:
            self._stop(n, frame.chunk)
        elif n.sent & bit and not n.has & bit:
            # All of it had left before we heard, and may have been thrown away.
            n.sent ^= bit
            n.refused &= ~bit
            self._policy.returned(frame.chunk)
        self.fill_slots()

    # -- streams

    def ending(self, event: SendEnding) -> None:
        """The slot is free for the next offer while the last block goes out."""
        n = self._state.neighbours.get(event.peer)
        if n is not None:
            n.ending |= n.sending & 1 << event.chunk
            self._moved(n)
            self.fill_slots()

    def ended(self, event: SendEnded) -> None:
        n = self._state.neighbours.get(event.peer)
        if n is not None:
            bit = 1 << event.chunk
            n.sending &= ~bit
            n.ending &= ~bit
            n.took = self._state.now - n.started.pop(event.chunk)
            self._recent.append(n.took)
            del self._recent[:-RECENT]
            self._state.late_after = max(MIN_LATE, LATE_TIMES * self._usual())
            self._pace.ended(self._state.now)
            self._state.slots = self._pace.slots
            self._moved(n)
            n.sent |= bit
            # Until its HAVE comes it would look as if it still lacked the chunk. Its slot has been free
            # since the last block began to go out: nothing new can be offered now.
            n.refused |= bit
            if n.route:
                self._lag.look(self._state)

    def _start(self, n: Neighbour, wanted: wire.Accept | wire.Want) -> None:
        n.sending |= 1 << wanted.chunk
        n.started[wanted.chunk] = self._state.now
        self._check_later()
        self._state.out.append(StartSend(n.id, wanted.chunk, wanted.block, wanted.skip))

    def _stop(self, n: Neighbour, chunk: int) -> None:
        n.sending &= ~(1 << chunk)
        n.ending &= ~(1 << chunk)
        del n.started[chunk]
        self._state.out.append(StopSend(n.id, chunk))

    # -- time

    def _check_later(self) -> None:
        if self.check_at is None:
            self.check_at = self._state.now + ANSWER_WITHIN

    def check(self) -> None:
        """Takes the slots back from neighbours that neither answer nor take anything."""
        state = self._state
        self.check_at = None
        within = STREAM_WITHIN
        if self._recent:
            within = max(ANSWER_WITHIN, STUCK_SEND_TIMES * self._usual())
        for n in state.neighbours.values():
            if not n.busy:
                if n.stuck:
                    self._moved(n)  # what it was stuck with was withdrawn
            else:
                self._check_later()
                limit = within if n.sending else ANSWER_WITHIN
                if not n.stuck and state.now - n.moved_at >= limit:
                    n.stuck = True
                    n.credit = False
        self._lag.look(state)
        if self._policy.look(state):
            self._check_later()
        self.fill_slots()

    def _usual(self) -> float:
        """The median of the last streams' times."""
        return sorted(self._recent)[len(self._recent) // 2]

    def _answered(self, n: Neighbour) -> None:
        """``n`` said something that an offer is answered with."""
        if n.offered_at is not None:
            self._pace.answered(self._state.now - n.offered_at)
            n.offered_at = None
        self._moved(n)

    def _moved(self, n: Neighbour) -> None:
        """``n`` answered, or took what we sent."""
        n.moved_at = self._state.now
        if n.stuck:
            n.stuck = False
            n.credit = True
