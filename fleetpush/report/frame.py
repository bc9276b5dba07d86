"""One frame of the live view: every line of it fits, whatever the terminal and the fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from fleetpush.report import header, sections
from fleetpush.report.cells import UNICODE, Cell, Glyphs, cell_of, grid, hosts_per_cell
from fleetpush.report.quantities import hosts
from fleetpush.report.sanitise import clean

if TYPE_CHECKING:
    from fleetpush.report.state import RunState

NOTICE_SHOWN = 15.0
"""Seconds that a notice stays on the screen."""

_BELOW = 5
"""Lines kept free below the picture: two slow hosts and a failure with its message."""

_SLOWEST = 9
_FAILURES = 14


def frame(
    state: RunState, now: float, width: int, height: int, glyphs: Glyphs = UNICODE
) -> list[Text]:
    """At most ``height - 1`` lines of at most ``width`` characters; the cursor needs the last line."""
    room = max(1, height - 1)
    cells = [cell_of(host, now) for host in state.hosts.values()]
    top = head(state, now, width, glyphs)
    note = _notice(state, now)
    legend_rows = 2 if room > 6 else 1
    legend = header.legend(cells, width, legend_rows, glyphs)
    left = max(0, room - len(top) - len(legend) - len(note))
    lines = [*top, *legend, *_body(state, now, cells, width, rows=left, glyphs=glyphs), *note][
        :room
    ]
    for line in lines:
        line.no_wrap = True
        line.truncate(width, overflow="ellipsis" if glyphs is UNICODE else "crop")
    return lines


def head(state: RunState, now: float, width: int, glyphs: Glyphs = UNICODE) -> list[Text]:
    """The two lines that are left on the screen when the run is over."""
    return [
        header.title(state, now, width, glyphs),
        header.progress(state, now, width, glyphs),
    ]


def _body(
    state: RunState, now: float, cells: list[Cell], width: int, *, rows: int, glyphs: Glyphs
) -> list[Text]:
    table = sections.host_table(state, now, width, rows, glyphs)
    if table is not None:
        spare = rows - len(table)
        return table + _spaced(
            sections.failures(state.failures, width, min(spare - 1, _FAILURES), glyphs), spare
        )
    wanted = -(-len(cells) // max(1, width))
    grid_rows = max(1, min(wanted, rows - min(_BELOW, rows // 2)))
    picture = grid(cells, width, grid_rows, glyphs)
    together = hosts_per_cell(len(cells), width, grid_rows)
    if together > 1:
        picture.append(Text(f"each cell: {hosts(together)}, the worst one shown", "dim"))
    return picture + _lower(state, now, width, rows - len(picture), glyphs)


def _lower(state: RunState, now: float, width: int, rows: int, glyphs: Glyphs) -> list[Text]:
    """Failures get what they need, up to half; the slowest hosts the rest."""
    spacing = 2 if rows >= 12 else 0
    usable = rows - spacing
    some = sections.failure_rows(state.failures, width, min(_FAILURES, max(3, usable // 2)))
    slow = sections.slowest(state, now, min(_SLOWEST, usable - some), glyphs)
    failed = sections.failures(state.failures, width, min(_FAILURES, usable - len(slow)), glyphs)
    if not spacing:
        return slow + failed
    return _spaced(slow, rows) + _spaced(failed, rows)


def _spaced(section: list[Text], rows: int) -> list[Text]:
    return [Text(""), *section] if section and len(section) < rows else section


def _notice(state: RunState, now: float) -> list[Text]:
    """The newest notice, while it is new; a warning outlives an item of information."""
    fresh = [n for n in state.notices if now - n.at <= NOTICE_SHOWN]
    if not fresh:
        return []
    rank = {"info": 0, "warning": 1, "error": 2}
    newest = max(fresh, key=lambda n: (rank[n.level], n.at))
    style = {"info": "", "warning": "yellow", "error": "bold red"}[newest.level]
    where = f"{clean(newest.host)}: " if newest.host else ""
    level = "" if newest.level == "info" else f"{newest.level}: "
    return [Text(f"{level}{where}{clean(newest.message)}", style, no_wrap=True)]
