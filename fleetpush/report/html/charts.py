"""Completion and throughput over time, as SVG that takes its colours from the page."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from markupsafe import Markup

from fleetpush.report.html import palette
from fleetpush.report.html.columns import COLUMNS, State
from fleetpush.report.html.scale import Plot, ticks, time_ticks, whole_ticks
from fleetpush.report.quantities import duration, percent, rate, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fleetpush.deploy.results import RunReport
    from fleetpush.report.html.columns import Columns

_SLICES = 80


def completion(columns: Columns, report: RunReport, left: float) -> Markup:
    """Hosts by what they were doing, those that are done at the bottom; a line for the bytes."""
    total = len(columns.hosts)
    plot = Plot(columns.end, total, height=300, left=left)
    marks = [(plot.y(value), f"{value:,}") for value in whole_ticks(total)]
    parts = [*_grid(plot, marks), *_layers(columns, plot)]
    if columns.size and total:
        points = zip(columns.times, columns.bytes_done, strict=True)
        # The share of all bytes, on the scale of all hosts.
        line = _path((plot.x(at), plot.y(done / columns.size)) for at, done in points)
        parts += [Markup('<path class="{}" d="{}"/>').format(c, line) for c in ("casing", "bytes")]
    parts += [*_makespan(plot, report, columns.end), *_slices(plot, columns)]
    return _drawing(plot, parts, "Hosts by what they were doing, over time")


def throughput(columns: Columns, report: RunReport, left: float) -> Markup:
    """What all hosts together received, and a line where the average over the makespan is."""
    rates = columns.rates
    plot = Plot(columns.end, max(rates, default=0.0) * 1.08, height=220, left=left, above=12)
    marks = [(plot.y(value), _short(rate(value))) for value in ticks(plot.top, 4)]
    points = [(plot.x(at), plot.y(value)) for at, value in zip(columns.times, rates, strict=True)]
    line = _path([(plot.x(0), plot.y(0)), *points])
    floor = f"L{plot.x(columns.end)},{plot.y(0)} L{plot.x(0)},{plot.y(0)}Z"
    parts = [
        *_grid(plot, marks),
        Markup('<path class="area" d="{}"/>').format(f"{line} {floor}"),
        Markup('<path class="rate" d="{}"/>').format(line),
        *_mean(plot, mean_rate(columns, report)),
        *_slices(plot, columns),
    ]
    return _drawing(plot, parts, "Bytes a second that arrived at all hosts, over time")


def _layers(columns: Columns, plot: Plot) -> Iterator[Markup]:
    below = [0] * COLUMNS
    for state in State:
        above = [base + counts[state] for base, counts in zip(below, columns.counts, strict=True)]
        if above != below:
            upper = list(zip(columns.times, above, strict=True))
            lower = list(zip(columns.times, below, strict=True))
            corners = [(0.0, upper[0][1]), *upper, *reversed(lower), (0.0, lower[0][1])]
            outline = _path((plot.x(at), plot.y(value)) for at, value in corners)
            yield Markup('<path class="layer" style="fill:var(--{})" d="{}Z"/>').format(
                palette.WORDS[state], outline
            )
        below = above


def _makespan(plot: Plot, report: RunReport, end: float) -> Iterator[Markup]:
    """A bracket above: first byte to last host verified; a line where the bound is over."""
    makespan = report.timing.makespan_s
    last = max((r.verified_at_s or 0.0 for r in report.results if r.status.good), default=0.0)
    if not makespan or not last:
        return
    first, last = max(0.0, last - makespan), min(last, end)
    x0, x1 = plot.x(first), plot.x(last)
    yield Markup('<path class="bracket" d="M{0},{2} V{3} H{1} V{2}"/>').format(x0, x1, 24, 18)
    words = f"makespan {duration(makespan)}"
    if report.timing.bound_s and first + report.timing.bound_s <= end:
        words += f", bound {duration(report.timing.bound_s)}"
        yield Markup('<line class="bound" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(
            plot.x(first + report.timing.bound_s), 18, plot.height - plot.below
        )
    room = 7.2 * len(words)
    centre = min(max((x0 + x1) / 2, plot.left + room / 2), plot.width - plot.right - room / 2)
    yield Markup('<text class="strong" x="{:.1f}" y="13" text-anchor="middle">{}</text>').format(
        centre, words
    )


def mean_rate(columns: Columns, report: RunReport) -> float | None:
    """What arrived at all hosts together, on the average of the makespan; None where that says nothing."""
    makespan = report.timing.makespan_s
    step = columns.end / COLUMNS
    # A makespan of few columns is a matter of rounding.
    if not makespan or makespan < 5 * step:
        return None
    return sum(columns.rates) * step / makespan


def _mean(plot: Plot, mean: float | None) -> Iterator[Markup]:
    if mean is not None and mean <= plot.top:
        y = plot.y(mean)
        yield Markup('<line class="mean" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
            plot.left, plot.width - plot.right, y, y
        )


def _grid(plot: Plot, marks: Sequence[tuple[float, str]]) -> Iterator[Markup]:
    for y, text in marks:
        yield Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
            plot.left, plot.width - plot.right, y, y
        )
        yield Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(
            plot.left - 8, y + 4, text
        )
    bottom = plot.height - plot.below
    for at, text in time_ticks(plot.end):
        yield Markup('<line class="tick" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(
            plot.x(at), bottom, bottom + 4
        )
        yield Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(
            plot.x(at), bottom + 18, text
        )


def _slices(plot: Plot, columns: Columns) -> Iterator[Markup]:
    """Invisible, with the figures of their moment for whoever points at them."""
    each = COLUMNS // _SLICES
    everything = columns.size * len(columns.hosts)
    for first in range(0, COLUMNS, each):
        at = columns.times[first + each - 1]
        counts = columns.counts[first + each - 1]
        states = [f"{counts[state]:,} {palette.WORDS[state]}" for state in State if counts[state]]
        done = columns.bytes_done[first + each - 1]
        lines = [duration(at), *states, f"{size(done)} ({percent(done, everything)})"]
        lines.append(rate(sum(columns.rates[first : first + each]) / each))
        x0 = plot.x(columns.times[first] - columns.end / COLUMNS)
        yield Markup(
            '<rect class="strip" x="{}" y="{}" width="{:.1f}" height="{}"><title>{}</title></rect>'
        ).format(
            x0, plot.above, plot.x(at) - x0, plot.height - plot.above - plot.below, "\n".join(lines)
        )


def _path(points: Iterable[tuple[float, float]]) -> str:
    """A line through the points; what lies on a level line is left out."""
    kept: list[tuple[float, float]] = []
    for point in points:
        if len(kept) > 1 and kept[-2][1] == kept[-1][1] == point[1] and _onward(kept, point):
            kept.pop()
        kept.append(point)
    words = [f"M{kept[0][0]:g},{kept[0][1]:g}"] if kept else []
    words += [f"L{b[0]:g},{b[1]:g}" for a, b in pairwise(kept) if a != b]
    return " ".join(words)


def _onward(kept: Sequence[tuple[float, float]], point: tuple[float, float]) -> bool:
    """Whether the line does not turn back at the last point."""
    return (kept[-1][0] - kept[-2][0]) * (point[0] - kept[-1][0]) >= 0


def _drawing(plot: Plot, parts: Iterable[Markup], label: str) -> Markup:
    return Markup('<svg viewBox="0 0 {:g} {:g}" role="img" aria-label="{}">{}</svg>').format(
        plot.width, plot.height, label, Markup("").join(parts)
    )


def _short(text: str) -> str:
    return text.replace(".0 ", " ")
