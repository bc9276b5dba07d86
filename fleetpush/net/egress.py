"""When a peer may send: what it has sent must not pile up on its own machine, nor exceed its rate limit.

Sockets take far more than the line carries away, and every frame to anybody then waits behind it: an offer
and its answer take longer than the chunk that they are about. So a block is handed to the kernel only while
less waits there than the line carries in ``DEPTH``; until then it stays in the store, and its turn may go to
a neighbour that asks first. What is on the line, or in queues beyond this machine, does not count: nobody's
frames but that link's own wait behind it.
"""

from __future__ import annotations

from fleetpush.lean.compiled import deque
from fleetpush.net.throttle import Throttle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Way(Protocol):
        """A link, as far as this is concerned."""

        def queued(self) -> int:
            """Bytes that wait in this machine's queues; 0 where that cannot be known."""


DEPTH = 0.07
"""Seconds. Less, and the line runs dry in the longest pause, or on a machine that is busy."""

LEAST = 128 * 1024
"""Bytes that may always wait: one block goes out while the next is read."""

WINDOW = 0.5
"""Seconds over which the line's rate is taken, from samples ``SAMPLE`` apart."""

SAMPLE = 0.02

REFILL = 64 * 1024
"""Bytes that go out before the next look: a wake-up for less would cost more than it moves."""

REMEMBERED = 0.95
"""The line's best rate counts so much of itself a ``SAMPLE`` later: what leaves an idle line says nothing of
what it could carry, and what a line carried long ago little."""

REMEMBERED_LONG = 0.995
"""The same for telling how long anything can wait: a slow neighbour may leave the line idle for seconds."""

GATHERED, GATHERED_AHEAD = 96 * 1024, 192 * 1024
"""Bytes that the line carries away in a pause: about as much comes meanwhile, on lines that are alike. To
wake for each block costs more than what is to be done for it; to wait for more makes each hop take longer,
and twice so where nothing moves before an offer has got its answer."""

LONGEST_PAUSE = 0.05
"""Seconds."""

SOONEST, LATEST = 0.001, 0.02
"""Seconds from one look in vain to the next. On a fast line ``DEPTH`` of it carries it over the longest."""

LONGEST_WAIT = 1.0
"""Seconds, while the line's rate is not known."""


class _Recent:
    """What was sent on one link lately, by halves: what is older has left the line, and waits at the far end
    of it, where nobody else's frames do."""

    __slots__ = ("before", "now", "since")

    def __init__(self, now: float) -> None:
        self.since = now
        self.now = self.before = 0

    def add(self, count: int, now: float, longest: float) -> None:
        self._turn(now, longest)
        self.now += count

    def count(self, now: float, longest: float) -> int:
        """Bytes sent in the last ``longest`` seconds, or up to twice as long ago."""
        self._turn(now, longest)
        return self.now + self.before

    def _turn(self, now: float, longest: float) -> None:
        if now - self.since >= longest:
            self.before = self.now if now - self.since < 2 * longest else 0
            self.now, self.since = 0, now


class Egress:
    """Of one peer, over all its links. ``limit``: bytes a second, None for no limit."""

    def __init__(self, limit: float | None) -> None:
        self._throttle = Throttle(limit)
        self._ways: dict[Way, _Recent] = {}
        """Those that may have something waiting."""
        self._sent = 0
        self._most = 0
        """No more than this can be waiting: what was at the last look, and what was sent since."""
        self._left: deque[tuple[float, int]] = deque()
        """When, and how many bytes had left the machine."""
        self._rate = 0.0
        self._best = 0.0
        """The rate of the line when it was busy last."""
        self._usual = 0.0
        """The same, as it was for some time."""
        self._holds = False
        """Something waited at the last look: it is the line that sets the pace, and not who fills it."""
        self._look_at = 0.0

    def sent(self, way: Way, count: int, now: float) -> None:
        """``count`` bytes more are on ``way``."""
        self._throttle.spend(count)
        self._sent += count
        self._most += count
        recent = self._ways.get(way)
        if recent is None:
            recent = self._ways[way] = _Recent(now)
        recent.add(count, now, self._longest())

    def pause(self, *, ahead: bool) -> float:
        """Seconds for which what comes can wait; ``ahead``: it was promised long before it comes. None where
        it is not the line that sets the pace."""
        if not self._holds:
            return 0.0
        return min(LONGEST_PAUSE, (GATHERED_AHEAD if ahead else GATHERED) / self._best)

    def limit(self, rate: float, now: float) -> None:
        """Another limit from now on."""
        self._throttle.change(rate, now)

    def delay(self, now: float) -> float:
        """Seconds until the next block may go; 0 if it may now."""
        return self._throttle.delay(now) or self._until_room(now)

    def _until_room(self, now: float) -> float:
        if now < self._look_at:
            return self._look_at - now
        if self._most < LEAST or self._most < self._rate * DEPTH:
            return 0.0
        waiting = self._most = self._waiting(now)
        self._measure(now, self._sent - waiting)
        self._holds = bool(self._best) and waiting > 0
        excess = waiting - max(LEAST, self._rate * DEPTH)
        if excess < 0:
            return 0.0
        until = (excess + REFILL) / self._rate if self._rate > 0 else 0.0
        wait = max(SOONEST, min(LATEST, until))
        self._look_at = now + wait
        return wait

    def _longest(self) -> float:
        """Seconds for which anything can wait on this line, if it is this line that it waits for."""
        return 2 * max(DEPTH, LEAST / self._usual) if self._usual else LONGEST_WAIT

    def _waiting(self, now: float) -> int:
        total, longest = 0, self._longest()
        for way, recent in list(self._ways.items()):
            queued = way.queued()
            total += min(queued, recent.count(now, longest))
            if not queued:
                del self._ways[way]
        return total

    def _measure(self, now: float, left: int) -> None:
        """So many bytes had left by ``now``."""
        samples = self._left
        if samples and now - samples[-1][0] < SAMPLE:
            return
        samples.append((now, left))
        while len(samples) > 2 and now - samples[1][0] >= WINDOW:
            samples.popleft()
        since, before = samples[0]
        if now > since:
            self._rate = (left - before) / (now - since)
            self._best = max(self._rate, REMEMBERED * self._best)
            self._usual = max(self._rate, REMEMBERED_LONG * self._usual)
