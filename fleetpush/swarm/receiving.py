"""The receiver's half of a peer: which offers it takes, what is reserved, what has stalled."""

from __future__ import annotations

from fleetpush.swarm import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MIN_STALL = 0.6
"""Seconds: a transfer is never called stalled sooner (a busy machine schedules coarsely)."""

STALL_CHUNK_TIMES = 12
RECENT = 16


class Inbound:
    """One chunk that one neighbour is sending us, or has been told it may send."""

    __slots__ = ("chunk", "peer", "progress_at", "since")

    def __init__(self, chunk: int, peer: str, now: float) -> None:
        self.chunk = chunk
        self.peer = peer
        self.since = now
        self.progress_at = now


class Reservations:
    """What is on its way to us. A chunk normally has one source, in the endgame two."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        """R: inbound chunks at once."""
        self.mask = 0
        self._sources: dict[int, list[Inbound]] = {}
        self._recent: list[float] = []

    def __iter__(self) -> Iterator[Inbound]:
        for sources in self._sources.values():
            yield from sources

    def __len__(self) -> int:
        return sum(len(sources) for sources in self._sources.values())

    def expects(self, peer: str, chunk: int) -> bool:
        return any(i.peer == peer for i in self._sources.get(chunk, ()))

    def sources(self, chunk: int) -> list[str]:
        return [i.peer for i in self._sources.get(chunk, ())]

    def from_peer(self, peer: str) -> list[int]:
        return [i.chunk for i in self if i.peer == peer]

    def reserve(self, chunk: int, peer: str, now: float) -> None:
        self._sources.setdefault(chunk, []).append(Inbound(chunk, peer, now))
        self.mask |= 1 << chunk

    def release(self, chunk: int, peer: str) -> bool:
        """True if ``peer`` was a source of ``chunk``."""
        sources = self._sources.get(chunk, [])
        kept = [i for i in sources if i.peer != peer]
        if len(kept) == len(sources):
            return False
        if kept:
            self._sources[chunk] = kept
        else:
            del self._sources[chunk]
            self.mask &= ~(1 << chunk)
        return True

    def progressed(self, chunk: int, peer: str, now: float) -> None:
        for inbound in self._sources.get(chunk, ()):
            if inbound.peer == peer:
                inbound.progress_at = now

    def finish(self, chunk: int, peer: str, now: float) -> list[str]:
        """``chunk`` is whole, thanks to ``peer``; returns the other sources, now released."""
        sources = self._sources.pop(chunk, [])
        self.mask &= ~(1 << chunk)
        for inbound in sources:
            if inbound.peer == peer:
                self._recent.append(now - inbound.since)
                del self._recent[:-RECENT]
        return [i.peer for i in sources if i.peer != peer]

    def chunk_time(self) -> float:
        """Median seconds of the last transfers, never under 50 ms."""
        if not self._recent:
            return 0.05
        return max(0.05, sorted(self._recent)[len(self._recent) // 2])

    def stall_after(self) -> float:
        return max(MIN_STALL, STALL_CHUNK_TIMES * self.chunk_time())

    def stalled(self, now: float) -> list[Inbound]:
        limit = now - self.stall_after()
        return [i for i in self if i.progress_at < limit]

    def room(self, now: float) -> int:
        """How many more offers to accept: stalled transfers do not count, up to twice the limit."""
        total = len(self)
        if total < self.limit:
            return self.limit - total
        return max(0, min(self.limit - (total - len(self.stalled(now))), 2 * self.limit - total))

    def answer(self, chunk: int, have: int, now: float) -> int | None:
        """Why an offer of ``chunk`` is declined (see ``wire``), or None to accept it."""
        if have >> chunk & 1:
            return wire.HAVE
        if self.mask >> chunk & 1:
            return wire.INFLIGHT
        if not self.room(now):
            return wire.BUSY
        return None
