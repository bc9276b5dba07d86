"""The heat map: time from left to right, a row for each host or for a few, the worst of them shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from fleetpush.inventory.nodeset import fold
from fleetpush.report.html import palette, png
from fleetpush.report.html.columns import COLUMNS
from fleetpush.report.html.scale import Plot, time_ticks
from fleetpush.report.quantities import duration, hosts
from fleetpush.report.sanitise import clean, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fleetpush.report.html.columns import Columns, HostColumns

ROWS = 500
"""More are not drawn: a row would be thinner than a pixel."""

_ROW_HEIGHT = 18.0
_HEIGHT = 500.0
_LABELS_EVERY = 20.0
_NAME_SHOWN = 22
_NAME_WIDTH = 6.6
_STRIPS = 60


@dataclass(frozen=True, slots=True)
class HeatMap:
    """``light`` and ``dark`` are the picture, ``drawing`` what is written around and over it."""

    light: str
    dark: str
    drawing: Markup
    plot: Plot
    together: int
    """Hosts that share a row."""


def heat_map(columns: Columns) -> HeatMap:
    rows = _rows(columns)
    pixels = [_row(row) for row in rows]
    height = min(_ROW_HEIGHT, _HEIGHT / max(1, len(rows))) * len(rows)
    plot = Plot(columns.end, len(rows), height=height + 32, left=margin(columns), above=6)
    light, dark = (
        png.data_uri(pixels, [palette.rgb(colour) for colour in palette.pixels(is_dark)])
        for is_dark in (False, True)
    )
    parts = [*_times(plot), *_names(plot, rows), *_gaps(plot, len(rows)), *_strips(plot, rows)]
    return HeatMap(light, dark, Markup("").join(parts), plot, len(rows[0]) if rows else 1)


def margin(columns: Columns) -> float:
    """Room for the names at the left. Every chart has the same, so that moments stand above each other."""
    longest = max((len(_name(row)) for row in _rows(columns)), default=0)
    return max(76.0, 14 + _NAME_WIDTH * longest)


def _rows(columns: Columns) -> list[Sequence[HostColumns]]:
    together = max(1, -(-len(columns.hosts) // ROWS))
    return [columns.hosts[at : at + together] for at in range(0, len(columns.hosts), together)]


def _row(row: Sequence[HostColumns]) -> bytes:
    return bytes(
        max(palette.pixel(host.states[column], host.fractions[column]) for host in row)
        for column in range(COLUMNS)
    )


def _name(row: Sequence[HostColumns]) -> str:
    return shorten(clean(row[0].host.name), _NAME_SHOWN)


def _times(plot: Plot) -> Iterator[Markup]:
    bottom = plot.height - plot.below
    for at, text in time_ticks(plot.end):
        yield Markup('<line class="tick" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(
            plot.x(at), bottom, bottom + 4
        )
        yield Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(
            plot.x(at), bottom + 18, text
        )


def _names(plot: Plot, rows: Sequence[Sequence[HostColumns]]) -> Iterator[Markup]:
    height = (plot.height - plot.above - plot.below) / max(1, len(rows))
    every = max(1, round(_LABELS_EVERY / height)) if height < _ROW_HEIGHT * 0.7 else 1
    for at in range(0, len(rows), every):
        middle = plot.above + height * (at + 0.5)
        yield Markup('<text x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(
            plot.left - 8, middle + 4, _name(rows[at])
        )


def _gaps(plot: Plot, rows: int) -> Iterator[Markup]:
    """Between rows that are high enough to be told apart."""
    height = (plot.height - plot.above - plot.below) / max(1, rows)
    if height < _ROW_HEIGHT * 0.5:
        return
    for row in range(1, rows):
        yield Markup('<line class="gap" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(
            plot.left, plot.width - plot.right, *[plot.above + height * row] * 2
        )


def _strips(plot: Plot, rows: Sequence[Sequence[HostColumns]]) -> Iterator[Markup]:
    """Invisible, with what they cover in words for whoever points at them."""
    height = (plot.height - plot.above - plot.below) / max(1, len(rows))
    each = max(1, -(-len(rows) // _STRIPS))
    for at in range(0, len(rows), each):
        covered = [host for row in rows[at : at + each] for host in row]
        yield Markup(
            '<rect class="strip" x="{}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>'
        ).format(
            plot.left,
            plot.above + height * at,
            plot.width - plot.left - plot.right,
            height * len(rows[at : at + each]),
            _words(covered),
        )


def _words(covered: Sequence[HostColumns]) -> str:
    if len(covered) == 1:
        host = covered[0].host
        how = host.status.value.replace("_", " ") if host.status else "no last word"
        when = f" after {duration(host.ended)}" if host.ended is not None else ""
        why = f": {host.slug}: {host.message}" if host.slug else ""
        return clean(f"{host.name}: {how}{when}{why}")
    good = [host.host for host in covered if host.host.status and host.host.status.good]
    last = max((host.ended or 0.0 for host in good), default=0.0)
    names = shorten(clean(fold([host.host.name for host in covered])), 80)
    done = f"{len(good):,} of {hosts(len(covered))} done"
    return f"{names}: {done}" + (f", the last after {duration(last)}" if good else "")
