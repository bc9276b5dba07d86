"""Axes: where numbers and times come to lie, and which of them are written beside."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fleetpush.report.quantities import clock

_TIME_STEPS = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400),
)
_TIMES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Plot:
    """A rectangle for a chart inside a drawing of ``width`` by ``height``; ``top`` is the greatest value."""

    end: float
    top: float
    height: float
    left: float
    width: float = 1080.0
    right: float = 8.0
    above: float = 26.0
    below: float = 26.0

    def x(self, at: float) -> float:
        inside = self.width - self.left - self.right
        return round(self.left + (inside * at / self.end if self.end else 0.0), 1)

    def y(self, value: float) -> float:
        inside = self.height - self.above - self.below
        return round(self.height - self.below - (inside * value / self.top if self.top else 0.0), 1)


def ticks(top: float, most: int = 5) -> list[float]:
    """Round numbers from 0 to at most ``top``, at most ``most`` steps."""
    if top <= 0:
        return [0.0]
    raw = top / most
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(magnitude * n for n in (1, 2, 5, 10) if magnitude * n >= raw * 0.999999)
    return [step * n for n in range(int(top / step * 1.000001) + 1)]


def whole_ticks(top: int, most: int = 5) -> list[int]:
    """As ``ticks``, for what can only be counted; the last is ``top`` itself."""
    found = [round(tick) for tick in ticks(top, min(most, max(1, top)))]
    near = top / (2 * most)
    return [tick for tick in found if top - tick > near] + [top]


def time_ticks(end: float) -> list[tuple[float, str]]:
    """Moments to write below a chart, with what to write."""
    wanted = end / _TIMES_SHOWN
    step = next(
        (step for step in _TIME_STEPS if step >= wanted), 86400.0 * math.ceil(wanted / 86400)
    )
    return [(step * n, _moment(step * n, step)) for n in range(int(end / step * 1.000001) + 1)]


def _moment(at: float, step: float) -> str:
    if step >= 30:
        return clock(round(at))
    digits = 0 if step >= 1 else 1 if step >= 0.1 else 2
    return f"{at:.{digits}f}s"
