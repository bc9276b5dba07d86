"""What is verified of a manifest's chunks: which are whole, how far the others are, which leaves are known.

Nothing here touches the disk; whoever writes or reads says so.
"""

from __future__ import annotations

from hashlib import sha256

from fleetpush.swarm.manifest import DIGEST, chunk_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fleetpush.swarm.manifest import Manifest

ADDED, WHOLE, DUPLICATE, CORRUPT = range(4)
"""What became of a block: kept; kept and its chunk is whole; not wanted now; not what it claims to be."""


class Ledger:
    """``have`` is the bitfield of whole verified chunks."""

    __slots__ = ("_found", "_leaves", "_manifest", "_progress", "have")

    def __init__(self, manifest: Manifest) -> None:
        self.have = 0
        self._manifest = manifest
        self._progress = [0] * manifest.chunks
        self._leaves: dict[int, bytes] = {}
        self._found: dict[int, bytes] = {}
        """Leaves of what was read in chunks that are not whole."""

    def progress(self, chunk: int) -> int:
        """Verified blocks from the chunk's start without a gap."""
        return self._progress[chunk]

    def leaves(self, chunk: int) -> bytes | None:
        """The chunk's block digests, joined, if known."""
        return self._leaves.get(chunk)

    # -- what is there already

    def keep(self, whole: Mapping[int, bytes]) -> None:
        """These chunks are there, and their leaves."""
        self._leaves.update(whole)
        for chunk in whole:
            self._complete(chunk)

    def trust(self, chunks: Iterable[int]) -> None:
        """These are there; nobody has asked for their leaves yet."""
        for chunk in chunks:
            self._complete(chunk)

    def remember(self, chunk: int, leaves: bytes) -> None:
        """A trusted chunk was read after all."""
        self._leaves[chunk] = leaves

    def note(self, chunk: int, leaves: bytes) -> None:
        """What the disk holds where the chunk is to be, though it is not the chunk."""
        self._found[chunk] = leaves

    def forget_found(self) -> None:
        self._found.clear()

    def drop(self, lost: Iterable[int]) -> None:
        """These are not there after all."""
        for chunk in lost:
            self.have &= ~(1 << chunk)
            self._progress[chunk] = 0

    def _complete(self, chunk: int) -> None:
        self._progress[chunk] = self._manifest.blocks_in(chunk)
        self.have |= 1 << chunk

    # -- what comes in

    def learn(self, chunk: int, leaves: bytes) -> bool:
        """Whether these are the chunk's leaves; what was found of it and matches them counts from now on."""
        if chunk in self._leaves:
            return self._leaves[chunk] == leaves
        if chunk_digest(leaves) != self._manifest.chunk_digests[chunk]:
            return False
        self._leaves[chunk] = leaves
        if self.have >> chunk & 1:
            return True
        found = self._found.pop(chunk, b"")
        blocks = 0
        while found and found[blocks * DIGEST :][:DIGEST] == leaves[blocks * DIGEST :][:DIGEST]:
            blocks += 1  # ends before the last: a chunk whose leaves all match is whole already
        self._progress[chunk] = blocks
        return True

    def judge(self, chunk: int, block: int, data: memoryview) -> int:
        """ADDED for the chunk's next block: write it, then say ``took``. Else DUPLICATE or CORRUPT, which
        it is if it does not match its leaf, or the leaves are not known."""
        if block != self._progress[chunk]:
            return DUPLICATE
        leaves = self._leaves.get(chunk)
        if leaves is None or sha256(data).digest() != leaves[block * DIGEST : (block + 1) * DIGEST]:
            return CORRUPT
        return ADDED

    def took(self, chunk: int) -> int:
        """The chunk's next block is written: ADDED, or WHOLE."""
        self._progress[chunk] += 1
        if self._progress[chunk] < self._manifest.blocks_in(chunk):
            return ADDED
        self.have |= 1 << chunk
        return WHOLE
