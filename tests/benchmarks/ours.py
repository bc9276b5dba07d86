"""fleetpush in the lab: one ``fleetpush deploy`` as a user types it, watched from outside."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.benchmarks.machine import Recorder
from tests.benchmarks.table import Run
from tests.e2e.hosts import is_agent

if TYPE_CHECKING:
    from tests.benchmarks.machine import Cpu
    from tests.lab.links import Carried
    from tests.lab.rated import RatedFleet

MARKS = {"agents": b"-I\0-S\0", "cli": b"-m\0fleetpush", "sshd": b"sshd"}
KILL_AT = 0.4
"""Share of all bytes delivered when the agents are killed that are to be."""


class Contestant(NamedTuple):
    """``fleetpush deploy`` with these ``flags``; ``kill`` agents are killed in the middle of each run."""

    name: str
    flags: tuple[str, ...] = ()
    kill: int = 0

    def run(self, fleet: RatedFleet, source: Path, work: Path) -> Run:
        """One deploy to every host, whose copies are checked and removed. ``work`` is an empty folder."""
        recorder = Recorder([h.namespace for h in (fleet.origin, *fleet.hosts.values())], MARKS)
        recorder.start()
        watch = Watch(fleet, source, self.kill)
        try:
            watch.follow(self._start(fleet, source, work))
        finally:
            recorder.stop()
        report = json.loads((work / "stdout").read_text())
        try:
            return _figures(self.name, fleet, source, report, watch, recorder)
        finally:
            _remove_copies(fleet, source)

    def _start(self, fleet: RatedFleet, source: Path, work: Path) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-m", "fleetpush", "deploy", str(source), "--gather"]
        words += ["-i", str(fleet.whole_inventory()), "--ssh-config", str(fleet.ssh_config())]
        words += ["-o", "json", "--progress", "json", *self.flags]
        # A home of its own: nothing is known about the source from the run before.
        env = {"PATH": os.environ["PATH"], "HOME": str(work), "PYTHONPATH": str(Path.cwd())}
        with (work / "stdout").open("wb") as out:
            return fleet.origin.popen(
                words, stdout=out, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=env
            )


class Watch:
    """Follows a deploy's events: when the exchange began, by the machine's clock, and how far it is."""

    def __init__(self, fleet: RatedFleet, source: Path, kill: int) -> None:
        self._fleet = fleet
        self._all_bytes = source.stat().st_size * len(fleet.hosts)
        self._kill = kill
        self._done: dict[str, int] = {}
        self.before: dict[str, Carried] = {}
        """What each link had carried when the exchange began."""
        self.zero = float("inf")
        """The run's own second 0 by ``time.monotonic``."""
        self.wall_s = 0.0
        self.killed: list[str] = []
        self.said: list[str] = []
        """Lines that were no events."""

    def follow(self, process: subprocess.Popen[bytes]) -> None:
        """Until the command has ended; whatever happens, it does not outlive this."""
        began = time.monotonic()
        try:
            assert process.stderr is not None
            for line in process.stderr:
                self._take(line)
        finally:
            process.terminate()
            # Before the wait: what it still says nobody reads, and a full pipe would keep it for good.
            process.stderr.close()  # type: ignore[union-attr]
            process.wait()
        self.wall_s = time.monotonic() - began

    def _take(self, line: bytes) -> None:
        try:
            event: dict[str, Any] = json.loads(line)
        except ValueError:
            self.said.append(line.decode(errors="replace").strip())
            return
        self.zero = min(self.zero, time.monotonic() - event["at"])
        if event["event"] == "notice":
            self.said.append(event["message"])
        elif event.get("phase") == "exchanging" and not self.before:
            self.before = self._fleet.carried()
        elif event["event"] == "host_progress":
            self._done[event["host"]] = event["bytes_done"]
            if self._kill and sum(self._done.values()) >= KILL_AT * self._all_bytes:
                self._kill_some()

    def _kill_some(self) -> None:
        """Spread over the fleet, without a word to anybody."""
        names = list(self._fleet.hosts)
        self.killed = [
            names[(2 * i + 1) * len(names) // (2 * self._kill)] for i in range(self._kill)
        ]
        self._kill = 0
        for name in self.killed:
            for pid in self._fleet.hosts[name].processes():
                with contextlib.suppress(OSError):
                    if is_agent(Path(f"/proc/{pid}/cmdline").read_bytes()):
                        os.kill(pid, signal.SIGKILL)


def _figures(
    name: str,
    fleet: RatedFleet,
    source: Path,
    report: dict[str, Any],
    watch: Watch,
    recorder: Recorder,
) -> Run:
    size, timing = source.stat().st_size, report["timing"]
    verified = {
        r["host"]: r["verified_at_s"] for r in report["results"] if r["status"] == "verified"
    }
    spared = set(verified) - set(fleet.layout.slow_names)
    if timing["makespan_s"] is None:
        return Run(name, 0.0, 0, watch.wall_s, {"exit": report["exit_code"], "said": watch.said})
    end = max(verified.values())
    first = end - timing["makespan_s"]
    whole, groups = recorder.spent(watch.zero + first, watch.zero + end)
    after = fleet.carried()
    delivered = size * len(verified) / 1e9
    notes: dict[str, Any] = {
        "cpu_s_per_gb": whole.busy / delivered,
        "lab_cpu_s_per_gb": _of_lab(groups) / delivered,
        "idle": whole.idle / (whole.busy + whole.idle),
        "origin_sent": (after["origin"].sent - watch.before["origin"].sent) / size,
        "origin_sent_by_document": report["traffic"]["origin_bytes_sent"] / size,
        "others_last_s": max(verified[name] for name in spared) - first,
        "first_host_s": min(verified.values()) - first,
        "gathered_s": timing["bootstrap_s"],
        "chunk_size": report["manifest"]["chunk_size"],
        "machine_user": whole.user / delivered,
        "machine_system": whole.system / delivered,
        "exit": report["exit_code"],
    }
    for group, cpu in groups.items():
        notes[f"{group}_user"] = cpu.user / delivered
        notes[f"{group}_system"] = cpu.system / delivered
    notes |= {f"{group}_rss_mb": recorder.peak_mb.get(group, 0.0) for group in MARKS}
    for rack in sorted(set(after) - {"origin"} - set(fleet.hosts)):
        notes[f"{rack}_copies"] = (after[rack].received - watch.before[rack].received) / size
    if watch.said:
        notes["said"] = watch.said
    if watch.killed:
        notes["killed"] = watch.killed
    return Run(name, timing["makespan_s"], _good(fleet, source), watch.wall_s, notes)


def _of_lab(groups: dict[str, Cpu]) -> float:
    return sum(cpu.busy for name, cpu in groups.items() if name != "outside")


def _copies(fleet: RatedFleet, source: Path) -> list[Path]:
    return [server.home(0) / source.name for server in fleet.servers.values()]


def _good(fleet: RatedFleet, source: Path) -> int:
    """Copies whose SHA-256 is the source's."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        wanted, *found = pool.map(_digest, [source, *_copies(fleet, source)])
    return found.count(wanted)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError:
        return "none"


def _remove_copies(fleet: RatedFleet, source: Path) -> None:
    """And what a host that failed kept for the next time."""
    for copy in _copies(fleet, source):
        for path in copy.parent.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
