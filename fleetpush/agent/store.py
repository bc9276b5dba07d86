"""The chunks of one manifest on this host's disk: found, taken in, given out, proved, activated.

Every block is checked against its leaf before it is written, and no record of what is there is kept here
or believed: what an earlier run left is hashed again, but for finished files that are known (``kept``). All
calls come from the agent's event loop, except ``open``, ``scan``, ``flush`` and ``finish``, which wait for
the disk and belong in a worker thread.
"""

from __future__ import annotations

import stat

from fleetpush.agent.comparing import compare
from fleetpush.agent.descent import open_directory, unmake
from fleetpush.agent.destination import open_old, settle, sync_directory, try_owner
from fleetpush.agent.files import SLICE, Reading, Stream, close_all, reserve
from fleetpush.agent.kept import chunks_within, note_of, untouched
from fleetpush.agent.ledger import ADDED, CORRUPT, DUPLICATE, WHOLE, Ledger
from fleetpush.agent.partial import Partial
from fleetpush.agent.place import (
    UNCHANGED,
    Place,
    StoreError,
    Target,
    explain,
    explained,
    ownership,
    targets,
)
from fleetpush.lean.system import os
from fleetpush.lean.threads import Lock
from fleetpush.swarm import bitfield
from fleetpush.swarm.manifest import BLOCK, chunk_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from fleetpush.agent.reuse import Reuse
    from fleetpush.swarm.manifest import Manifest

__all__ = ["ADDED", "CORRUPT", "DUPLICATE", "WHOLE", "HostStore", "Place", "StoreError"]

DESTINATION: dict[str, Any] = {"previous": "", "paths": (), "anchors": ""}
"""Older content is looked for where the new goes."""


class HostStore:
    """``present``: the destination itself is the content.

    Call ``close`` in the end whatever has happened, and only after the worker thread's last call returned
    or was told to stop.
    """

    def __init__(
        self,
        manifest: Manifest,
        place: Place,
        *,
        verify_full: bool = False,
        known: Mapping[int, Sequence[int]] | None = None,
        reuse: Mapping[str, Any] | None = DESTINATION,
    ) -> None:
        """``known``: notes by the files' numbers (``note_of``) of destinations that hold their content.
        ``reuse``: where older content is looked for (see ``Reuse``), None if nowhere."""
        self.present = False
        self._manifest = manifest
        self._ledger = Ledger(manifest)
        self._place = place
        self._verify_full = verify_full
        self._targets: list[Target] = []
        self._directories: dict[tuple[str, ...], int] = {}
        self._made: list[str] = []
        self._old: list[int] = []
        self._replaced: list[os.stat_result | None] = []
        self._owner = (UNCHANGED, UNCHANGED)
        self._known = known or {}
        self._relied = False
        self._wanted = reuse
        self._reuse: Reuse | None = None
        self._kept: set[int] = set()
        self._trusted = 0
        """Chunks that lie in kept files alone: had, and their leaves not known before somebody asks."""
        self._partials: dict[int, Partial] = {}
        self._stream = Stream(manifest, [])
        self._scanned = False
        self._dirty = False
        self._disk_work = Lock()
        self._umask = os.umask(0o077)
        os.umask(self._umask)

    @property
    def have(self) -> int:
        """The bitfield of whole verified chunks."""
        return self._ledger.have

    @property
    def reused(self) -> int:
        """Bytes of the content that were here already."""
        return self._ledger.reused

    @property
    def notes_of_reuse(self) -> list[str]:
        """What the operator should know of files that were to be reused."""
        return [] if self._reuse is None else self._reuse.notes

    # -- what is there already

    def open(self) -> str:
        """Finds the destination and what there is of it.

        Returns "present" (a destination of the right size, for ``scan`` to prove), "partial" or "new".
        Unless present, the room is reserved and the destination locked now. Raises StoreError.
        """
        with self._disk_work, explained(self._place.dest):
            self._targets = targets(self._manifest, self._place)
            self._owner = ownership(self._place)
            for target, file in zip(self._targets, self._manifest.files):
                with explained(target.path):
                    fd, found = open_old(target, file.size)
                self._old.append(fd)
                self._replaced.append(found)
            self._kept = untouched(self._old, self._known)
            self._trusted = chunks_within(self._manifest, self._kept)
            self._relied = bool(self._kept)
            if -1 not in self._old:
                return "present"
            return self._stage()

    def _stage(self) -> str:
        owners = {os.geteuid(), self._owner[0]}
        staged = [index for index in range(len(self._targets)) if index not in self._kept]
        for index in staged:
            target = self._targets[index]
            with explained(target.path):
                directory = self._directory_of(target)
                partial = Partial(target, directory, self._manifest.name, owners)
                self._partials[index] = partial
                try_owner(partial.fd, self._owner, target.path)
        fds = [partial.fd for partial in self._partials.values()]
        there = {index: self._old[index] for index in self._kept}
        there |= {index: partial.fd for index, partial in self._partials.items()}
        self._stream = Stream(
            self._manifest, [there[index] for index in range(len(there))], self._kept
        )
        first = self._targets[staged[0]]
        with explained(first.path):
            sizes = [self._manifest.files[index].size for index in staged]
            reserve(fds, sizes, self._directory_of(first), first.path)
        return "partial" if any(partial.existed for partial in self._partials.values()) else "new"

    def _directory_of(self, target: Target) -> int:
        key = (target.directory, *target.below)
        if key not in self._directories:
            self._directories[key] = open_directory(target, self._made)
        return self._directories[key]

    def scan(self, progress: Callable[[int], None], stop: Callable[[], bool]) -> None:
        """Hashes what is there: fills ``have`` and ``present``.

        ``progress`` gets the bytes read so far; once ``stop`` says so, returns early. Where the destination
        has other content, what may be of use of it is copied to the partial. Raises StoreError.
        """
        with self._disk_work, explained(self._targets[0].path):
            old = Stream(self._manifest, self._old)
            reading = Reading(progress, stop)
            looked_at = [c for c in range(self._manifest.chunks) if not self._trusted >> c & 1]
            if -1 not in self._old:
                # It ends with the first that differs: the rest is read when it is taken over.
                common = compare(
                    self._manifest, old, looked_at, reading, holes=True, differs=lambda *_: False
                )
                if len(common) == len(looked_at):
                    self._stream = old
                    self.present = True
                    self._ledger.keep(common)
            if not self.present:
                self._scan_partials(looked_at, reading)
            self._ledger.trust(bitfield.chunks(self._trusted))
            self._scanned = not stop()

    def _scan_partials(self, chunks: Sequence[int], reading: Reading) -> None:
        if reading.stop():
            return
        if not self._partials:
            self._stage()
        self._ledger.forget_found()
        if any(partial.existed for partial in self._partials.values()):
            self._ledger.keep(self._compare(self._stream, chunks, reading, holes=False))
        if self._wanted and (
            self._wanted["paths"] or self._wanted["previous"] or any(self._replaced)
        ):
            self._take_over(self._wanted, chunks, reading)

    def _take_over(
        self, wanted: Mapping[str, Any], chunks: Sequence[int], reading: Reading
    ) -> None:
        """Copies what older content may have of those ``chunks`` that are missing."""
        from fleetpush.agent.reuse import Reuse  # only where there is any

        self._reuse = Reuse(self._manifest, wanted, self._place)
        self._reuse.take_over(chunks, self._ledger, self._write, reading)

    def _write(self, start: int, data: memoryview) -> None:
        self._stream.write(start, data)
        self._dirty = True

    def _compare(
        self, stream: Stream, chunks: Iterable[int], reading: Reading, *, holes: bool
    ) -> dict[int, bytes]:
        """The leaves of the chunks that ``stream`` holds whole; what else it holds is noted."""
        note = self._ledger.note
        return compare(self._manifest, stream, chunks, reading, holes=holes, differs=note)

    # -- the exchange

    def progress(self, chunk: int) -> int:
        """Verified blocks from the chunk's start without a gap."""
        return self._ledger.progress(chunk)

    def leaves(self, chunk: int) -> bytes | None:
        """The chunk's block digests, joined, if known. Raises StoreError for a known file that lied."""
        leaves = self._ledger.leaves(chunk)
        if leaves is None and self._trusted >> chunk & 1:
            leaves = self._leaves_of_known(chunk)
            self._ledger.remember(chunk, leaves)
        return leaves

    def _leaves_of_known(self, chunk: int) -> bytes:
        with explained(self._place.dest):
            leaves = self._stream.leaves(chunk, memoryview(bytearray(SLICE)))
        if chunk_digest(leaves) != self._manifest.chunk_digests[chunk]:
            raise StoreError(
                "known_file_changed",
                f"{self._place.dest}: a file there is not what was verified, though its times say so: "
                "deploy again with --checksum, and look at what writes there",
            )
        return leaves

    def put_leaves(self, chunk: int, leaves: bytes) -> bool:
        """Whether they are the chunk's; if so, what is here of it counts. Raises StoreError."""
        sifts = self._ledger.sifts(chunk)
        if not self._ledger.learn(chunk, leaves):
            return False
        if sifts and self._reuse is not None:
            with explained(self._targets[0].path):
                self._reuse.fill(chunk, leaves, self._ledger, self._write)
        return True

    def sifts(self, chunk: int) -> bool:
        """Whether its leaves would tell that some of it is here."""
        return self._ledger.sifts(chunk)

    def skips(self, chunk: int) -> int:
        """The set of its verified blocks beyond ``progress``."""
        return self._ledger.skips(chunk)

    def put_block(self, chunk: int, block: int, data: memoryview) -> int:
        """Takes the chunk's next block: ADDED or WHOLE; any other is a DUPLICATE.

        CORRUPT: it does not match its leaf, or the leaves are not known. Raises StoreError.
        """
        judged = self._ledger.judge(chunk, block, data)
        if judged != ADDED:
            return judged
        try:
            self._write(chunk * self._manifest.chunk_size + block * BLOCK, data)
        except OSError as error:
            raise explain(error, self._targets[0].path) from error
        return self._ledger.took(chunk)

    def read_block(self, chunk: int, block: int) -> bytes:
        """A verified block, also after activation. Raises IndexError for any other, StoreError."""
        if not 0 <= block < self._ledger.progress(chunk):
            raise IndexError(f"block {block} of chunk {chunk} is not here")
        start = chunk * self._manifest.chunk_size + block * BLOCK
        try:
            return self._stream.read(start, self._manifest.block_length(chunk, block))
        except OSError as error:
            raise explain(error, self._targets[0].path) from error

    def flush(self) -> None:
        """Writes what is new to the disk, so that the last sync is short. Raises StoreError."""
        with self._disk_work:
            if self._dirty:
                self._dirty = False
                for partial in self._partials.values():
                    with explained(partial.path):
                        partial.sync(os.fdatasync)

    # -- the end

    def finish(self, progress: Callable[[int], None] = lambda done: None) -> None:
        """Proves the content (``verify_full``: read back from the disk), sets owner and mode, syncs.

        ``progress`` gets the bytes read back so far. Raises StoreError;
        ``verify_failed`` after dropping the chunks that did not come back.
        """
        if self.have.bit_length() != self._manifest.chunks or self.have & (self.have + 1):
            raise StoreError("incomplete", f"{self._targets[0].path}: not every chunk is there")
        with self._disk_work:
            if self._verify_full:
                for index, target in enumerate(self._targets):
                    with explained(target.path):
                        self._sync(index)
                with explained(self._targets[0].path):
                    self._read_back(self._stream, self._stream.listed, progress)
            files = zip(self._stream.listed, self._targets, self._replaced)
            for index, (fd, target, old) in enumerate(files):
                with explained(target.path):
                    settle(fd, target.path, self._owner, self._mode(index, old), old)
                    self._sync(index)

    def _sync(self, index: int) -> None:
        if index in self._partials:
            self._partials[index].sync()
        else:
            os.fsync(self._stream.listed[index])

    def _mode(self, index: int, old: os.stat_result | None) -> int | None:
        if self._place.mode is not None or self.present or index in self._kept:
            return self._place.mode
        if old is None:
            return 0o666 & ~self._umask
        # Not set-user-ID: whatever the old program was allowed to become, the new content has not earned.
        return stat.S_IMODE(old.st_mode) & 0o777

    def _read_back(
        self, stream: Stream, fds: Iterable[int], progress: Callable[[int], None]
    ) -> None:
        from fleetpush.agent.proof import read_back, refuse

        lost = read_back(self._manifest, stream, fds, progress)
        self._ledger.drop(lost)
        refuse(lost, self._manifest.chunks, self._targets[0].path)

    def activate(self, *, keep_old: bool = False) -> list[str]:
        """Makes the content the destination, by one rename a file; a symbolic link there is replaced, not
        followed. Raises StoreError: that file's old content is then still in place.

        ``keep_old``: until ``settle`` what was there can be put back. Returns the paths where it cannot.
        """
        lost = []
        for partial in self._partials.values():
            with explained(partial.path):
                if not partial.activate(keep_old=keep_old):
                    lost.append(partial.path)
        for (path, *below), fd in self._directories.items():
            with explained(os.path.join(path, *below)):
                os.fsync(fd)
        for made in self._made:
            with explained(made):
                sync_directory(os.path.dirname(made))
        return lost

    @property
    def proof(self) -> str:
        """How it was proved: ``full``, ``chunks``, or ``known``: not all was read, an earlier run had it."""
        return "full" if self._verify_full else "known" if self._relied else "chunks"

    @property
    def staged(self) -> bool:
        """There is something to switch to."""
        return any(not partial.activated for partial in self._partials.values())

    def settle(self) -> None:
        """What was kept of the old content goes. Raises StoreError."""
        for partial in self._partials.values():
            with explained(partial.path):
                partial.forget_old()

    def notes(self) -> list[list[int]]:
        """What each file of the destination, once active, is known again by. Raises StoreError."""
        with explained(self._place.dest):
            return [note_of(fd) for fd in self._stream.listed]

    def close(self) -> None:
        """Lets go of everything. What was verified stays as a partial; nothing else stays."""
        with self._disk_work:
            for index, partial in self._partials.items():
                partial.close(keep=self._worth_keeping(index))
            if self._reuse is not None:
                self._reuse.close()
            close_all(self._old)
            close_all(list(self._directories.values()))
            unmake(self._made)
            self._partials, self._old, self._made = {}, [], []
            self._directories = {}

    def _worth_keeping(self, index: int) -> bool:
        if self._partials[index].existed and not self._scanned:
            return True  # nobody looked: it may be nearly everything
        start = self._manifest.starts[index]
        size = self._manifest.files[index].size
        if not size:
            return False
        first = start // self._manifest.chunk_size
        last = (start + size - 1) // self._manifest.chunk_size
        return bool(self.have >> first & ((1 << (last - first + 1)) - 1))
