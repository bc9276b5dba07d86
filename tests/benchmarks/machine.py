"""What the machine's processors do while something runs: in all, and which of the lab's processes do it."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TICK = 1.0 / os.sysconf("SC_CLK_TCK")
KERNEL_THREAD = 0x00200000  # PF_KTHREAD of linux/sched.h
PAGE = os.sysconf("SC_PAGE_SIZE")
EVERY = 1.0
"""Seconds between samples; moments in between are interpolated."""

YOUNG = 4
"""Looks at a process until it counts as the program that it is: before that it may become another."""


class Cpu(NamedTuple):
    """Seconds of all processors together. ``system`` is the kernel's, its interrupts included."""

    user: float
    system: float
    idle: float = 0.0

    @property
    def busy(self) -> float:
        return self.user + self.system

    def __sub__(self, other: Cpu) -> Cpu:
        return Cpu(*(a - b for a, b in zip(self, other, strict=True)))

    def between(self, later: Cpu, share: float) -> Cpu:
        return Cpu(*(a + share * (b - a) for a, b in zip(self, later, strict=True)))


def machine() -> Cpu:
    """Since boot, from /proc/stat: waiting for a disk is idle, what a hypervisor took is nobody's."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]
    user, nice, system, idle, iowait, irq, softirq = (int(word) * TICK for word in words)
    return Cpu(user + nice, system + irq + softirq, idle + iowait)


class Sample(NamedTuple):
    at: float
    machine: Cpu
    groups: dict[str, Cpu]


class Recorder(threading.Thread):
    """Samples from ``start`` until ``stop``, by groups.

    Processes of the network namespaces ``inside`` are told apart by ``marks``: the first group whose mark
    is in the command line, else "other". The kernel's own threads, which forward packets and write files
    for everybody, are "kernel", all the rest is "outside".
    """

    def __init__(self, inside: Iterable[str], marks: Mapping[str, bytes]) -> None:
        super().__init__(daemon=True)
        self.peak_mb: dict[str, float] = {}
        """Of the largest process of each group: its resident memory."""
        self._inside = {Path("/run/netns", name).stat().st_ino for name in inside}
        self._marks = marks
        self._group_of: dict[tuple[int, int], str] = {}
        self._looks: dict[tuple[int, int], int] = {}
        self._spent: dict[tuple[int, int], Cpu] = {}
        self._samples: list[Sample] = []
        self._ended = threading.Event()

    def run(self) -> None:
        self._sample()
        while not self._ended.wait(EVERY):
            self._sample()

    def stop(self) -> None:
        self._ended.set()
        self.join()
        self._sample()

    def spent(self, began: float, ended: float) -> tuple[Cpu, dict[str, Cpu]]:
        """Between two moments (``time.monotonic``) of the recording: the machine, and each group."""
        whole_a, groups_a = self._at(began)
        whole_b, groups_b = self._at(ended)
        none = Cpu(0.0, 0.0)
        return whole_b - whole_a, {n: groups_b[n] - groups_a.get(n, none) for n in groups_b}

    def _at(self, moment: float) -> tuple[Cpu, dict[str, Cpu]]:
        after = next((s for s in self._samples if s.at >= moment), self._samples[-1])
        before = next((s for s in reversed(self._samples) if s.at <= moment), self._samples[0])
        share = (moment - before.at) / (after.at - before.at) if after.at > before.at else 0.0
        none = Cpu(0.0, 0.0)
        groups = {n: before.groups.get(n, none).between(c, share) for n, c in after.groups.items()}
        return before.machine.between(after.machine, share), groups

    def _sample(self) -> None:
        whole, at = machine(), time.monotonic()
        for entry in os.listdir("/proc"):
            if entry.isdecimal():
                try:
                    self._look_at(int(entry))
                except OSError:
                    continue  # it ended just now; what it spent up to the last look stands
        groups: dict[str, Cpu] = {}
        for key, cpu in self._spent.items():
            group = self._group_of.get(key, "outside")
            sum_ = groups.get(group, Cpu(0.0, 0.0))
            groups[group] = Cpu(sum_.user + cpu.user, sum_.system + cpu.system)
        self._samples.append(Sample(at, whole, groups))

    def _look_at(self, pid: int) -> None:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        key = pid, int(fields[19])  # with its start: numbers are used again
        looks = self._looks[key] = self._looks.get(key, 0) + 1
        if looks <= YOUNG:
            self._group_of[key] = self._group(pid, int(fields[6]))
        group = self._group_of.get(key, "outside")
        self._spent[key] = Cpu(int(fields[11]) * TICK, int(fields[12]) * TICK)
        resident = int(fields[21]) * PAGE / 2**20
        self.peak_mb[group] = max(self.peak_mb.get(group, 0.0), resident)

    def _group(self, pid: int, flags: int) -> str:
        if flags & KERNEL_THREAD:
            return "kernel"
        if os.stat(f"/proc/{pid}/ns/net").st_ino not in self._inside:
            return "outside"
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
        return next((name for name, mark in self._marks.items() if mark in line), "other")
