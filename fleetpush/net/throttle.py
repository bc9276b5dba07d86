"""Rate limits: a token bucket that may go into debt, so that whole blocks pass and the mean rate holds."""

from __future__ import annotations

BURST = 0.05
"""Seconds of rate that may be saved up while nothing is sent."""


class Throttle:
    """``rate`` in bytes a second; None is no limit."""

    __slots__ = ("_at", "_credit", "rate")

    def __init__(self, rate: float | None) -> None:
        self.rate = rate
        self._credit = 0.0
        self._at: float | None = None

    def delay(self, now: float) -> float:
        """Seconds until something may pass; 0 if it may now."""
        if self.rate is None:
            return 0.0
        if self._at is None:
            self._at = now
        self._credit = min(self.rate * BURST, self._credit + (now - self._at) * self.rate)
        self._at = now
        return 0.0 if self._credit >= 0 else -self._credit / self.rate

    def change(self, rate: float, now: float) -> None:
        """Another rate from now on; what was earned so far was earned at the old one."""
        self.delay(now)
        self.rate = rate

    def spend(self, count: int) -> None:
        """``count`` bytes passed."""
        if self.rate is not None:
            self._credit -= count
