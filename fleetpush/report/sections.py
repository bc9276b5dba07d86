"""The lower part of the live view: the slowest hosts, the failures, or one line a host."""

from __future__ import annotations

from heapq import nsmallest
from itertools import islice
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from fleetpush.deploy.progress import HostPhase
from fleetpush.report.cells import Cell, Glyphs, cell_of, style_of
from fleetpush.report.quantities import duration, percent, rate
from fleetpush.report.sanitise import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fleetpush.report.failures import FailureGroup, FailureGroups
    from fleetpush.report.state import HostView, RunState

_NAME_WIDTH = 24
_STATUS_WORD = {
    Cell.PRESENT: "already there",
    Cell.VERIFIED: "verified",
    Cell.VERIFYING: "verifying",
}


def slowest(state: RunState, now: float, rows: int, glyphs: Glyphs) -> list[Text]:
    """A heading and the receiving hosts that are furthest behind; nothing while nobody receives."""
    if rows < 2 or not state.phases[HostPhase.EXCHANGING]:
        return []
    receiving = (h for h in state.hosts.values() if h.phase is HostPhase.EXCHANGING)
    worst = nsmallest(
        rows - 1, receiving, key=lambda h: (not h.stalled(now), h.bytes_done, h.rate_in)
    )
    width = _name_width(h.name for h in worst)
    lines = [_host_line(host, now, width, 0, glyphs) for host in worst]
    return [Text("slowest", "bold", no_wrap=True), *lines]


def _name_width(names: Iterable[str]) -> int:
    return min(_NAME_WIDTH, max((cell_len(clean(name)) for name in names), default=0))


def host_table(
    state: RunState, now: float, width: int, rows: int, glyphs: Glyphs
) -> list[Text] | None:
    """One line a host with its own bar, when all of them fit; else None."""
    if not 0 < len(state.hosts) <= rows:
        return None
    names = _name_width(state.hosts)
    bar = max(0, min(30, width - names - 46))
    return [_host_line(host, now, names, bar, glyphs) for host in state.hosts.values()]


def _host_line(host: HostView, now: float, names: int, bar: int, glyphs: Glyphs) -> Text:
    cell = cell_of(host, now)
    style = style_of(cell)
    line = Text(no_wrap=True)
    line.append(glyphs.cells[cell], style)
    line.append(f" {set_cell_size(clean(host.name), names)} ")
    if bar:
        full = bar if host.status and host.status.good else int(bar * host.fraction)
        line.append(glyphs.full * full, style)
        line.append(glyphs.empty * (bar - full), "dim")
        line.append(" ")
    _host_words(line, host, cell, now)
    return line


def _host_words(line: Text, host: HostView, cell: Cell, now: float) -> None:
    if host.lost:
        line.append(clean(host.slug), style_of(cell))
        line.append(f" {clean(host.message)}")
    elif cell in _STATUS_WORD:
        line.append(f"100%  {_STATUS_WORD[cell]}")
    elif host.phase is not HostPhase.EXCHANGING:
        line.append(f"  0%  {host.phase.value}", "dim")
    else:
        line.append(f"{percent(host.bytes_done, host.bytes_total):>4}  {rate(host.rate_in):>10}")
        left = host.time_left(now)
        line.append(f"  {duration(left) + ' left' if left is not None else '':<11}")
        line.append(f"  {_why(host, now)}", "yellow")


def _why(host: HostView, now: float) -> str:
    reason = clean(host.reason)
    if not host.stalled(now):
        return reason
    stalled = f"no data for {duration(now - host.moved_at)}"
    return f"{stalled}: {reason}" if reason else stalled


def failures(groups: FailureGroups, width: int, rows: int, glyphs: Glyphs) -> list[Text]:
    """A heading and the newest groups, each on one line if that holds it, else on two."""
    if rows < 2 or not len(groups):
        return []
    lines = [Text(groups.headline(), "bold red", no_wrap=True)]
    for group in islice(groups.newest(), rows):
        wanted = _group_lines(group, width, glyphs)
        # Where the message has no room any more, who failed and the slug still have.
        lines += wanted[: rows - len(lines)]
        if len(lines) >= rows:
            break
    return lines


def failure_rows(groups: FailureGroups, width: int, limit: int) -> int:
    """Lines that ``failures`` could use, at most ``limit``."""
    if not len(groups):
        return 0
    wide = sum(len(_one_line(g)) + 2 > width for g in islice(groups.newest(), limit))
    return min(limit, 1 + len(groups) + wide)


def _one_line(group: FailureGroup) -> str:
    return f"{group.folded()}  {group.slug}: {group.sentence()}"


def _group_lines(group: FailureGroup, width: int, glyphs: Glyphs) -> list[Text]:
    cell = Cell.UNREACHABLE if group.unreachable else Cell.FAILED
    mark = (glyphs.cells[cell], style_of(cell))
    slug = (group.slug, style_of(cell))
    if cell_len(_one_line(group)) + 2 <= width:
        parts = (mark, f" {group.folded()}  ", slug, f": {group.sentence()}")
        return [Text.assemble(*parts, no_wrap=True)]
    first = Text.assemble(mark, " ", slug, f"  {group.folded()}", no_wrap=True)
    return [first, Text(f"  {group.sentence()}", no_wrap=True)]
