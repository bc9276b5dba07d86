"""One character a host: what its cell shows, and a grid of them that always fits its place."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from rich.text import Text

from fleetpush.deploy.progress import HostPhase
from fleetpush.deploy.results import HostStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fleetpush.report.state import HostView


class Cell(IntEnum):
    """What a cell can say; where several hosts share a cell, the greatest is shown."""

    PRESENT = 1
    VERIFIED = 2
    VERIFYING = 3
    RECEIVING_5 = 4
    RECEIVING_4 = 5
    RECEIVING_3 = 6
    RECEIVING_2 = 7
    RECEIVING_1 = 8
    RECEIVING_0 = 9
    PREPARING = 10
    CONNECTING = 11
    WAITING = 12
    STALLED = 13
    UNREACHABLE = 14
    FAILED = 15


LEVELS = 6
"""Steps of a receiving host's cell; a full block is kept for hosts that have proved everything."""

# Each has its own glyph, so that the picture reads the same without colours.
_UNICODE = dict(zip(Cell, "▓█▒▆▅▄▃▂▁+∘·?!X", strict=True))
_ASCII = dict(zip(Cell, "=#v654321+c.?!X", strict=True))

STYLE: dict[Cell, str] = {
    Cell.PRESENT: "green",
    Cell.VERIFIED: "green",
    Cell.VERIFYING: "cyan",
    Cell.PREPARING: "blue",
    Cell.CONNECTING: "blue",
    Cell.WAITING: "dim",
    Cell.STALLED: "bold yellow",
    Cell.UNREACHABLE: "bold magenta",
    Cell.FAILED: "bold red",
}
RECEIVING_STYLE = "cyan"


class Glyphs(NamedTuple):
    """The characters the view is drawn with."""

    cells: dict[Cell, str]
    full: str
    empty: str
    arrow: str
    dot: str


UNICODE = Glyphs(_UNICODE, "━", "╌", "→", "·")
ASCII = Glyphs(_ASCII, "=", "-", "->", "|")

_BY_PHASE = {
    HostPhase.WAITING: Cell.WAITING,
    HostPhase.CONNECTING: Cell.CONNECTING,
    HostPhase.BOOTSTRAPPING: Cell.PREPARING,
    HostPhase.SCANNING: Cell.PREPARING,
    HostPhase.VERIFYING: Cell.VERIFYING,
    HostPhase.DONE: Cell.VERIFYING,
}
_BY_STATUS = {
    HostStatus.VERIFIED: Cell.VERIFIED,
    HostStatus.ALREADY_PRESENT: Cell.PRESENT,
    HostStatus.FAILED: Cell.FAILED,
    HostStatus.UNREACHABLE: Cell.UNREACHABLE,
}


def cell_of(host: HostView, now: float) -> Cell:
    """What one host's cell says at ``now``."""
    if host.status is not None:
        return _BY_STATUS[host.status]
    if host.phase is not HostPhase.EXCHANGING:
        return _BY_PHASE[host.phase]
    if host.stalled(now):
        return Cell.STALLED
    level = min(LEVELS - 1, int(host.fraction * LEVELS))
    return Cell(Cell.RECEIVING_0 - level)


def style_of(cell: Cell) -> str:
    return STYLE.get(cell, RECEIVING_STYLE)


def hosts_per_cell(hosts: int, width: int, rows: int) -> int:
    """The least number of hosts that must share a cell for all to fit."""
    return max(1, -(-hosts // max(1, width * rows)))


def grid(cells: Sequence[Cell], width: int, rows: int, glyphs: Glyphs) -> list[Text]:
    """At most ``rows`` lines of at most ``width`` characters, in the order of the inventory."""
    together = hosts_per_cell(len(cells), width, rows)
    shown = [max(cells[at : at + together]) for at in range(0, len(cells), together)]
    return [_line(shown[at : at + width], glyphs) for at in range(0, len(shown), width)]


def _line(cells: Iterable[Cell], glyphs: Glyphs) -> Text:
    line = Text(no_wrap=True)
    run, style = "", ""
    for cell in cells:
        wanted = style_of(cell)
        if wanted != style and run:
            line.append(run, style)
            run = ""
        style = wanted
        run += glyphs.cells[cell]
    line.append(run, style)
    return line
