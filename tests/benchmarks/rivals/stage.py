"""Around every run alike: a folder for each copy, the clock, what the machine and the origin spent, the
copies' digests, and nothing left on disk."""

from __future__ import annotations

import hashlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from tests.benchmarks.machine import Cpu, machine
from tests.benchmarks.rivals.model import Outcome
from tests.lab import links
from tests.lab.netns import DEVICE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.rivals.model import Fleet

COPY = "rival"


@contextmanager
def folders(lab: Fleet) -> Iterator[dict[str, Path]]:
    """An empty folder on each host, gone with what is in it afterwards."""
    made = {name: host.folder / COPY for name, host in lab.hosts.items()}
    try:
        for folder in made.values():
            folder.mkdir()
        yield made
    finally:
        for folder in made.values():
            shutil.rmtree(folder, ignore_errors=True)


class Spent(NamedTuple):
    """What was used up to a moment: the machine's processors, and bytes that left the origin."""

    cpu: Cpu
    sent: int

    @classmethod
    def until_now(cls, lab: Fleet) -> Spent:
        return cls(machine(), links.carried(lab.origin.namespace)[DEVICE].sent)


def outcome(
    lab: Fleet, source: Path, copies: dict[str, Path], makespan: float, before: Spent, after: Spent
) -> Outcome:
    """What a run came to; ``copies`` are the files to look at, by host."""
    size = source.stat().st_size
    cpu = after.cpu - before.cpu
    notes: dict[str, float | str] = {
        "cpu_s_per_gb": cpu.busy / (size * len(lab.hosts) / 1e9),
        "idle": cpu.idle / ((cpu.busy + cpu.idle) or 1.0),
        "origin_sent": (after.sent - before.sent) / size,
    }
    return Outcome(makespan, count_good(source, list(copies.values())), notes)


def count_good(source: Path, copies: list[Path]) -> int:
    """How many of the copies are the source, by SHA-256."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        wanted, *found = pool.map(_digest, [source, *copies])
    return sum(digest == wanted for digest in found)


def _digest(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return None
