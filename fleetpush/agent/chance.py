"""Chance for an agent's choices."""

from __future__ import annotations

from fleetpush.lean.system import os


class Chance:
    """Random numbers without importing ``random``, which an agent's start-up would feel."""

    def __init__(self) -> None:
        self._numbers: list[int] = []

    def random(self) -> float:
        """Uniform in [0, 1)."""
        if not self._numbers:
            # Many at once: a system call for each number would be most of its cost.
            drawn = os.urandom(6 * 128)
            self._numbers = [int.from_bytes(drawn[i : i + 6], "big") for i in range(0, 768, 6)]
        return self._numbers.pop() / (1 << 48)
