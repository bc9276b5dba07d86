"""How near a deploy comes to what the links allow, beside what users would pick instead.

    .venv/bin/python -m tests.benchmarks.bound --hosts 31 --rate 50mbit --size 100M
        [--topology mesh,tree] [--rivals aria2,libtorrent,rsync] [--runs 5] [--slow 2:10] [--kill 2]
        [--racks 4 --oversubscription 4] [--no-encrypt] [--flags="--chunk-size 256K"] [--json FILE]

Every host and the origin is a network namespace with a link of its own, limited both ways; the contestants
take turns. ratio: the makespan (first chunk sent until the last host has proved its copy) over F/B;
others: the same for the hosts that were neither slowed down nor killed. wall: the whole command. cpu-s/GB:
busy seconds of all processors, whoever used them, from the first chunk to the last proof, per GB
delivered; of lab: only those of processes inside the lab and of kernel threads. idle: of all processors.
origin: bytes that left the origin's link during the exchange, over F. Runs with less than 15 % idle, or with
a bad copy, do not count: on a machine that others use, wait, or read "of lab". What memory the copies take
was touched before (see ``ballast``). Needs root.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shlex
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fleetpush.inventory.amounts import size
from tests.benchmarks import table
from tests.benchmarks.ballast import Ballast
from tests.benchmarks.ours import Contestant
from tests.benchmarks.table import Run
from tests.lab.arguments import (
    SKIPPED,
    add_layout_arguments,
    end_by_exception,
    layout_from,
    skipped,
)
from tests.lab.rated import RatedFleet

if TYPE_CHECKING:
    from collections.abc import Sequence

WARM = 250
"""Per cent of what the copies take that was touched before: agents and sockets take some as well, and files
take pieces of 64 KiB and more, which leave the smaller ones over."""

TOPOLOGIES = ("mesh", "tree", "star", "auto")


class Runs(Protocol):
    """Whatever can be timed here."""

    @property
    def name(self) -> str: ...

    def run(self, fleet: RatedFleet, source: Path, work: Path) -> Run: ...


class Guest:
    """A rival as a contestant: it measures its own processor time, from first byte to last."""

    def __init__(self, rival: Any) -> None:
        self.name = rival.name
        self._rival = rival

    def run(self, fleet: RatedFleet, source: Path, work: Path) -> Run:
        began = time.monotonic()
        outcome = self._rival.run(fleet, source, work)
        wall = time.monotonic() - began
        return Run(self.name, outcome.makespan_s, outcome.good, wall, dict(outcome.notes))


def main() -> int:
    options = _arguments()
    if skipped():
        return SKIPPED
    end_by_exception()
    layout = layout_from(options)
    contestants = [*_ours(options), *_rivals(options.rivals)]
    least = size(options.size) / layout.rate
    with RatedFleet(layout) as fleet:
        source = fresh_source(fleet, size(options.size))
        print(f"{options.hosts} hosts, F/B = {least:.2f} s; load {os.getloadavg()[0]:.1f}")
        runs = _take_turns(fleet, contestants, source, options, least)
    found = table.medians(runs, least, options.hosts - options.kill)
    table.show_where_it_went(found)
    if options.json:
        document = {"options": _plain(options), "least_s": least, "medians": found}
        table.save(options.json, document | {"runs": [run._asdict() for run in runs]})
    good = options.hosts - options.kill
    counting = {run.name for run in runs if not run.rejected(good)}
    return 0 if len(counting) == len(contestants) else 1


def _take_turns(
    fleet: RatedFleet,
    contestants: Sequence[Runs],
    source: Path,
    options: argparse.Namespace,
    least: float,
) -> list[Run]:
    runs = []
    table.show_head()
    with Ballast(WARM * options.hosts * source.stat().st_size // 100):
        for _ in range(options.runs):
            for contestant in contestants:
                with tempfile.TemporaryDirectory(dir=fleet.root) as work:
                    run = contestant.run(fleet, source, Path(work))
                runs.append(run)
                table.show(run, least, options.hosts - options.kill)
    return runs


def _ours(options: argparse.Namespace) -> list[Runs]:
    more = [*shlex.split(options.flags), *(["--no-encrypt"] if options.no_encrypt else [])]
    return [
        Contestant(topology, ("--topology", topology, *more), options.kill)
        for topology in options.topology
    ]


def _rivals(names: Sequence[str]) -> list[Runs]:
    """Those that can run here; says which cannot, and why."""
    if not names:
        return []
    try:
        known = importlib.import_module("tests.benchmarks.rivals").RIVALS
    except ModuleNotFoundError as error:
        sys.exit(f"no rivals here: {error}")
    found: list[Runs] = []
    for name in names:
        if name not in known:
            sys.exit(f"{name} is no rival; there are {', '.join(known)}")
        rival = known[name]()
        reason = rival.missing()
        if reason:
            print(f"without {name}: {reason}")
        else:
            found.append(Guest(rival))
    return found


def fresh_source(fleet: RatedFleet, count: int) -> Path:
    """``count`` random bytes that the fleet's users may read."""
    path = fleet.root / "model.bin"
    with path.open("wb") as out:
        while count > 0:
            count -= out.write(os.urandom(min(count, 1 << 24)))
    path.chmod(0o644)
    return path


def _plain(options: argparse.Namespace) -> dict[str, Any]:
    return {key: value for key, value in vars(options).items() if key != "json"}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.bound",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    add_layout_arguments(parser)
    parser.add_argument("--size", default="100M")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--topology", type=_topologies, default=["mesh"], metavar="NAME[,NAME]")
    parser.add_argument("--rivals", type=lambda text: text.split(","), default=[], metavar="NAMES")
    parser.add_argument(
        "--kill", type=int, default=0, help="agents that die when 40 %% is delivered"
    )
    parser.add_argument("--no-encrypt", action="store_true")
    parser.add_argument("--flags", default="", help="more flags for fleetpush deploy")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args()


def _topologies(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    if unknown := [name for name in names if name not in TOPOLOGIES]:
        raise argparse.ArgumentTypeError(f"no topology is called {', '.join(unknown)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
