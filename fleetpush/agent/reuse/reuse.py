"""Old content in the order of the new: what a store copies from, chunk by chunk."""

from __future__ import annotations

import stat
from bisect import bisect_right

from fleetpush.agent.destination import open_old
from fleetpush.agent.files import SLICE, OpenFiles
from fleetpush.agent.place import Place, StoreError, absolute, targets
from fleetpush.agent.reuse.anchors import SPAN, Anchor, Old, read_into, unpack
from fleetpush.agent.reuse.matching import Matching
from fleetpush.lean.compiled import sha256
from fleetpush.lean.suppress import suppress
from fleetpush.lean.system import os
from fleetpush.swarm.manifest import BLOCK, DIGEST, chunk_digest, leaves_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from fleetpush.agent.files import Reading
    from fleetpush.agent.ledger import Ledger
    from fleetpush.agent.reuse.matching import Piece
    from fleetpush.swarm.manifest import Manifest

    Write = Callable[[int, memoryview], None]

NOTHING = bytes(DIGEST)
"""Stands for the digest of a block that no old content is known for."""

SEARCHES = 2
"""An old file is searched through so many times at most."""

LEAST = 10
"""An old file under a tenth of the new one is not looked at."""

_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


class Reuse:
    """``wanted``: ``previous``, the directory that holds the older version ("" where the destination does);
    ``paths`` of other files that may hold some of it; ``anchors``, packed (see ``anchors``), in hex."""

    def __init__(self, manifest: Manifest, wanted: Mapping[str, Any], place: Place) -> None:
        """Raises StoreError for a destination that cannot be."""
        self.notes: list[str] = []
        """Of what was named and is of no use, for the operator."""
        inside = wanted["previous"] or (place.dest if manifest.tree is not None else "")
        if inside:
            place = Place(inside + "/", None, None, None, place.home)
        self._manifest = manifest
        self._previous = targets(manifest, place)
        self._paths = [absolute(path, place.home) for path in wanted["paths"]]
        self._fds = OpenFiles(self._open)
        self._anchors = self._by_file(bytes.fromhex(wanted["anchors"]))
        self._pieces: dict[int, tuple[list[Piece], list[Piece]]] = {}
        self._second: dict[int, bytes] = {}
        """Leaves by second guesses of chunks that are not whole."""
        self._named: list[Old] | None = None

    def _by_file(self, packed: bytes) -> dict[int, list[Anchor]]:
        found: dict[int, list[Anchor]] = {}
        for at, needle, check in unpack(packed):
            if at < self._manifest.size:
                (extent, *_) = self._manifest.extents(at, 1)
                span = min(SPAN, self._manifest.files[extent.file].size - extent.offset)
                anchor = Anchor(extent.offset, needle, check, span)
                found.setdefault(extent.file, []).append(anchor)
        return found

    # -- old files

    def _open(self, key: int) -> int:
        """The previous version of file ``key``, or behind those the paths; -1 where there is none."""
        with suppress(OSError, StoreError):
            if key < len(self._previous):
                target = self._previous[key]
                fd, found = open_old(target, -1)
                return open_old(target, found.st_size)[0] if found is not None else fd
            return os.open(self._paths[key - len(self._previous)], _READ)
        return -1

    def _olds(self, index: int) -> list[Old]:
        """What may hold parts of file ``index``."""
        if self._named is None:
            self._named = [
                old for key in range(len(self._paths)) for old in self._look_at_named(key)
            ]
        own = []
        size = self._size(self._fds[index])
        if size * LEAST >= self._manifest.files[index].size and size:
            own.append(Old(index, size))
        return own + self._named

    def _look_at_named(self, number: int) -> list[Old]:
        path, why = self._paths[number], "is no file on this host"
        try:
            there = stat.S_ISREG(os.stat(path).st_mode)
        except FileNotFoundError:
            return []  # not every host has it
        except (OSError, ValueError) as error:
            there, why = False, f"cannot be looked at ({error})"
        if there:
            key = len(self._previous) + number
            size = self._size(self._fds[key])
            if size >= 0:
                return [Old(key, size)] if size else []
            why = "cannot be read"
        self.notes.append(f"--reuse: {path} {why}; nothing of it is reused")
        return []

    def _size(self, fd: int) -> int:
        """-1 for what is no file."""
        if fd < 0:
            return -1
        found = os.fstat(fd)
        return found.st_size if stat.S_ISREG(found.st_mode) else -1

    # -- where in them

    def _find_pieces(self, index: int, reading: Reading) -> None:
        if index not in self._pieces:
            olds = self._olds(index)
            left = SEARCHES * sum(old.size for old in olds)

            def step(size: int) -> bool:
                nonlocal left
                left -= size
                reading.add(size)
                return left >= 0 and not reading.stop()

            size = self._manifest.files[index].size
            anchors = self._anchors.get(index, [])
            matching = Matching(size, olds, anchors, self._fds, step)
            self._pieces[index] = matching.pieces()

    # -- what is copied

    def take_over(
        self, chunks: Iterable[int], ledger: Ledger, write: Write, reading: Reading
    ) -> None:
        """Writes what may be of those ``chunks`` of which nothing is there to where it would be, and tells
        the ``ledger`` what it is. Raises what ``write`` does."""
        for chunk in chunks:
            if reading.stop():
                return
            if not ledger.have >> chunk & 1 and not ledger.found(chunk):
                self._take_over(chunk, ledger, write, reading)
            reading.add(self._manifest.chunk_length(chunk))

    def _take_over(self, chunk: int, ledger: Ledger, write: Write, reading: Reading) -> None:
        digest = self._manifest.chunk_digests[chunk]
        start = chunk * self._manifest.chunk_size
        length = self._manifest.chunk_length(chunk)
        for extent in self._manifest.extents(start, length):
            self._find_pieces(extent.file, reading)
        leaves = self._leaves(start, length, 0, write, reading.buffer)
        second = b""
        if chunk_digest(leaves) != digest:
            second = self._leaves(start, length, 1, None, reading.buffer)
            if chunk_digest(second) == digest:
                leaves = self._leaves(start, length, 1, write, reading.buffer)
        if chunk_digest(leaves) == digest:
            ledger.keep({chunk: leaves})
        elif length > BLOCK and (leaves or second):
            ledger.note(chunk, leaves or NOTHING * self._manifest.blocks_in(chunk))
            if second:
                self._second[chunk] = second

    def _leaves(
        self, start: int, length: int, guess: int, write: Write | None, buffer: memoryview
    ) -> bytes:
        """The digests of what the ``guess`` says lies from ``start``, ``NOTHING`` for a block of which it
        knows nothing; none at all if it knows none. What it knows is given to ``write``."""
        extents = self._manifest.extents(start, length)
        if not any(self._pieces[extent.file][guess] for extent in extents):
            return b""
        found, some, end = [], False, start + length
        while start < end:
            view = buffer[: min(SLICE, end - start)]
            if self._read(start, view, guess):
                some = True
                found += leaves_of(view)
                if write is not None:
                    write(start, view)
            else:
                for at in range(0, len(view), BLOCK):
                    part = view[at : at + BLOCK]
                    there = self._read(start + at, part, guess)
                    some = some or there
                    found.append(sha256(part).digest() if there else NOTHING)
                    if there and write is not None:
                        write(start + at, part)
            start += len(view)
        return b"".join(found) if some else b""

    def _read(self, start: int, view: memoryview, guess: int) -> bool:
        """Fills ``view`` with what the ``guess`` says lies from ``start``; False if not all is there."""
        at = 0
        for extent in self._manifest.extents(start, len(view)):
            pieces = self._pieces[extent.file][guess]
            position, end = extent.offset, extent.offset + extent.length
            index = bisect_right([piece.start for piece in pieces], position) - 1
            while position < end:
                if not 0 <= index < len(pieces):
                    return False
                piece = pieces[index]
                size = min(end, piece.end) - position
                if size <= 0 or position < piece.start:
                    return False
                fd = self._fds[piece.place.old.key]
                offset = position + piece.place.shift
                if fd < 0 or not read_into(fd, offset, view[at : at + size]):
                    return False
                at += size
                position += size
                index += 1
        return True

    # -- when the leaves are known

    def fill(self, chunk: int, leaves: bytes, ledger: Ledger, write: Write) -> None:
        """Writes the blocks that a second guess has right and that are lacking. Raises as ``write``."""
        second = self._second.pop(chunk, b"")
        if not second or ledger.have >> chunk & 1:
            return
        there = ledger.skips(chunk)
        filled = 0
        for block in range(ledger.progress(chunk), self._manifest.blocks_in(chunk)):
            leaf = leaves[block * DIGEST : (block + 1) * DIGEST]
            if there >> block & 1 or second[block * DIGEST : (block + 1) * DIGEST] != leaf:
                continue
            start = chunk * self._manifest.chunk_size + block * BLOCK
            data = memoryview(bytearray(self._manifest.block_length(chunk, block)))
            # Hashed as it is copied: the file may be another one by now.
            if self._read(start, data, 1) and sha256(data).digest() == leaf:
                write(start, data)
                filled |= 1 << block
        if filled:
            ledger.hold(chunk, filled)

    def close(self) -> None:
        self._fds.clear()
