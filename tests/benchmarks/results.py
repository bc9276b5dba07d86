"""The benchmarks' figures as one page: every run, medians, what is aimed at, and the command that repeats it.

    .venv/bin/python -m tests.benchmarks.results FILE... [--out tests/benchmarks/RESULTS.md]

Each FILE is what a benchmark wrote with ``--json`` (``simulate`` and ``thousand`` print it). Nothing on the
page is written by hand: a figure that is not in a file is not there.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.benchmarks.goals import Aim, aims
from tests.benchmarks.table import Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

PAGE = Path("tests/benchmarks/RESULTS.md")
INTRODUCTION = """\
# Results

Made by `.venv/bin/python -m tests.benchmarks.results` from what the benchmarks measured; not to be edited.
What each column means is in the head of the benchmark's module. Times drift between machines and hours:
compare within one table. ratio: the makespan over F/B, the time that one copy takes at full rate.
"""


class ResultsError(Exception):
    """A file that is no benchmark's."""


class Table(NamedTuple):
    """Cells by row; ``head`` names the columns."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def page(documents: Iterable[Mapping[str, Any]]) -> str:
    """Markdown. Raises ResultsError."""
    groups: defaultdict[str, defaultdict[str, list[Mapping[str, Any]]]]
    groups = defaultdict(lambda: defaultdict(list))
    for document in documents:
        made = document.get("made")
        if not isinstance(made, dict) or made.get("benchmark") not in _RUNS:
            raise ResultsError("not what a benchmark wrote with --json, or of an older version")
        groups[_where(made)][made["command"]].append(document)
    parts = [INTRODUCTION]
    for where, commands in groups.items():
        parts.append(where)
        for same in commands.values():
            parts += ["\n".join(_section(document)) for document in _joined(same)]
    return "\n".join(parts)


def _joined(documents: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """What one command measured in all; one that makes one run at a time measures in several goes."""
    if documents[0]["made"]["benchmark"] != "thousand":
        return documents
    middle = {
        name: median(document[name] for document in documents)
        for name, value in documents[0].items()
        if isinstance(value, int | float) and all(name in document for document in documents)
    }
    return [{**documents[0], **middle, "runs": documents}]


def _where(made: Mapping[str, Any]) -> str:
    lines = ["## The machine\n", "| | |", "|---|---|"]
    for name, value in (made["machine"] | made["versions"]).items():
        lines.append(f"| {name} | {_cell(value)} |")
    return "\n".join(lines) + "\n"


def _section(document: Mapping[str, Any]) -> Iterator[str]:
    made = document["made"]
    yield f"## {made['benchmark']}, {made['date']}\n"
    yield f"```sh\n{made['command']}\n```\n"
    found = list(aims(document))
    if found:
        yield from _lines(Table(("", "measured", "goal", ""), [_aimed(aim) for aim in found]))
        yield ""
    for title, shown in _RUNS[made["benchmark"]](document):
        if title:
            yield f"{title}\n"
        yield from _lines(shown)
        yield ""


def _aimed(aim: Aim) -> tuple[str, ...]:
    verdict = "" if aim.goal is None else "met" if aim.met else "missed"
    return aim.what, aim.shown(aim.figure), "" if aim.goal is None else aim.limit, verdict


def _lines(shown: Table) -> Iterator[str]:
    yield "| " + " | ".join(shown.head) + " |"
    yield "|---" + "|---:" * (len(shown.head) - 1) + "|"
    for row in shown.rows:
        yield "| " + " | ".join(_cell(cell) for cell in row) + " |"


def _cell(text: str) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


# -- every run, by benchmark


def _bound(document: Mapping[str, Any]) -> Iterator[tuple[str, Table]]:
    options, least = document["options"], document["least_s"]
    good = options["hosts"] - options["kill"]
    head = ("", "ratio", "others", "makespan s", "wall s", "cpu-s/GB", "idle", "origin", "good", "")
    rows = []
    for given in document["runs"]:
        run = Run(**given)
        others = run.others(least)
        rows.append(
            (
                *(run.name, f"{run.ratio(least):.3f}", _number(others, 3)),
                *(f"{run.makespan_s:.2f}", f"{run.wall_s:.1f}"),
                *(_number(run.notes.get(key), 2) for key in ("cpu_s_per_gb", "idle")),
                *(_number(run.notes.get("origin_sent"), 3), str(run.good)),
                "does not count" if run.rejected(good) else "",
            )
        )
    for name, notes in document["medians"].items():
        others = notes.get("others_last_s")
        rows.append(
            (
                f"**{name}, median**",
                *(f"{notes['ratio']:.3f}", _number(None if others is None else others / least, 3)),
                *(f"{notes['makespan_s']:.2f}", ""),
                *(_number(notes.get(key), 2) for key in ("cpu_s_per_gb", "idle")),
                *(_number(notes.get("origin_sent"), 3), "", ""),
            )
        )
    yield f"F/B = {least:.2f} s.", Table(head, rows)


def _unthrottled(document: Mapping[str, Any]) -> Iterator[tuple[str, Table]]:
    head = ("", "makespan s", "wall s", "cpu-s/GB", "idle", "good")
    for hosts, found in _parts(document):
        rows = [
            (
                *(name, f"{run['makespan_s']:.2f}", f"{run['wall_s']:.1f}"),
                *(_number(run["notes"].get(key), 2) for key in ("cpu_s_per_gb", "idle")),
                str(run["good"]),
            )
            for name, runs in found["runs"].items()
            for run in runs
        ]
        rows += [
            (
                *(f"**{name}, median**", f"{notes['makespan_s']:.2f}", f"{notes['wall_s']:.1f}"),
                *(f"{notes[key]:.2f}" for key in ("cpu_s_per_gb", "idle")),
                "",
            )
            for name, notes in found["medians"].items()
        ]
        yield f"{hosts} hosts.", Table(head, rows)


def _pair(document: Mapping[str, Any]) -> Iterator[tuple[str, Table]]:
    for kind, found in _parts(document):
        rows = [
            (name, f"{found['size'] / 1e9 / run['moved_s']:.3f}", _synced(found, run), "", "")
            for name, runs in found["runs"].items()
            for run in runs
        ]
        keys = ("gb_per_s", "synced_gb_per_s", "ratio", "synced_ratio")
        rows += [
            (f"**{name}, median**", *(f"{notes[key]:.3f}" for key in keys))
            for name, notes in found["medians"].items()
        ]
        yield f"{kind}.", Table(("", "GB/s", "synced GB/s", "of bare", "synced"), rows)


def _synced(found: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    return f"{found['size'] / 1e9 / run['makespan_s']:.3f}"


def _simulate(document: Mapping[str, Any]) -> Iterator[tuple[str, Table]]:
    keys = ("ratio", "ratio_unslowed", "bound_ratio", "copies_per_rack")
    more = ("control_messages_per_chunk", "completed", "survivors", "wall_s")
    rows = [
        (
            row["row"],
            *(_number(row[key], 3) for key in keys),
            *(_plain(row[key]) for key in more),
        )
        for row in document["rows"]
    ]
    yield "", Table(("", *keys, *more), rows)


def _thousand(document: Mapping[str, Any]) -> Iterator[tuple[str, Table]]:
    runs = document["runs"]
    names = [name for name in runs[0] if name != "made"]
    rows = [
        (name, *(_plain(run.get(name)) for run in runs), _plain(document[name])) for name in names
    ]
    yield "", Table(("", *(f"run {n}" for n in range(1, len(runs) + 1)), "median"), rows)


def _fanout(document: Mapping[str, Any]) -> Iterator[tuple[str, Table]]:
    keys = ("wall_s", "ready_s", "cli_ms_a_host", "machine_ms_a_host", "good")
    rows = [
        (name, *(_number(run.get(key), 2) for key in keys))
        for name, runs in document["runs"].items()
        for run in runs
    ]
    rows += [
        (f"**{name}, median**", *(_number(notes.get(key), 2) for key in keys))
        for name, notes in document["medians"].items()
    ]
    yield f"{document['hosts']} hosts.", Table(("", *keys), rows)


def _limits(document: Mapping[str, Any]) -> Iterator[tuple[str, Table]]:
    keys = ("of_limit", "median_of_limit", "peak_of_limit", "ratio")
    rows = [
        (
            f"{run['flag']} {run['limit']:,} B/s, {run['topology']}, {run['way']}",
            *(f"{run[key]:.3f}" for key in keys),
            str(run["good"]),
        )
        for run in document["runs"]
    ]
    yield "", Table(("", *keys, "good"), rows)


_RUNS = {
    "bound": _bound,
    "unthrottled": _unthrottled,
    "pair": _pair,
    "simulate": _simulate,
    "thousand": _thousand,
    "fanout": _fanout,
    "limits": _limits,
}


def _parts(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, part) for name, part in document.items() if name != "made")


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _plain(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else "" if value is None else str(value)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.results",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--out", type=Path, default=PAGE)
    options = parser.parse_args()
    documents = []
    for path in options.files:
        try:
            documents.append(json.loads(path.read_text()))
            text = page(documents)
        except (OSError, ValueError, KeyError, ResultsError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            return 1
    options.out.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
