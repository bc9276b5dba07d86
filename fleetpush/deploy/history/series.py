"""A value over time in a bounded number of points, however long it goes on."""

from __future__ import annotations

from array import array
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Series:
    """At most ``limit`` points and the latest one. When they are full, every second one goes."""

    __slots__ = ("_last", "_limit", "_points", "_step")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._points = array("d")
        """Time and value, time and value: half of what pairs of objects would take."""
        self._step = 0.0
        self._last: tuple[float, float] | None = None

    def add(self, at: float, value: float) -> None:
        """``at`` in seconds, never before the point that was added last."""
        self._last = (at, value)
        if self._points and at - self._points[-2] < self._step:
            return
        self._points.extend(self._last)
        if len(self._points) >= 2 * self._limit:
            self._thin()

    def _thin(self) -> None:
        kept = array("d")
        for at in range(0, len(self._points), 4):
            kept.extend(self._points[at : at + 2])
        span = self._points[-2] - self._points[0]
        self._step = max(2 * self._step, 2 * span / self._limit)
        self._points = kept

    def points(self) -> list[tuple[float, float]]:
        """In the order of time, the latest one last."""
        values = self._points
        found = list(zip(values[::2], values[1::2], strict=True))
        if self._last is not None and found[-1][0] < self._last[0]:
            found.append(self._last)
        return found

    def as_json(self) -> list[list[int]]:
        """Milliseconds and whole values, each as its difference to the one before."""
        points = self.points()
        times = [round(at * 1000) for at, _ in points]
        return [_differences(times), _differences([round(value) for _, value in points])]

    @classmethod
    def from_json(cls, document: Sequence[Sequence[int]], limit: int) -> Series:
        """Raises ValueError or TypeError for what ``as_json`` never wrote."""
        series = cls(limit)
        times, values = (list(accumulate(part)) for part in document)
        if times:
            pairs = zip((at / 1000 for at in times), values, strict=True)
            series._points = array("d", [number for pair in pairs for number in pair])
            series._last = (series._points[-2], series._points[-1])
        return series


def _differences(numbers: Iterable[int]) -> list[int]:
    found, before = [], 0
    for number in numbers:
        found.append(number - before)
        before = number
    return found
