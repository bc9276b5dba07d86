"""What is verified of a manifest's chunks: which are whole, how far the others are, which leaves are known.

Nothing here touches the disk; whoever writes or reads says so.
"""

from __future__ import annotations

from fleetpush.lean.compiled import sha256
from fleetpush.swarm import bitfield
from fleetpush.swarm.manifest import DIGEST, chunk_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fleetpush.swarm.manifest import Manifest

ADDED, WHOLE, DUPLICATE, CORRUPT = range(4)
"""What became of a block: kept; kept and its chunk is whole; not wanted now; not what it claims to be."""


IN_VAIN = 8
"""Chunks in a row after which what else was found is given up: to ask costs a round trip a chunk."""


class Ledger:
    """``have`` is the bitfield of whole verified chunks."""

    __slots__ = ("_found", "_here", "_leaves", "_manifest", "_progress", "_vain", "have", "reused")

    def __init__(self, manifest: Manifest) -> None:
        self.have = 0
        self._manifest = manifest
        self._progress = [0] * manifest.chunks
        self._leaves: dict[int, bytes] = {}
        self._found: dict[int, bytes] = {}
        """Leaves of what was read in chunks that are not whole."""
        self._here: dict[int, int] = {}
        """Sets of blocks of chunks that are not whole, verified beyond their ``progress``."""
        self._vain = 0
        """Chunks in a row of which what was found was nothing."""
        self.reused = 0
        """Bytes that need not come: they were here."""

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

    def note(self, chunk: int, leaves: bytes) -> bool:
        """What the disk holds where the chunk is to be, though it is not the chunk. True: go on."""
        self._found[chunk] = leaves
        return True

    def found(self, chunk: int) -> bool:
        """Whether anything was noted of ``chunk``."""
        return chunk in self._found

    def forget_found(self) -> None:
        self._found.clear()

    def drop(self, lost: Iterable[int]) -> None:
        """These are not there after all."""
        for chunk in lost:
            self.have &= ~(1 << chunk)
            self._progress[chunk] = 0

    def _complete(self, chunk: int) -> None:
        if not self.have >> chunk & 1:
            self.reused += self._manifest.chunk_length(chunk)
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
        if chunk in self._found:
            found = self._found.pop(chunk)
            starts = range(0, len(leaves), DIGEST)
            same = [found[at : at + DIGEST] == leaves[at : at + DIGEST] for at in starts]
            self.hold(chunk, bitfield.of(block for block, is_same in enumerate(same) if is_same))
        return True

    def hold(self, chunk: int, blocks: int) -> None:
        """This set of its blocks is verified and written, too. Its leaves are known."""
        for block in bitfield.chunks(blocks):
            self.reused += self._manifest.block_length(chunk, block)
        self._vain = 0 if blocks else self._vain + 1
        if self._vain == IN_VAIN:
            self._found.clear()
        self._here[chunk] = self._here.get(chunk, 0) | blocks
        self._step_over(chunk)

    def _step_over(self, chunk: int) -> None:
        """Past the blocks that are there already."""
        here, block = self._here.get(chunk, 0), self._progress[chunk]
        if here:
            while here >> block & 1:
                block += 1
            self._progress[chunk] = block
        if block == self._manifest.blocks_in(chunk):
            self._here.pop(chunk, None)
            self.have |= 1 << chunk

    def sifts(self, chunk: int) -> bool:
        """Whether its leaves would tell which of its blocks are there."""
        return chunk in self._found and chunk not in self._leaves

    def skips(self, chunk: int) -> int:
        """The set of its verified blocks beyond ``progress``."""
        block = self._progress[chunk]
        return self._here.get(chunk, 0) >> block << block

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
        self._step_over(chunk)
        return WHOLE if self.have >> chunk & 1 else ADDED
