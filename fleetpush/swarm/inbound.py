"""What is on its way to a peer: from whom, since when, and what of it can be expected to come."""

from __future__ import annotations

from math import inf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MIN_STALL = 0.6
"""Seconds: a transfer is never called stalled sooner (a busy machine schedules coarsely)."""

STALL_CHUNK_TIMES = 12
LATE_CHUNK_TIMES = 4
"""What takes so many times the usual comes from a slow neighbour: it takes no room that others need."""

IDLE_CHUNK_TIMES = 2
"""Within so many times the usual something of a chunk comes, or of another one from the same neighbour."""

MIN_LATE = 0.25
"""Seconds: nor late sooner than this."""

MIN_LATE_AT_END = 0.02
"""Seconds: once nothing else is missing, what takes longer than the median, and than this, is late.
It alone is waited for; half of the last few come twice at worst."""

RECENT = 16


class Inbound:
    """One chunk that one neighbour is sending us, or has been told it may send. ``slow``: as the one before,
    or it is late itself; ``begun``: some of it came; ``ahead``: it was promised before its turn came, and its
    time counts from there on."""

    __slots__ = ("ahead", "begun", "chunk", "peer", "progress_at", "since", "slow")

    def __init__(self, chunk: int, peer: str, now: float, *, slow: bool, ahead: bool) -> None:
        self.slow = slow
        self.ahead = ahead
        self.chunk = chunk
        self.peer = peer
        self.since = now
        self.progress_at = now
        self.begun = False


class Reservations:
    """What is on its way to us. A chunk normally has one source, in the endgame two."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        """R: inbound chunks at once."""
        self.mask = 0
        self._fed_at: dict[str, float] = {}
        """When something last came from each."""
        self._sources: dict[int, dict[str, Inbound]] = {}
        """By chunk and neighbour."""
        self._promised: dict[str, dict[int, Inbound]] = {}
        """The same by neighbour and chunk."""
        self._count = 0
        self._recent: list[float] = []
        self._took: dict[str, float] = {}
        """The seconds of each neighbour's last one, latest last."""
        self._brisk = 0.0
        """Their lower quartile: who is slow counts once, however much of what comes is its own."""
        self.usual = 0.0
        """The median of the last transfers' seconds; 0 before there was one."""

    def __iter__(self) -> Iterator[Inbound]:
        for sources in self._sources.values():
            yield from sources.values()

    def __len__(self) -> int:
        return self._count

    def expects(self, peer: str, chunk: int) -> bool:
        return peer in self._sources.get(chunk, ())

    def sources(self, chunk: int) -> list[str]:
        return list(self._sources.get(chunk, ()))

    def from_peer(self, peer: str) -> list[int]:
        return list(self._promised.get(peer, ()))

    def unbegun(self, peer: str) -> list[Inbound]:
        """What ``peer`` promised ahead, and nothing of it has come."""
        return [i for i in self._promised.get(peer, {}).values() if i.ahead and not i.begun]

    def reserve(
        self, chunk: int, peer: str, now: float, *, slow: bool = False, ahead: bool = False
    ) -> None:
        """``peer`` is no source of ``chunk`` yet."""
        inbound = Inbound(chunk, peer, now, slow=slow, ahead=ahead)
        self._sources.setdefault(chunk, {})[peer] = inbound
        self._promised.setdefault(peer, {})[chunk] = inbound
        self._count += 1
        self.mask |= 1 << chunk

    def release(self, chunk: int, peer: str) -> bool:
        """True if ``peer`` was a source of ``chunk``."""
        sources = self._sources.get(chunk, {})
        if sources.pop(peer, None) is None:
            return False
        self._forget(chunk, peer)
        if not sources:
            del self._sources[chunk]
            self.mask &= ~(1 << chunk)
        return True

    def _forget(self, chunk: int, peer: str) -> None:
        self._count -= 1
        promised = self._promised[peer]
        del promised[chunk]
        if not promised:
            del self._promised[peer]

    def progressed(self, chunk: int, peer: str, now: float) -> bool:
        """A block of it came. Whether it comes slowly."""
        inbound = self._sources.get(chunk, {}).get(peer)
        if inbound is not None:
            self._begin(inbound)
            inbound.progress_at = now
        self._fed_at[peer] = now
        return inbound is not None and inbound.slow

    def _begin(self, inbound: Inbound) -> None:
        """The first of it came: its turn was when the last of another chunk did."""
        if inbound.ahead and not inbound.begun:
            inbound.since = max(inbound.since, self._fed_at.get(inbound.peer, 0.0))
        inbound.begun = True

    def _has_turn(self, inbound: Inbound) -> bool:
        """Whether it is its own source's fault that it is not here."""
        return inbound.begun or not inbound.ahead

    def _is_late(self, inbound: Inbound, limit: float) -> bool:
        return inbound.slow or (inbound.since <= limit and self._has_turn(inbound))

    def finish(self, chunk: int, peer: str, now: float) -> tuple[list[str], float]:
        """``chunk`` is whole, thanks to ``peer``; returns the other sources, now released, and its time."""
        sources = self._sources.pop(chunk, {})
        self.mask &= ~(1 << chunk)
        for source in sources:
            self._forget(chunk, source)
        inbound = sources.pop(peer, None)
        took = 0.0
        if inbound is not None:
            self._begin(inbound)
            took = now - inbound.since
            self._measure(peer, took)
        self._fed_at[peer] = now
        return list(sources), took

    def _measure(self, peer: str, took: float) -> None:
        """A chunk from ``peer`` took so many seconds."""
        self._recent.append(took)
        del self._recent[:-RECENT]
        self.usual = sorted(self._recent)[len(self._recent) // 2]
        self._took.pop(peer, None)
        self._took[peer] = took
        if len(self._took) > RECENT:
            del self._took[next(iter(self._took))]
        self._brisk = sorted(self._took.values())[len(self._took) // 4]

    def chunk_time(self) -> float:
        """Median seconds of the last transfers, never under 50 ms."""
        return max(0.05, self.usual)

    def late_after(self, *, at_end: bool = False) -> float:
        """Seconds after which a transfer is late; without end before there was one. ``at_end``: when nothing
        else is missing."""
        if not self._recent:
            return inf
        if at_end:
            return max(MIN_LATE_AT_END, self.usual)
        return max(MIN_LATE, LATE_CHUNK_TIMES * self._brisk)

    def late(self, now: float, *, at_end: bool = False) -> list[Inbound]:
        """Those that take so long, and those that can be expected to."""
        limit = now - self.late_after()
        # What was promised ahead may wait for its source's own source.
        hasty = now - self.late_after(at_end=True) if at_end else limit
        return [i for i in self if self._is_late(i, limit if i.ahead else hasty)]

    def stall_after(self) -> float:
        return max(MIN_STALL, STALL_CHUNK_TIMES * self.chunk_time())

    def stalled(self, now: float) -> list[Inbound]:
        limit = now - self.stall_after()
        return [i for i in self if i.progress_at < limit and self._has_turn(i)]

    def is_idle(self, inbound: Inbound, now: float) -> bool:
        """Whether its source has sent nothing of it for longer than it should, and nothing else either."""
        if inbound.begun or now - inbound.since <= MIN_STALL:
            return False
        waited = now - max(inbound.since, self._fed_at.get(inbound.peer, 0.0))
        return waited > max(MIN_STALL, IDLE_CHUNK_TIMES * self.chunk_time())

    def idle(self, now: float) -> list[Inbound]:
        return [i for i in self if self.is_idle(i, now)]

    def idle_sources(self, chunk: int, now: float) -> list[str]:
        return [peer for peer, i in self._sources.get(chunk, {}).items() if self.is_idle(i, now)]

    def comes(self, chunk: int, now: float) -> bool:
        """Whether somebody can be expected to send ``chunk`` in good time."""
        sources = self._sources.get(chunk)
        if not sources:
            return False
        limit = now - self.late_after()
        return not all(
            self.is_idle(i, now) or (i.slow and i.since <= limit) for i in sources.values()
        )

    def waits_for(self, peer: str, now: float) -> bool:
        """Whether ``peer`` is late with something, or has sent nothing of it."""
        promised = self._promised.get(peer)
        if not promised:
            return False
        limit = now - self.late_after()
        return any(self._is_late(i, limit) or self.is_idle(i, now) for i in promised.values())

    def room(self, now: float) -> int:
        """How many more offers to accept: stalled and late ones do not count, up to twice the limit.

        Of what never began nothing is expected any more: it takes no room at all.
        """
        total = len(self)
        if total < self.limit:
            return self.limit - total
        begun = [i for i in self if not self.is_idle(i, now)]
        total = len(begun)
        idle = {id(i) for i in (*self.stalled(now), *self.late(now))}
        busy = sum(id(i) not in idle for i in begun)
        return max(0, min(self.limit - busy, 2 * self.limit - total))
