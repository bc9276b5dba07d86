"""A straight line through figures that were taken one after another, and how sure its slope is."""

from __future__ import annotations

from statistics import NormalDist, fmean, linear_regression, median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WARM_UP = 5
"""The first of so many parts of the runs does not count: it fills caches and pools."""

_TWO_SIDED_95 = NormalDist().inv_cdf(0.975)


def fit(figures: Sequence[float]) -> tuple[float, float]:
    """The slope a step by least squares, and half the width of its 95 % interval, for independent errors."""
    steps = range(len(figures))
    line = linear_regression(steps, figures)
    middle = fmean(steps)
    spread = sum((step - middle) ** 2 for step in steps)
    rest = sum(
        (figure - line.intercept - line.slope * step) ** 2
        for step, figure in zip(steps, figures, strict=True)
    )
    freedom = max(1, len(figures) - 2)
    return line.slope, _TWO_SIDED_95 * (rest / freedom / spread) ** 0.5


def line(name: str, figures: Sequence[float]) -> str:
    """One line of the report."""
    settled = figures[len(figures) // WARM_UP :]
    words = f"{name:20} first {figures[0]:10.0f}  last {figures[-1]:10.0f}  median {median(settled):10.0f}"
    if len(settled) < 3:
        return words
    slope, width = fit(settled)
    return f"{words}  slope {slope:+.3f} +- {width:.3f} a run over {len(settled)} runs"
