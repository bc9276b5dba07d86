"""Chaos: deploys that meet faults drawn at random, and whether each ends as it is promised to.

    .venv/bin/python -m tests.benchmarks.chaos real [--hosts 50] [--rounds 100] [--seed 1] [--first 0]
    .venv/bin/python -m tests.benchmarks.chaos virtual [--hosts 60] [--rounds 2000] [--jobs 2]
    .venv/bin/python -m tests.benchmarks.chaos virtual --hosts 300 --rounds 300

``real``: hosts behind a real sshd on this machine, as root. Hosts are killed, stopped, cut off, filled up,
limited, made read-only; bits of partials flip; the command is interrupted or killed, its source written to,
the sshd restarted, a second run comes to the same place. After each round every host must hold exactly the
content or what it held before, the report must say what is there, and no process, listening socket or file
but a resumable partial may be left. Four rounds in ten are followed by a run that nothing disturbs: it must
make everything good, also where bits of partials have flipped in between.

``virtual``: the same peers and tracker in virtual time; every host that lives must complete.

What a round meets is drawn from ``SEED ROUND`` alone: ``--first N --rounds 1`` plays one again. (When a fault
strikes goes by the phase of a host in the event log, and so by the machine.) Exit 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.chaos.real import Round, empty
from tests.benchmarks.chaos.virtual import VirtualRound
from tests.e2e.desk import Desk
from tests.e2e.hosts import send
from tests.fleet.sshd import missing, sshd_fleet
from tests.lab.arguments import end_by_exception

if TYPE_CHECKING:
    from collections.abc import Iterator


def main() -> int:
    options = _arguments()
    if options.where == "real" and (problem := missing()):
        print(f"skipped: {problem}")
        return 0
    end_by_exception()
    rounds = _real(options) if options.where == "real" else _virtual(options)
    bad, began, met = [], time.monotonic(), Counter[str]()
    for number, faults, wrongs in rounds:
        met.update(faults)
        if wrongs:
            bad.append(number)
            print(f"round {number}: {'; '.join(faults)}")
            print("".join(f"    {wrong}\n" for wrong in wrongs), end="", flush=True)
        elif options.verbose:
            print(f"round {number}: well ({'; '.join(faults)})", flush=True)
    took = time.monotonic() - began
    print(
        f"{options.rounds} rounds, {sum(met.values())} faults, {took:.0f} s; wrong: {bad or 'none'}"
    )
    return 1 if bad else 0


def _real(options: argparse.Namespace) -> Iterator[tuple[int, list[str], list[str]]]:
    with sshd_fleet(options.hosts) as fleet, _folder() as root:
        desk = Desk(fleet, root)
        for number in _numbers(options):
            played = Round(desk, f"{options.seed} {number}", options.hosts)
            try:
                wrongs = played.play()
            finally:
                for command in desk.commands:
                    if command.running:
                        command.send(signal.SIGKILL)
                        command.process.wait()
                send(signal.SIGKILL, desk.agents())
            yield number, [" ".join(played.draw.flags), *map(str, played.draw.faults)], wrongs
            empty(desk, options.hosts)


def _virtual(options: argparse.Namespace) -> Iterator[tuple[int, list[str], list[str]]]:
    with ProcessPoolExecutor(options.jobs) as pool:
        wanted = [(f"{options.seed} {number}", options.hosts) for number in _numbers(options)]
        for number, found in zip(_numbers(options), pool.map(_play, wanted), strict=True):
            yield number, *found


def _play(what: tuple[str, int]) -> tuple[list[str], list[str]]:
    played = VirtualRound(*what)
    return played.faults, played.play()


def _numbers(options: argparse.Namespace) -> range:
    return range(options.first, options.first + options.rounds)


@contextmanager
def _folder() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="desk-"))
    root.chmod(0o755)
    try:
        yield root
    finally:
        shutil.rmtree(root)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="See the head of this file.")
    parser.add_argument("where", choices=["real", "virtual"])
    parser.add_argument("--hosts", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--first", type=int, default=0, help="the number of the first round")
    parser.add_argument("--jobs", type=int, default=2, help="processes, in virtual time")
    parser.add_argument("--verbose", action="store_true", help="a line a round")
    options = parser.parse_args()
    real = options.where == "real"
    options.hosts = options.hosts or (50 if real else 60)
    options.rounds = options.rounds or (100 if real else 2000)
    return options


if __name__ == "__main__":
    sys.exit(main())
