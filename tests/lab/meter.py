"""What each cable of a fleet carries while something runs, from moment to moment."""

from __future__ import annotations

import threading
import time
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Self

    from tests.lab.links import Carried
    from tests.lab.rated import RatedFleet

EVERY = 0.2


class Reading(NamedTuple):
    """``at`` by ``time.monotonic``: it was read between ``at`` and ``until``."""

    at: float
    until: float
    carried: dict[str, Carried]

    @property
    def middle(self) -> float:
        return (self.at + self.until) / 2


class Span(NamedTuple):
    """``count`` bytes within ``seconds``."""

    count: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.count / self.seconds


class Meter(threading.Thread):
    """``with Meter(fleet) as meter``: its readings, from before the block until after it."""

    def __init__(self, fleet: RatedFleet) -> None:
        super().__init__(daemon=True)
        self.readings: list[Reading] = []
        self._fleet = fleet
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        self._read()
        self.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._ended.set()
        self.join()
        self._read()

    def run(self) -> None:
        while not self._ended.wait(EVERY):
            self._read()

    def _read(self) -> None:
        at = time.monotonic()
        carried = self._fleet.carried()
        self.readings.append(Reading(at, time.monotonic(), carried))

    def spans(self, name: str, way: str) -> Iterator[Span]:
        """What went over a cable between any two readings; ``way``: sent or received. No shorter than it was:
        whoever is said to keep below a rate did so."""
        for first, last in combinations(self.readings, 2):
            yield _span(first, last, name, way)

    def whole(self, name: str, way: str) -> Span:
        """From the first reading to the last."""
        return _span(self.readings[0], self.readings[-1], name, way)

    def steady(self, name: str, way: str, parts: tuple[float, float] = (0.1, 0.9)) -> Span | None:
        """From when ``parts[0]`` of all bytes had gone until ``parts[1]`` had; None for too few readings."""
        counts = [getattr(reading.carried[name], way) for reading in self.readings]
        low, high = (counts[0] + part * (counts[-1] - counts[0]) for part in parts)
        within = [i for i, count in enumerate(counts) if low <= count <= high]
        if len(within) < 3:
            return None
        first, last = within[0], within[-1]
        return Span(counts[last] - counts[first], self.readings[last].at - self.readings[first].at)


def _span(first: Reading, last: Reading, name: str, way: str) -> Span:
    count = getattr(last.carried[name], way) - getattr(first.carried[name], way)
    return Span(count, last.until - first.at)
