"""Rivals alone, in namespaces with limited links or with none: to tune them, and to see what they cost.

    .venv/bin/python -m tests.benchmarks.rivals aria2,chain --hosts 31 --rate 50mbit --size 100M --runs 3
    .venv/bin/python -m tests.benchmarks.rivals all --hosts 8 --unthrottled --size 256M

ratio: the makespan over F/B; rate: bytes that all hosts together received in a second of it. cpu-s/GB: of
the whole machine, per GB delivered. Needs root, and what ``python -m tests.benchmarks.setup`` installs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from fleetpush.inventory.amounts import link_rate, size
from tests.benchmarks.rivals import RIVALS, Outcome, RivalError
from tests.benchmarks.rivals.bare import BareFleet, bare_fleet
from tests.lab import netns
from tests.lab.arguments import SKIPPED, end_by_exception

HEAD = ("", "makespan", "ratio", "rate", "cpu-s/GB", "idle", "origin", "good")


def main() -> int:
    options = _arguments()
    reason = netns.missing()
    if reason:
        print(f"skipped: {reason}", file=sys.stderr)
        return SKIPPED
    end_by_exception()
    rate = None if options.unthrottled else link_rate(options.rate)
    failed = 0
    with bare_fleet(options.hosts, rate) as fleet:
        source = _source(fleet, size(options.size))
        print(_row(HEAD))
        for _ in range(options.runs):
            for name in options.names:
                failed += not _run(name, fleet, source, rate)
    return 1 if failed else 0


def _run(name: str, fleet: BareFleet, source: Path, rate: int | None) -> bool:
    """One line of the table; False if not every copy is good."""
    rival = RIVALS[name]()
    reason = rival.missing()
    if reason:
        print(f"{name:14} cannot run: {reason}")
        return False
    with tempfile.TemporaryDirectory(dir=fleet.root) as work:
        try:
            outcome = rival.run(fleet, source, Path(work))
        except RivalError as error:
            print(f"{name:14} failed: {error}", flush=True)
            return False
    print(_line(name, outcome, source.stat().st_size, len(fleet.hosts), rate), flush=True)
    return outcome.good == len(fleet.hosts)


def _line(name: str, outcome: Outcome, count: int, hosts: int, rate: int | None) -> str:
    notes, makespan = outcome.notes, outcome.makespan_s
    cells = (
        f"{makespan:.2f} s",
        f"{makespan * rate / count:.3f}" if rate else "",
        f"{count * hosts / makespan / 1e9:.2f} GB/s",
        f"{notes['cpu_s_per_gb']:.2f}",
        f"{notes['idle']:.0%}",
        f"{notes['origin_sent']:.3f}",
        f"{outcome.good}/{hosts}",
    )
    return _row((name, *cells))


def _row(cells: tuple[str, ...]) -> str:
    return f"{cells[0]:14}" + "".join(f"{cell:>12}" for cell in cells[1:])


def _source(fleet: BareFleet, count: int) -> Path:
    """Random bytes: nothing can be saved on them."""
    path = fleet.root / "model.bin"
    with path.open("wb") as out:
        while count > 0:
            count -= out.write(os.urandom(min(count, 1 << 24)))
    return path


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.rivals",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("names", type=_names, help="all, or of: " + ", ".join(RIVALS))
    parser.add_argument("--hosts", type=int, default=31)
    parser.add_argument("--rate", default="50mbit", help="each way")
    parser.add_argument("--unthrottled", action="store_true", help="no limits")
    parser.add_argument("--size", default="100M")
    parser.add_argument("--runs", type=int, default=1)
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = list(RIVALS) if text == "all" else text.split(",")
    if unknown := [name for name in names if name not in RIVALS]:
        raise argparse.ArgumentTypeError(f"no rival is called {', '.join(unknown)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
