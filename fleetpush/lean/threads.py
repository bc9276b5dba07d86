"""Threads and what goes between them, over the documented ``_thread``.

``threading`` and ``queue`` take ``functools``, ``collections`` and ``heapq`` to import. Where ``threading``
comes in later it takes these threads for what they are: somebody else's, that nobody waits for.
"""

from __future__ import annotations

from _thread import allocate_lock as Lock  # noqa: N812 - as threading has it
from _thread import get_ident, stack_size, start_new_thread

from fleetpush.lean.compiled import deque
from fleetpush.lean.suppress import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["Lock", "Queue", "get_ident", "stack_size", "start"]


def start(run: Callable[[], None]) -> None:
    """Calls ``run`` in a thread of its own, which ends with the process at the latest.

    Raises RuntimeError where the system gives no thread.
    """
    start_new_thread(run, ())


class Queue:
    """From any threads to one that takes."""

    __slots__ = ("_bell", "_items")

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._bell = Lock()
        """Open if something may have come since it was last looked for."""
        self._bell.acquire()

    def put(self, item: object, *, rings: bool = True) -> None:
        """Never blocks. What does not ring waits for what does, or for ``ring``."""
        self._items.append(item)
        if rings:
            self.ring()

    def ring(self) -> None:
        """Whatever waits is taken now; from any thread."""
        if self._items:
            with suppress(RuntimeError):  # it is open already
                self._bell.release()

    def take(self, timeout: float = -1) -> list[Any]:
        """All that is there, in order; none if for ``timeout`` seconds (-1: ever) nothing came."""
        while not self._items and self._bell.acquire(timeout=timeout):
            pass
        return [self._items.popleft() for _ in range(len(self._items))]
