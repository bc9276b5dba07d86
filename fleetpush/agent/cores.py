"""No core file of an agent that stays: its memory holds the run's key. What it starts may leave one as ever.

An agent of one exchange starts nothing, and the shell that starts it sees to this.
"""

from __future__ import annotations

import resource

from fleetpush.lean.threads import Lock

_found = resource.getrlimit(resource.RLIMIT_CORE)
_lock = Lock()


def forbid() -> None:
    """From now on this process leaves none."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, _found[1]))


class allowed:  # noqa: N801 - a word before a block
    """What is started within has the limit that this process was started with."""

    __slots__ = ("_now",)

    def __enter__(self) -> None:
        _lock.acquire()
        try:
            self._now = resource.getrlimit(resource.RLIMIT_CORE)
            resource.setrlimit(resource.RLIMIT_CORE, _found)
        except BaseException:
            _lock.release()
            raise

    def __exit__(self, *problem: object) -> None:
        try:
            resource.setrlimit(resource.RLIMIT_CORE, self._now)
        finally:
            _lock.release()
