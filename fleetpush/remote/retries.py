"""When a host that hung up or refused is worth another try."""

from __future__ import annotations

import random

# An sshd that is being restarted refuses for a moment; a closed port does so for ever.
_REFUSALS = 3
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 2.0


class Retries:
    """Pauses of random length, so that many hosts do not come back at once, until a time in seconds."""

    def __init__(self, until: float) -> None:
        self._until = until
        self._attempts = 0

    def pause(self, now: float, *, refused: bool) -> float | None:
        """Seconds to wait before the next try, None where none is worth it.

        ``refused``: nothing listens there, as opposed to an sshd that hangs up (MaxStartups).
        """
        self._attempts += 1
        if refused and self._attempts >= _REFUSALS:
            return None
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**self._attempts)
        pause = longest * random.uniform(0.5, 1)
        return None if now + pause > self._until else pause
