"""Files that an earlier run verified, and that nobody has touched since: they need not be read again.

A file is the one that was verified if device, inode, size and both times are those noted then. The note is
made no sooner than ``SETTLE`` seconds after the last change, so that any later one shows in the times.
"""

from __future__ import annotations

from fleetpush.lean.system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from fleetpush.swarm.manifest import Manifest

SETTLE = 0.05
"""Seconds: more than the coarsest clock tick that a Linux kernel stamps files with."""


MANY = 1000
"""Files of a tree beyond which their notes would be more to send than they save."""


def note_of(fd: int) -> list[int]:
    """What a file is known again by. Raises OSError."""
    return note(os.fstat(fd))


def note(found: os.stat_result) -> list[int]:
    """The same, of what was found of it."""
    return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def untouched(fds: Sequence[int], known: Mapping[int, Sequence[int]]) -> set[int]:
    """The numbers of the files that are still as ``known`` notes them; -1 stands for a missing one."""
    return {
        index
        for index, fd in enumerate(fds)
        if fd >= 0 and index in known and list(known[index]) == note_of(fd)
    }


def chunks_within(manifest: Manifest, files: Collection[int]) -> int:
    """The bitfield of the chunks all of whose bytes lie in ``files``."""
    if not files:
        return 0
    mask = 0
    for chunk in range(manifest.chunks):
        start = chunk * manifest.chunk_size
        extents = manifest.extents(start, manifest.chunk_length(chunk))
        if all(extent.file in files for extent in extents):
            mask |= 1 << chunk
    return mask
