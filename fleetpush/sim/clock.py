"""Virtual time: what is to happen, in order."""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Call = Callable[[Any, Any], None]


class Clock:
    """``now`` in seconds. What falls on one moment happens in the order in which it was asked for."""

    __slots__ = ("_heap", "_stopped", "_ticket", "happened", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self.happened = 0
        """How many calls were made."""
        self._stopped = False
        self._ticket = count()
        self._heap: list[tuple[float, int, Call, Any, Any]] = []

    def at(self, when: float, call: Call, one: Any = None, other: Any = None) -> None:  # noqa: ANN401
        """Calls ``call(one, other)`` at ``when``: bound methods and two arguments cost less than closures."""
        heapq.heappush(self._heap, (when, next(self._ticket), call, one, other))

    def stop(self) -> None:
        """``run`` returns after the present call."""
        self._stopped = True

    def run(self, until: float) -> None:
        """Until it is stopped, nothing is left to happen, or the time is ``until``."""
        heap, pop = self._heap, heapq.heappop
        happened = 0
        while heap and not self._stopped:
            when, _, call, one, other = pop(heap)
            if when > until:
                break
            self.now = when
            happened += 1
            call(one, other)
        self.happened += happened
