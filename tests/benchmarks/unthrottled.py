"""As fast as this machine goes: fleetpush beside BitTorrent clients in a lab whose links have no limit.

    .venv/bin/python -m tests.benchmarks.unthrottled [--hosts 8,31] [--size 256M] [--runs 5]
        [--topology mesh,tree] [--links tls,clear] [--rivals aria2,libtorrent] [--flags="--chunk-size 1M"]
        [--folder DIR] [--json FILE]

Every host and the origin is a network namespace; the contestants take turns, and copies are deleted in
between. All share the processors, so what is compared is work: cpu-s/GB is the busy seconds of all
processors, whoever used them, per GB delivered; GB/s is what all hosts together received in a second of the
makespan. Ours counts from the first chunk sent until the last host has proved and synced its copy, a
rival's from the start of the origin's client until the last host says that it is done. Copies that are not
the source do not count.

Files lie in memory (/dev/shm) where there is room: on a disk its writing would be measured, and for ours
also its fsync. The last table compares medians with the better rival's, for each figure the better one; the
target is for the cpu-s/GB. Needs root, and for the rivals ``python -m tests.benchmarks.setup``.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from fleetpush.inventory.amounts import size
from tests.benchmarks import table
from tests.benchmarks.bound import Guest
from tests.benchmarks.goals import UNTHROTTLED
from tests.benchmarks.ours import Contestant
from tests.benchmarks.rivals import RIVALS, RivalError
from tests.benchmarks.table import Run
from tests.lab import links
from tests.lab.arguments import SKIPPED, end_by_exception, skipped
from tests.lab.rated import Layout, RatedFleet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.bound import Runs
    from tests.lab.netns import Host

MEMORY = Path("/dev/shm")
HEAD = ("", "makespan", "GB/s", "cpu-s/GB", "idle", "origin", "wall", "good")
FIGURES = ("cpu_s_per_gb", "makespan_s")


class FreeFleet(RatedFleet):
    """What its links carry is up to the machine."""

    def __init__(self, hosts: int) -> None:
        super().__init__(Layout(hosts, 0))

    def _limit(self, host: Host, rate: int) -> None:
        links.tune(self.lab.bridges, host)


def main() -> int:
    options = _arguments()
    if skipped():
        return SKIPPED
    end_by_exception()
    tempfile.tempdir = str(_folder(options))
    rivals = _rivals(options.rivals)
    document: dict[str, Any] = {}
    complete = True
    for hosts in options.hosts:
        with FreeFleet(hosts) as fleet:
            source = _source(fleet, size(options.size))
            where = f"in {tempfile.tempdir}, load {os.getloadavg()[0]:.1f}"
            print(f"{hosts} hosts, {options.size}, {where}")
            runs = _take_turns(fleet, [*_ours(options), *rivals], source, options.runs)
        medians = _medians(runs, hosts, size(options.size))
        shown = _compare(medians, [rival.name for rival in rivals])
        complete = complete and len(medians) == len(runs)
        document[str(hosts)] = {
            "size": size(options.size),
            "medians": medians,
            "to_better_rival": shown,
            "runs": {name: [run._asdict() for run in own] for name, own in runs.items()},
        }
    if options.json:
        table.save(options.json, document)
    return 0 if complete else 1


def _ours(options: argparse.Namespace) -> list[Runs]:
    more = shlex.split(options.flags)
    return [
        Contestant(
            f"{topology} {link}",
            ("--topology", topology, *(["--no-encrypt"] if link == "clear" else []), *more),
        )
        for link in options.links
        for topology in options.topology
    ]


def _rivals(names: Sequence[str]) -> list[Guest]:
    """Those that can run here; says which cannot, and why."""
    found = []
    for name in names:
        if name not in RIVALS:
            print(f"without {name}: no such rival; there are {', '.join(RIVALS)}")
            continue
        rival = RIVALS[name]()
        if reason := rival.missing():
            print(f"without {name}: {reason}")
        else:
            found.append(Guest(rival))
    return found


def _take_turns(
    fleet: RatedFleet, contestants: Sequence[Runs], source: Path, rounds: int
) -> dict[str, list[Run]]:
    """By contestant; a rival that fails has no copies."""
    found: dict[str, list[Run]] = {contestant.name: [] for contestant in contestants}
    count = source.stat().st_size * len(fleet.hosts)
    print(_row(HEAD))
    for _ in range(rounds):
        for contestant in contestants:
            with tempfile.TemporaryDirectory(dir=fleet.root) as work:
                try:
                    run = contestant.run(fleet, source, Path(work))
                except RivalError as error:
                    run = Run(contestant.name, 0.0, 0, 0.0, {"said": [str(error)]})
            found[contestant.name].append(run)
            rejected = "" if run.good == len(fleet.hosts) else "REJECTED"
            print(_row(_cells(run, count)), rejected, flush=True)
            for line in run.notes.get("said", ()):
                print(f"    {line}")
    return found


def _medians(runs: dict[str, list[Run]], hosts: int, count: int) -> dict[str, dict[str, float]]:
    """By contestant, of those that brought every copy at least once."""
    found = {}
    for name, own in runs.items():
        counted = [run for run in own if run.good == hosts]
        if not counted:
            print(f"{name}: no run counts")
            continue
        notes = {
            key: median(run.notes[key] for run in counted)
            for key in ("cpu_s_per_gb", "idle", "origin_sent")
        }
        middle = Run(
            name,
            median(run.makespan_s for run in counted),
            hosts,
            median(run.wall_s for run in counted),
            notes,
        )
        print(_row(_cells(middle, count * hosts)), f"median of {len(counted)}")
        found[name] = {"makespan_s": middle.makespan_s, "wall_s": middle.wall_s, **notes}
    return found


def _compare(
    medians: dict[str, dict[str, float]], rivals: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Ours over the better rival, by contestant and figure; empty without any rival's median."""
    there = [medians[name] for name in rivals if name in medians]
    if not there:
        return {}
    better = {key: min(figures[key] for figures in there) for key in FIGURES}
    found = {}
    for name in (name for name in medians if name not in rivals):
        ratios = found[name] = {key: medians[name][key] / better[key] for key in FIGURES}
        target = UNTHROTTLED[name.split()[-1]]
        verdict = "reached" if ratios["cpu_s_per_gb"] <= target else "MISSED"
        print(
            f"{name:14} of the better rival: cpu-s/GB {ratios['cpu_s_per_gb']:.2f} "
            f"(target {target}: {verdict}), makespan {ratios['makespan_s']:.2f}"
        )
    return found


def _cells(run: Run, delivered: int) -> tuple[str, ...]:
    rate = delivered / 1e9 / run.makespan_s if run.makespan_s else 0.0
    notes = (("cpu_s_per_gb", ".2f"), ("idle", ".0%"), ("origin_sent", ".3f"))
    return (
        run.name,
        f"{run.makespan_s:.2f} s",
        f"{rate:.3f}",
        *(format(run.notes[key], form) if key in run.notes else "" for key, form in notes),
        f"{run.wall_s:.1f} s",
        str(run.good),
    )


def _row(cells: tuple[str, ...]) -> str:
    return f"{cells[0]:14}" + "".join(f"{cell:>10}" for cell in cells[1:])


def _source(fleet: RatedFleet, count: int) -> Path:
    """Random bytes: nothing can be saved on them."""
    path = fleet.root / "model.bin"
    with path.open("wb") as out:
        while count > 0:
            count -= out.write(os.urandom(min(count, 1 << 24)))
    path.chmod(0o644)
    return path


def _folder(options: argparse.Namespace) -> Path:
    """In memory if all copies fit into it, and programs can be started from there."""
    if options.folder:
        return Path(options.folder)
    wanted = size(options.size) * (max(options.hosts) + 1)
    fits = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 2 * wanted
    if fits and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
        return MEMORY
    return Path(tempfile.gettempdir())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.unthrottled",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--hosts", type=_counts, default=[8, 31], metavar="N[,N]")
    parser.add_argument("--size", default="256M")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--topology", type=_words, default=["mesh", "tree"], metavar="NAME[,NAME]")
    parser.add_argument("--links", type=_links, default=["tls", "clear"])
    parser.add_argument("--rivals", type=_words, default=["aria2", "libtorrent"], metavar="NAMES")
    parser.add_argument("--flags", default="", help="more flags for fleetpush deploy")
    parser.add_argument("--folder", type=Path, help="for all files (default: /dev/shm)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args()


def _counts(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _links(text: str) -> list[str]:
    words = _words(text)
    if unknown := [word for word in words if word not in UNTHROTTLED]:
        raise argparse.ArgumentTypeError(f"not {', '.join(unknown)}: tls, clear")
    return words


if __name__ == "__main__":
    sys.exit(main())
