"""A real deploy down a line of agents on this machine, seen from the command's own process.

The command's part runs here, so that its events come in step with what it does: the agents' processor time
is read when they have not been told to begin yet, and again when the last one has activated its copy.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fleetpush.deploy import progress
from fleetpush.deploy.options import DeployOptions
from fleetpush.deploy.progress import HostPhase
from fleetpush.deploy.runner import Run
from tests.benchmarks.machine import TICK, Cpu
from tests.benchmarks.pair.model import Transfer, TransferError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleetpush.deploy.results import RunReport


ORIGIN = "origin"


class Deploy:
    """``hosts`` get the file one from the other; ``against`` names the bare loop that does as much."""

    def __init__(self, hosts: Sequence[str], *, encrypt: bool, chunk_size: int | None) -> None:
        size = "auto" if chunk_size is None else f"{chunk_size >> 10}K"
        link = "tls" if encrypt else "clear"
        self.name, self.against = f"{link} {size}", f"{link} bare"
        self._hosts = tuple(hosts)
        self._encrypt = encrypt
        self._chunk_size = chunk_size

    def run(self, source: Path, work: Path) -> Transfer:
        watch = Watch(source, work, self._hosts)
        return watch.transfer(asyncio.run(Run(self._options(source, work), watch).execute()))

    def _options(self, source: Path, work: Path) -> DeployOptions:
        chain = len(self._hosts) > 1
        return DeployOptions(
            sources=(str(source),),
            inventories=("".join(f"{host}," for host in self._hosts),),
            extra_vars=("ansible_connection=local",),
            dest=f"{work}/{{{{ inventory_hostname }}}}/copy",
            topology="tree" if chain else "auto",
            tree_fanout=1 if chain else None,
            chunk_size=self._chunk_size,
            encrypt=self._encrypt,
            gather=True,
        )


class Watch:
    """Reads the agents' clocks at the right moments (an ``Observer``)."""

    def __init__(self, source: Path, work: Path, hosts: Sequence[str]) -> None:
        self._source = source
        self._places = {work / host: host for host in hosts}
        self._pids: dict[str, int] = {}
        self._before: dict[str, Cpu] = {}
        self._after: dict[str, Cpu] = {}
        self._moved_at = 0.0

    def handle(self, event: progress.Event) -> None:
        if not isinstance(event, progress.HostPhaseChanged):
            return
        if event.phase is HostPhase.EXCHANGING and not self._before:
            self._pids = self._agents()
            self._before = self._spent()
        elif event.phase is HostPhase.VERIFYING:
            self._moved_at = event.at
        elif event.phase is HostPhase.DONE and self._before:
            self._after = self._spent()

    def transfer(self, report: RunReport) -> Transfer:
        """Raises TransferError if the deploy failed."""
        makespan = report.timing.makespan_s
        if report.exit_code != 0 or makespan is None:
            raise TransferError("; ".join(r.message for r in report.results) or report.error)
        proved = max(r.verified_at_s or 0.0 for r in report.results)
        spent = {name: self._after[name] - before for name, before in self._before.items()}
        return Transfer(makespan, self._moved_at - (proved - makespan), _by_place(spent, report))

    def _spent(self) -> dict[str, Cpu]:
        return {place: cpu_of(pid) for place, pid in self._pids.items()}

    def _agents(self) -> dict[str, int]:
        """By what they hold open: the source, or a file in a host's folder."""
        found = {ORIGIN: 0, **dict.fromkeys(self._places.values(), 0)}
        for pid in children(os.getpid()):
            for file in open_files(pid):
                if file == self._source:
                    found[ORIGIN] = pid
                elif file.parent in self._places:
                    found[self._places[file.parent]] = pid
        assert all(found.values()), found
        return found


def _by_place(spent: dict[str, Cpu], report: RunReport) -> dict[str, Cpu]:
    """The host that passed things on is the relay: whoever was ready first."""
    line = sorted(report.results, key=lambda result: -result.bytes_sent)
    places = ("relay", "receiver") if len(line) > 1 else ("receiver",)
    named = {place: spent[result.host] for place, result in zip(places, line, strict=True)}
    return {"sender": spent[ORIGIN]} | named


def cpu_of(pid: int) -> Cpu:
    """What a process has used with all its threads: the sum exact, the system's part to the tick."""
    clock = ~pid << 3 | 2  # the process's own, as clock_getcpuclockid(3) names it
    whole = time.clock_gettime(clock)
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    system = int(fields[12]) * TICK
    return Cpu(whole - system, system)


def children(pid: int) -> list[int]:
    """Of all its threads."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(word) for task in tasks for word in (task / "children").read_text().split()]


def open_files(pid: int) -> list[Path]:
    return [link.readlink() for link in Path(f"/proc/{pid}/fd").iterdir()]
