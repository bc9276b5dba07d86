"""Block digests that the command kept when it hashed the source: an origin need not hash it all once more.

Nothing here is believed: a chunk's digests are those that the manifest's digest is of, and what is read
counts as what was hashed only while device, inode, size and both times of its files are as they were then.
"""

from __future__ import annotations

from fleetpush.agent.kept import note_of
from fleetpush.lean.system import os
from fleetpush.swarm.manifest import BLOCK, DIGEST, chunk_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleetpush.swarm.manifest import Manifest


class KnownLeaves:
    """Of all chunks, one behind the other from ``offset`` of the file ``path``. ``files``: by the files'
    numbers, what each is known again by (``kept.note``). Raises OSError."""

    def __init__(
        self, manifest: Manifest, path: str, offset: int, files: Sequence[Sequence[int]]
    ) -> None:
        self._manifest = manifest
        self._offset = offset
        self._files = [list(note) for note in files]
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def of(self, chunk: int) -> bytes | None:
        """The chunk's block digests, joined; None if these are not they."""
        stride = self._manifest.chunk_size // BLOCK * DIGEST
        count = self._manifest.blocks_in(chunk) * DIGEST
        try:
            found = os.pread(self._fd, count, self._offset + chunk * stride)
        except OSError:
            return None
        return found if chunk_digest(found) == self._manifest.chunk_digests[chunk] else None

    def are_of(self, file: int, fd: int) -> bool:
        """Whether nobody has written to file number ``file``, open as ``fd``. Raises OSError."""
        return note_of(fd) == self._files[file]

    def close(self) -> None:
        os.close(self._fd)
