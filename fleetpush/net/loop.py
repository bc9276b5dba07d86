"""The agent's event loop: readiness, timers and calls from other threads.

Not asyncio: importing it doubles an agent's start-up time and its per-connection buffers would multiply
an agent's memory; a thousand agents must fit one test machine.
"""

from __future__ import annotations

import select
from math import ceil
from time import monotonic

from fleetpush.lean.compiled import deque, heappop, heappush
from fleetpush.lean.sockets import socket
from fleetpush.lean.threads import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

READ = 1
WRITE = 4
"""What poll and epoll call them, too; whatever else they report (an error, a hang-up) is for both."""

SHORTEST = 0.002
"""Seconds: a pause that is shorter gathers too little to be worth the waking that ends it."""


class Timer:
    """A call to come; ``cancel`` it if it is no longer wanted."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class Loop:
    """Runs callbacks one after another in the thread that calls ``run``."""

    def __init__(self) -> None:
        self._poller = _epoll() or _Poll()
        self._wanted: dict[int, tuple[int, Callable[[int], None]]] = {}
        """Mask and callback by descriptor."""
        self._timers: list[tuple[float, int, Timer]] = []
        """When, and in which order they were asked for."""
        self._asked_for = 0
        self._soon: deque[Callable[[], None]] = deque()
        self._running = False
        self._thread = 0
        self.slept = 0.0
        """Seconds in which there was nothing to do, or nothing that could not wait."""
        self.pauses: list[Callable[[], float]] = []
        """Each is asked before a look at the descriptors for how many seconds what they may have can wait.
        The loop sleeps for the least of these: to wake, with the caches full of what others did meanwhile,
        costs more than most of what it is woken for."""
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self.register(self._wake_out.fileno(), READ, self._woken)

    now = staticmethod(monotonic)
    """Seconds on a clock that never goes back."""

    def register(self, fd: int, mask: int, callback: Callable[[int], None]) -> None:
        """Calls ``callback(ready mask)`` whenever ``fd`` is ready for what ``mask`` names."""
        self._poller.register(fd, mask)
        self._wanted[fd] = mask, callback

    def modify(self, fd: int, mask: int, callback: Callable[[int], None]) -> None:
        self._poller.modify(fd, mask)
        self._wanted[fd] = mask, callback

    def unregister(self, fd: int) -> None:
        self._poller.unregister(fd)
        del self._wanted[fd]

    def call_at(self, at: float, call: Callable[[], None]) -> Timer:
        timer = Timer(call)
        self._asked_for += 1
        heappush(self._timers, (at, self._asked_for, timer))
        return timer

    def call_later(self, delay: float, call: Callable[[], None]) -> Timer:
        return self.call_at(monotonic() + delay, call)

    def call_soon(self, call: Callable[[], None]) -> None:
        """From any thread; runs in the loop's."""
        self._soon.append(call)
        if get_ident() != self._thread:
            try:
                self._wake_in.send(b"\0")
            except BlockingIOError:
                pass  # a full pipe wakes the loop as well
            except OSError:
                pass  # the loop has ended and its sockets are closed: nobody is left to run the call

    def stop(self) -> None:
        self._running = False

    def run(self) -> None:
        """Until ``stop``."""
        self._thread = get_ident()
        self._running = True
        wanted = self._wanted
        while self._running:
            lay_down = monotonic()
            if self.pauses and not self._soon:
                self._pause(lay_down)
            found = self._poller.poll(self._timeout(monotonic()))
            now = monotonic()
            self.slept += now - lay_down
            for fd, ready, (mask, callback) in [(fd, r, wanted[fd]) for fd, r in found]:
                current = wanted.get(fd)
                # An earlier callback of this round may have closed it, or given its number to another.
                if current is not None and current[1] == callback:
                    callback(mask if ready & ~(READ | WRITE) else ready & mask)
            if self._timers and self._timers[0][0] <= now:
                self._run_timers(now)
            for _ in range(len(self._soon)):
                self._soon.popleft()()

    def close(self) -> None:
        self._poller.close()
        self._wake_in.close()
        self._wake_out.close()

    def _pause(self, now: float) -> None:
        """Lets things gather, but makes no timer late. Calls from other threads wait, too."""
        seconds = min(pause() for pause in self.pauses)
        if self._timers:
            seconds = min(seconds, self._timers[0][0] - now)
        if seconds >= SHORTEST:
            # Not time.sleep: that is until a moment of the clock, which may be another's by then.
            select.select([], [], [], seconds)

    def _timeout(self, now: float) -> float | None:
        if self._soon:
            return 0
        timers = self._timers
        while timers and timers[0][2].call is None:
            heappop(timers)
        if not timers:
            return None
        return max(0.0, timers[0][0] - now)

    def _run_timers(self, now: float) -> None:
        while self._timers and self._timers[0][0] <= now:
            call = heappop(self._timers)[2].call
            if call is not None:
                call()

    def _woken(self, mask: int) -> None:
        try:
            while self._wake_out.recv(4096):
                pass
        except BlockingIOError:
            pass


class _Poll:
    """``select.poll`` with the timeout of ``select.epoll``, for systems without that."""

    def __init__(self) -> None:
        poll = select.poll()
        self.register, self.modify, self.unregister = poll.register, poll.modify, poll.unregister
        self._poll = poll.poll

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        """Descriptors and what they are ready for; ``timeout`` in seconds."""
        return self._poll(None if timeout is None else ceil(timeout * 1000))

    def close(self) -> None:
        """There is nothing to close."""


def _epoll() -> select.epoll | None:
    return select.epoll() if hasattr(select, "epoll") else None
