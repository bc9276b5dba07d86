"""Content read back from the disk before anything is switched to it; shipped where ``--verify full`` asks.

What was just written is still in memory, and reading it there proves nothing about the disk. So it is synced,
the kernel is asked to forget it, and only then it is read. A filesystem that lives in memory has no other
place to read from.
"""

from __future__ import annotations

from fleetpush.agent.files import SLICE
from fleetpush.agent.place import StoreError
from fleetpush.lean.system import os
from fleetpush.swarm.manifest import chunk_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fleetpush.agent.files import Stream
    from fleetpush.swarm.manifest import Manifest


def read_back(
    manifest: Manifest, stream: Stream, fds: Iterable[int], progress: Callable[[int], None]
) -> set[int]:
    """The chunks that ``stream``, whose synced files ``fds`` are, does not hold. Raises OSError.

    ``progress`` gets the bytes read so far.
    """
    for fd in fds:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    buffer = memoryview(bytearray(SLICE))
    lost, done = set(), 0
    for chunk, digest in enumerate(manifest.chunk_digests):
        if chunk_digest(stream.leaves(chunk, buffer)) != digest:
            lost.add(chunk)
        done += manifest.chunk_length(chunk)
        progress(done)
    return lost


def refuse(lost: set[int], total: int, path: str) -> None:
    """Raises StoreError (verify_failed) where chunks are ``lost``."""
    if lost:
        raise StoreError(
            "verify_failed",
            f"{path}: {len(lost)} of {total} chunks read back differently "
            "from what was written; look at this host's disk and kernel log",
        )
