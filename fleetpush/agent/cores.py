"""No core file of an agent that stays: its memory holds the run's key. What it starts may leave one as ever.

An agent of one exchange starts nothing, and the shell that starts it sees to this.
"""

from __future__ import annotations

import resource
import threading
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_found = resource.getrlimit(resource.RLIMIT_CORE)
_lock = threading.Lock()


def forbid() -> None:
    """From now on this process leaves none."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, _found[1]))


@contextmanager
def allowed() -> Iterator[None]:
    """What is started within has the limit that this process was started with."""
    with _lock:
        now = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, _found)
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_CORE, now)
