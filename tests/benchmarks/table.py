"""Runs as lines of a table while they happen, their medians at the end, and all of it as JSON."""

from __future__ import annotations

import json
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.benchmarks.provenance import made

if TYPE_CHECKING:
    from pathlib import Path

IDLE_ENOUGH = 0.15
"""Share of the processors that must have been idle: with less, the machine was measured, not the tool."""

HEAD = ("", "ratio", "others", "makespan", "wall", "cpu-s/GB", "of lab", "idle", "origin", "good")


class Run(NamedTuple):
    """One run of one contestant. Seconds; ``good`` copies; ``notes`` are what else was measured."""

    name: str
    makespan_s: float
    good: int
    wall_s: float
    notes: dict[str, Any]

    def ratio(self, least: float) -> float:
        return self.makespan_s / least

    def others(self, least: float) -> float | None:
        """The ratio of the hosts that were neither slowed down nor killed, where that was measured."""
        last = self.notes.get("others_last_s")
        return None if last is None else last / least

    def rejected(self, wanted: int) -> str:
        """Why it does not count, or ""."""
        if self.good < wanted:
            return f"REJECTED: {self.good} good copies of {wanted}"
        if self.notes.get("idle", 1.0) < IDLE_ENOUGH:
            return "REJECTED: no idle processor"
        return ""


def show_head() -> None:
    print(_row(HEAD))


def show(run: Run, least: float, wanted: int) -> None:
    """``least`` is F/B in seconds, ``wanted`` how many copies there should be."""
    print(_row(_cells(run, least, str(run.good))), run.rejected(wanted), flush=True)
    for line in run.notes.get("said", ()):
        print(f"    {line}")


def medians(runs: list[Run], least: float, wanted: int) -> dict[str, dict[str, float]]:
    """Prints them; by contestant, over the runs that count, or over all if none does."""
    found: dict[str, dict[str, float]] = {}
    for name in dict.fromkeys(run.name for run in runs):
        own = [run for run in runs if run.name == name]
        counted = [run for run in own if not run.rejected(wanted)]
        word = "median" if counted else "median of rejected runs"
        counted = counted or own
        notes = {
            key: median(run.notes[key] for run in counted)
            for key, value in counted[0].notes.items()
            if isinstance(value, int | float) and all(key in run.notes for run in counted)
        }
        middle = Run(
            name,
            median(run.makespan_s for run in counted),
            wanted,
            median(run.wall_s for run in counted),
            notes,
        )
        print(_row(_cells(middle, least, f"of {len(counted)}")), word)
        found[name] = {"ratio": middle.ratio(least), "makespan_s": middle.makespan_s, **notes}
    return found


def show_where_it_went(found: dict[str, dict[str, float]]) -> None:
    """The medians' processor seconds per GB delivered, by whose they were; other figures by name."""
    for name, notes in found.items():
        words = [
            f"{key.removesuffix('_user')} {value:.2f}u+{notes[key[:-5] + '_system']:.2f}s"
            for key, value in notes.items()
            if key.endswith("_user")
        ]
        words += [f"{key} {value:.0f}" for key, value in notes.items() if key.endswith("_rss_mb")]
        words += [f"{key} {value:.2f}" for key, value in notes.items() if key.endswith("_copies")]
        if "chunk_size" in notes:
            words.append(f"chunks of {notes['chunk_size'] / 1024:.0f}K")
        if words:
            print(f"{name}: " + ", ".join(words))


def save(path: Path, document: dict[str, Any]) -> None:
    """For ``results``: with where the figures come from."""
    path.write_text(as_json(document) + "\n")


def as_json(document: dict[str, Any]) -> str:
    """The same, to be printed."""
    return json.dumps({"made": made(), **document}, indent=2)


def _cells(run: Run, least: float, good: str) -> tuple[str, ...]:
    notes, others = run.notes, run.others(least)
    return (
        run.name,
        f"{run.ratio(least):.3f}",
        "" if others is None else f"{others:.3f}",
        f"{run.makespan_s:.2f} s",
        f"{run.wall_s:.1f} s",
        _number(notes, "cpu_s_per_gb", ".2f"),
        _number(notes, "lab_cpu_s_per_gb", ".2f"),
        _number(notes, "idle", ".0%"),
        _number(notes, "origin_sent", ".3f"),
        good,
    )


def _number(notes: dict[str, Any], key: str, form: str) -> str:
    return format(notes[key], form) if key in notes else ""


def _row(cells: tuple[str, ...]) -> str:
    return f"{cells[0]:14}" + "".join(f"{cell:>10}" for cell in cells[1:])
