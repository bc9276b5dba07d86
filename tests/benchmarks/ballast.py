"""Memory that was touched before, for whoever is measured.

A virtual machine that gives free memory back to its host pays for each page that it touches anew: 1 to 8
processor seconds a gigabyte on ours, five to forty times what writing it costs. On real
machines nobody pays that. So as much memory as a run will take is touched beforehand and freed but for one
page in each ``KEPT_OF``. Those keep the free ones from growing together into blocks of the 2 MiB that are
given back, and the page allocator prefers small blocks: what was touched stays, and is what is taken, in
one run after another.
"""

from __future__ import annotations

import mmap
from typing import Self

KEPT_OF = 256 * 1024
"""Bytes."""


class Ballast:
    """``size`` bytes, from entering to leaving."""

    def __init__(self, size: int) -> None:
        rounded = -(-size // KEPT_OF) * KEPT_OF
        self._room = mmap.mmap(-1, rounded, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

    def __enter__(self) -> Self:
        for page in range(0, len(self._room), mmap.PAGESIZE):
            self._room[page] = 1
        for kept in range(0, len(self._room), KEPT_OF):
            self._room.madvise(mmap.MADV_DONTNEED, kept + mmap.PAGESIZE, KEPT_OF - mmap.PAGESIZE)
        return self

    def __exit__(self, *problem: object) -> None:
        self._room.close()
