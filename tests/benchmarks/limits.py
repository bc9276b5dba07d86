"""Whether --bwlimit and --host-bwlimit hold, and are used, by the bytes counted on the cables.

    .venv/bin/python -m tests.benchmarks.limits [--hosts 15] [--rate 100mbit] [--size 100M]
        [--topology mesh,tree] [--bwlimit 4M,10M] [--host-bwlimit 4M,10M] [--runs 3] [--json FILE]

of limit: the rate of the busiest cable that the limit is about, headers included, while the middle eight
tenths of its bytes went over it (median: of the median host's). peak: the most that went over any of them
between two moments at least two seconds apart. ratio: the makespan over F / limit. Needs root.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from fleetpush.inventory.amounts import size
from tests.benchmarks import table
from tests.benchmarks.bound import fresh_source
from tests.benchmarks.ours import Contestant
from tests.lab.arguments import (
    SKIPPED,
    add_layout_arguments,
    end_by_exception,
    layout_from,
    skipped,
)
from tests.lab.meter import Meter
from tests.lab.rated import RatedFleet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.meter import Span

APART = 2.0
"""Seconds between the two moments of a peak: what a limit lets through at once counts little by then."""

HEAD = ("limit", "topology", "way", "of limit", "median", "peak", "ratio", "good")


class Case(NamedTuple):
    """One flag with one value, in bytes a second, for one topology."""

    flag: str
    given: str
    topology: str

    @property
    def limit(self) -> int:
        return size(self.given)

    @property
    def ways(self) -> tuple[str, ...]:
        """What the limit is about."""
        return ("sent",) if self.flag == "--bwlimit" else ("sent", "received")


def main() -> int:
    options = _arguments()
    if skipped():
        return SKIPPED
    end_by_exception()
    found = []
    with RatedFleet(layout_from(options)) as fleet:
        source = fresh_source(fleet, size(options.size))
        print(_row(HEAD))
        for _ in range(options.runs):
            for case in _cases(options):
                found += _measured(fleet, source, case)
    if options.json:
        given = {k: v for k, v in vars(options).items() if k != "json"}
        table.save(options.json, {"options": given, "runs": found})
    return 0 if all(run["good"] == options.hosts for run in found) else 1


def _cases(options: argparse.Namespace) -> Iterator[Case]:
    for flag, values in (("--bwlimit", options.bwlimit), ("--host-bwlimit", options.host_bwlimit)):
        for given in filter(None, values.split(",")):
            for topology in options.topology.split(","):
                yield Case(flag, given, topology)


def _measured(fleet: RatedFleet, source: Path, case: Case) -> Iterator[dict[str, Any]]:
    flags = ("--topology", case.topology, case.flag, case.given)
    with tempfile.TemporaryDirectory(dir=fleet.root) as work, Meter(fleet) as meter:
        run = Contestant(case.topology, flags).run(fleet, source, Path(work))
    names = [fleet.origin.name] if case.flag == "--bwlimit" else list(fleet.hosts)
    for way in case.ways:
        steady = [span.rate for name in names if (span := meter.steady(name, way))]
        peak = max((s.rate for name in names for s in _long(meter.spans(name, way))), default=0.0)
        figures = {
            "flag": case.flag,
            "limit": case.limit,
            "topology": case.topology,
            "way": way,
            "of_limit": max(steady, default=0.0) / case.limit,
            "median_of_limit": (median(steady) if steady else 0.0) / case.limit,
            "peak_of_limit": peak / case.limit,
            "ratio": run.makespan_s * case.limit / source.stat().st_size,
            "good": run.good,
        }
        _show(case, figures)
        yield figures


def _long(spans: Iterator[Span]) -> Iterator[Span]:
    return (span for span in spans if span.seconds >= APART)


def _show(case: Case, figures: dict[str, Any]) -> None:
    shares = ("of_limit", "median_of_limit", "peak_of_limit", "ratio")
    cells = [f"{figures[name]:.3f}" for name in shares]
    first = f"{case.flag} {case.given}"
    print(_row((first, case.topology, figures["way"], *cells, str(figures["good"]))), flush=True)


def _row(cells: tuple[str, ...]) -> str:
    return f"{cells[0]:20}" + "".join(f"{cell:>10}" for cell in cells[1:])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.limits",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    add_layout_arguments(parser, hosts=15, rate="100mbit")
    parser.add_argument("--size", default="100M")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--topology", default="mesh,tree", metavar="NAME[,NAME]")
    parser.add_argument("--bwlimit", default="4M,10M", metavar="RATES")
    parser.add_argument("--host-bwlimit", default="4M,10M", metavar="RATES")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
