"""Memory that was touched before, for whoever is measured.

A virtual machine that gives free memory back to its host pays for each page that it touches anew: 3
processor seconds a gigabyte of page cache on ours, ten times what writing it costs. On real
machines nobody pays that. So the memory that a run will take is touched beforehand, and let go as
the run takes memory: what was freed last is handed out first.
"""

from __future__ import annotations

import mmap
import threading
from pathlib import Path
from typing import Self

SLICE = 64 << 20
AHEAD = 4 * SLICE
"""So much more than was taken so far is free and touched."""

EVERY = 0.02
PAGE = 4096


class Ballast:
    """``size`` bytes, from entering to leaving."""

    def __init__(self, size: int) -> None:
        self._slices = [mmap.mmap(-1, SLICE) for _ in range(-(-size // SLICE))]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._let_go, daemon=True)

    def __enter__(self) -> Self:
        for room in self._slices:
            for page in range(0, SLICE, PAGE):
                room[page] = 1
        self._thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._over.set()
        self._thread.join()
        for room in self._slices:
            room.close()

    def _let_go(self) -> None:
        before, freed = _used(), 0
        while self._slices and not self._over.wait(EVERY):
            taken = _used() - before + freed
            while self._slices and freed < taken + AHEAD:
                self._slices.pop().close()
                freed += SLICE


def _used() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    found = dict(line.split(":") for line in lines)
    return 1024 * (int(found["MemTotal"].split()[0]) - int(found["MemFree"].split()[0]))
