"""The top of the live view: what goes where, how far it is, and what the cells mean."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from rich.text import Text

from fleetpush.deploy.progress import HostPhase
from fleetpush.report.cells import LEVELS, Cell, Glyphs, style_of
from fleetpush.report.quantities import clock, duration, hosts, percent, rate, size
from fleetpush.report.sanitise import clean, shorten
from fleetpush.report.state import RunPhase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleetpush.report.state import RunState

_RUN_ID = 12
"""Characters of the run's id that tell it from any other; plain output and the recap have all."""

_WORDS = {
    Cell.VERIFIED: "verified",
    Cell.PRESENT: "already there",
    Cell.VERIFYING: "verifying",
    Cell.RECEIVING_2: "receiving",
    Cell.PREPARING: "preparing",
    Cell.CONNECTING: "connecting",
    Cell.WAITING: "waiting",
    Cell.STALLED: "stalled",
    Cell.UNREACHABLE: "unreachable",
    Cell.FAILED: "failed",
}


def title(state: RunState, now: float, width: int, glyphs: Glyphs) -> Text:
    """``model.pt 5.0 GB → 1,000 hosts · mesh · run 1a2b        0:12``."""
    facts = []
    if state.started is not None:
        facts = [state.started.topology, *([] if state.started.encrypt else ["NOT ENCRYPTED"])]
        facts.append(f"run {clean(state.started.run_id)[:_RUN_ID]}")
    source = f" {size(state.source.size)}" if state.source else ""
    target = f"{source} {glyphs.arrow} {hosts(len(state.hosts))}"
    tail = "".join(f" {glyphs.dot} {fact}" for fact in facts)
    right = clock(now)
    room = width - len(right) - 1
    name = clean(state.source.name) if state.source else "fleetpush"
    if len(name) + len(target) + len(tail) > room:
        tail = tail if len(target) + len(tail) + 8 <= room else ""
        name = shorten(name, max(8, room - len(target) - len(tail)))
    line = Text.assemble((name, "bold"), target, (tail, "dim"), no_wrap=True)
    line.truncate(max(0, room))
    line.append(" " * max(1, width - line.cell_len - len(right)))
    line.append(right, "bold")
    return line


def progress(state: RunState, now: float, width: int, glyphs: Glyphs) -> Text:
    """The phase, one bar for the whole fleet, its rate and the time left."""
    word, style, done, total, numbers = _progress_parts(state, now)
    head = f"{word:<10} "
    numbers = f" {percent(done, total):>4}  {numbers}"
    room = width - len(head) - len(numbers)
    line = Text.assemble((head, f"bold {style}"), no_wrap=True)
    if room >= 4:
        _bar(line, done, total, room, style=style, glyphs=glyphs)
    line.append(numbers)
    return line


def _progress_parts(state: RunState, now: float) -> tuple[str, str, int, int, str]:
    """The word, its colour, how much of how much, and both in words."""
    phase = state.phase
    if state.report is not None:
        word, style = ("done", "green") if state.report.exit_code == 0 else ("ended", "red")
        all_hosts = len(state.hosts)
        return word, style, state.good, all_hosts, f"{state.good:,} of {hosts(all_hosts)} verified"
    if phase is RunPhase.HASHING and state.hashing is not None:
        done, total = state.hashing.done, state.hashing.total
        return "hashing", "cyan", done, total, f"{size(done)} of {size(total)}"
    if phase.rank < RunPhase.RECEIVING.rank or not state.bytes_total:
        total = len(state.hosts)
        ready = total - sum(state.phases[early] for early in _EARLY) - state.lost
        return phase.value, "cyan", ready, total, f"{ready:,} of {hosts(total)} ready"
    left = state.time_left(now)
    numbers = f"{size(state.bytes_done)} of {size(state.bytes_total)}"
    if state.bytes_reused:
        numbers += f", {size(state.bytes_reused)} reused"
    if left is not None:
        numbers += f"  {rate(state.rate)}  {duration(left)} left"
    return phase.value, "cyan", state.bytes_done, state.bytes_total, numbers


_EARLY = (HostPhase.WAITING, HostPhase.CONNECTING, HostPhase.BOOTSTRAPPING)


def _bar(line: Text, done: int, total: int, width: int, *, style: str, glyphs: Glyphs) -> None:
    full = max(0, min(width, width * done // total)) if total > 0 else 0
    line.append(glyphs.full * full, style)
    line.append(glyphs.empty * (width - full), "dim")


class LegendEntry(NamedTuple):
    cell: Cell
    hosts: int


def legend_entries(cells: Sequence[Cell]) -> list[LegendEntry]:
    """How many hosts each kind of cell stands for, the best first; none that nobody is in."""
    counts = Counter(cells)
    receiving = sum(counts[Cell(Cell.RECEIVING_0 - level)] for level in range(LEVELS))
    counts[Cell.RECEIVING_2] = receiving
    order = (Cell.VERIFIED, *(cell for cell in _WORDS if cell is not Cell.VERIFIED))
    return [LegendEntry(cell, counts[cell]) for cell in order if counts[cell]]


def legend(cells: Sequence[Cell], width: int, rows: int, glyphs: Glyphs) -> list[Text]:
    """Counts that also explain the glyphs, over at most ``rows`` lines; worst news is never cut off."""
    lines = _wrapped(legend_entries(cells), width, glyphs)
    if len(lines) > rows:
        lines = _wrapped(legend_entries(cells)[::-1], width, glyphs)
    return lines[:rows]


def _wrapped(entries: Sequence[LegendEntry], width: int, glyphs: Glyphs) -> list[Text]:
    lines = [Text(no_wrap=True)]
    for cell, count in entries:
        words = f" {count:,} {_WORDS[cell]}"
        gap = "   " if lines[-1].plain else ""
        if lines[-1].cell_len + len(gap) + 1 + cell_len(words) > width and lines[-1].plain:
            lines.append(Text(no_wrap=True))
            gap = ""
        lines[-1].append(gap)
        lines[-1].append(glyphs.cells[cell], style_of(cell))
        lines[-1].append(words)
    return lines
