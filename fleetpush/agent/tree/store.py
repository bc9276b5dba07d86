"""The chunks of a tree on this host's disk: as ``HostStore``, for more files than can be open at once.

A file that is at the destination already, whole, stays as it is; every other is staged under its number and
made active by a rename. A chunk spans many small files, so that what is near a change is staged with it.
"""

from __future__ import annotations

import stat

from fleetpush.agent.descent import open_directory, unmake
from fleetpush.agent.destination import settle
from fleetpush.agent.files import OpenFiles, Reading, Stream
from fleetpush.agent.kept import MANY, chunks_within, note
from fleetpush.agent.place import Target, absolute, explained, ownership
from fleetpush.agent.store import DESTINATION, HostStore, StoreError
from fleetpush.agent.tree.look import Look, same_size
from fleetpush.agent.tree.root import Root
from fleetpush.agent.tree.staging import Staging, sync
from fleetpush.agent.tree.switch import Switch
from fleetpush.lean.suppress import suppress
from fleetpush.lean.system import os
from fleetpush.swarm import bitfield
from fleetpush.swarm.manifest import BLOCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from fleetpush.agent.place import Place
    from fleetpush.agent.tree.surplus import Surplus
    from fleetpush.swarm.manifest import Manifest

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class TreeStore(HostStore):
    """``dest`` is the directory that the tree's contents go to, whether it ends in ``/`` or not."""

    def __init__(
        self,
        manifest: Manifest,
        place: Place,
        *,
        verify_full: bool = False,
        known: Mapping[int, Sequence[int]] | None = None,
        reuse: Mapping[str, Any] | None = DESTINATION,
        delete: Mapping[str, Any] | None = None,
    ) -> None:
        """``delete``: ``below`` which directory of the destination what the tree lacks is removed, but for
        what the patterns ``exclude`` name."""
        super().__init__(manifest, place, verify_full=verify_full, known=known, reuse=reuse)
        self._delete = delete
        self._root: Root | None = None
        self._served: Root | None = None
        """The same for the exchange: it reads in another thread than the rest of this works in."""
        self._look: Look | None = None
        self._staging: Staging | None = None
        self._switch: Switch | None = None
        self._settled_files: dict[int, int] = {}
        """Staged files that are proved, and their inodes: only these are read again once active."""
        self._ends: list[int] = []
        at = 0
        for file in manifest.files:
            at += file.size
            self._ends.append(at)

    # -- what is there already

    def open(self) -> str:
        """As ``HostStore.open``; raises StoreError also for what stands where the tree has something else."""
        with self._disk_work:
            dest = absolute(self._place.dest, self._place.home)
            self._targets = [Target(dest, (), "")]
            with explained(dest):
                self._owner = ownership(self._place)
                fd = open_directory(self._targets[0], self._made)
                self._root = Root(fd, dest.rstrip("/"))
                self._served = Root(os.dup(fd), self._root.path)
                self._look = Look(self._root, self._manifest)
            found = zip(self._look.files, self._manifest.files)
            if all(same_size(old, file) for old, file in found):
                return "present"
            with explained(dest):
                self._begin_staging()
            assert self._staging is not None
            return "partial" if self._staging.existed else "new"

    def _begin_staging(self) -> Staging:
        assert self._root is not None
        if self._staging is None:
            self._staging = Staging(self._root, self._manifest.name)
        return self._staging

    def scan(self, progress: Callable[[int], None], stop: Callable[[], bool]) -> None:
        """As ``HostStore.scan``."""
        assert self._root is not None
        with self._disk_work, explained(self._root.path):
            old = Stream(self._manifest, OpenFiles(self._open_in_place))
            reading = Reading(progress, stop)
            try:
                self._scan(old, reading)
            finally:
                old.fds.clear()
            self._scanned = not stop()

    def _scan(self, old: Stream, reading: Reading) -> None:
        assert self._look is not None
        untouched = self._look.untouched(self._known)
        self._trusted = chunks_within(self._manifest, untouched)
        self._relied = bool(untouched)
        chunks = [c for c in range(self._manifest.chunks) if not self._trusted >> c & 1]
        common = self._compare(old, chunks, reading, holes=True)
        if reading.stop():
            return
        self._kept = untouched | {
            index
            for index, file in enumerate(self._manifest.files)
            if same_size(self._look.files[index], file)
            and all(c in common or self._trusted >> c & 1 for c in self._chunks_of(index))
        }
        self._ledger.trust(bitfield.chunks(self._trusted))
        served = self._served
        assert served is not None
        here = OpenFiles(lambda index: self._open_here(index, served))
        self._stream = Stream(self._manifest, here, self._kept)
        self._switch = self._make_switch()
        if len(self._kept) == len(self._manifest.files):
            self._ledger.keep(common)
            self.present = not self._made and not self._switch.changes_anything
            return
        self._stage_files()
        self._ledger.forget_found()
        if self._begin_staging().existed:
            missing = [chunk for chunk in chunks if chunk not in common]
            self._ledger.keep(self._compare(self._stream, missing, reading, holes=False))
        for chunk, leaves in common.items():
            if reading.stop():
                return
            self._copy_common(old, chunk, leaves)
        if self._wanted is not None:
            self._take_over(self._wanted, chunks, reading)

    def _chunks_of(self, index: int) -> range:
        size = self._manifest.files[index].size
        if not size:
            return range(0)
        end = self._ends[index]
        return range(
            (end - size) // self._manifest.chunk_size, (end - 1) // self._manifest.chunk_size + 1
        )

    def _copy_common(self, old: Stream, chunk: int, leaves: bytes) -> None:
        start = chunk * self._manifest.chunk_size
        length = self._manifest.chunk_length(chunk)
        if any(part.file not in self._kept for part in self._manifest.extents(start, length)):
            self._copy(old, chunk, leaves)
        else:
            self._ledger.keep({chunk: leaves})

    def _copy(self, old: Stream, chunk: int, leaves: bytes) -> None:
        self.put_leaves(chunk, leaves)
        start = chunk * self._manifest.chunk_size
        for block in range(self._ledger.progress(chunk), self._manifest.blocks_in(chunk)):
            length = self._manifest.block_length(chunk, block)
            data = old.read(start + block * BLOCK, length)
            # A destination that changes as we read it gives blocks that are refused: they come by net.
            self.put_block(chunk, block, memoryview(data))

    def _stage_files(self) -> None:
        """Raises StoreError, OSError."""
        staging = self._begin_staging()
        files = self._manifest.files
        sizes = {str(i): file.size for i, file in enumerate(files) if i not in self._kept}
        staging.check_room(sizes, self._targets[0].directory)
        for name, size in sizes.items():
            staging.create(name, size, allocate=True)

    def _surplus(self) -> Surplus | None:
        if self._delete is None:
            return None
        from fleetpush.agent.tree.surplus import Surplus

        assert self._root is not None
        below, exclude = self._delete["below"], self._delete["exclude"]
        home = self._place.home.rstrip("/")
        return Surplus(self._root, self._manifest, below, exclude, home)

    def _make_switch(self) -> Switch:
        assert self._root is not None
        assert self._look is not None
        staged = [index for index in range(len(self._manifest.files)) if index not in self._kept]
        return Switch(
            self._root,
            self._manifest,
            self._look,
            staged,
            surplus=self._surplus(),
            owner=self._owner,
            mode=self._place.mode,
        )

    # -- files by their numbers

    def _open_in_place(self, index: int) -> int:
        """A file at the destination, -1 where none may hold the content."""
        assert self._root is not None
        assert self._look is not None
        file = self._manifest.files[index]
        if not same_size(self._look.files[index], file):
            return -1
        directory, name = self._root.parent(file.path)
        try:
            return os.open(name, _READ, dir_fd=directory)
        except (FileNotFoundError, PermissionError):
            return -1  # what we may not read we may still replace

    def _open_here(self, index: int, root: Root) -> int:
        """A file where its content is, or is coming in. Raises OSError."""
        path = self._manifest.files[index].path
        if index in self._kept:
            directory, name = root.parent(path)
            return os.open(name, _READ, dir_fd=directory)
        assert self._staging is not None
        with suppress(FileNotFoundError):
            return self._staging.open(str(index))
        directory, name = root.parent(path)
        fd = os.open(name, _READ, dir_fd=directory)
        if os.fstat(fd).st_ino != self._settled_files.get(index):
            os.close(fd)
            raise FileNotFoundError(2, "replaced since it was activated")
        return fd

    # -- the end

    def flush(self) -> None:
        """As ``HostStore.flush``."""
        with self._disk_work:
            if self._dirty and self._staging is not None:
                self._dirty = False
                with explained(self._targets[0].directory):
                    self._staging.sync()

    def finish(self, progress: Callable[[int], None] = lambda done: None) -> None:
        """As ``HostStore.finish``; also sets times."""
        if self.have.bit_length() != self._manifest.chunks or self.have & (self.have + 1):
            raise StoreError(
                "incomplete", f"{self._targets[0].directory}: not every chunk is there"
            )
        with self._disk_work, explained(self._targets[0].directory):
            root = self._root
            assert root is not None
            own = OpenFiles(lambda index: self._open_here(index, root))
            try:
                staged = [] if self._switch is None else self._switch.staged
                if self._verify_full:
                    self._prove(own, progress)
                for index in staged:
                    self._settle_file(own[index], index)
            finally:
                own.clear()
            if self._staging is not None:
                self._staging.sync()

    def _prove(self, own: OpenFiles, progress: Callable[[int], None]) -> None:
        assert self._root is not None
        if self._staging is not None:
            self._staging.sync()
        else:
            sync(self._root.fd)  # what was there already may have been written a moment ago, too
        fds = (own[index] for index in range(len(self._manifest.files)))
        self._read_back(Stream(self._manifest, own), fds, progress)

    def _settle_file(self, fd: int, index: int) -> None:
        assert self._look is not None
        file = self._manifest.files[index]
        old = self._look.files[index]
        if old is not None and not stat.S_ISREG(old.st_mode):
            old = None
        settle(fd, file.path, self._owner, self._mode_of(index, old), old)
        if file.mtime is not None:
            os.utime(fd, ns=(file.mtime, file.mtime))
        self._settled_files[index] = os.fstat(fd).st_ino

    def _mode_of(self, index: int, old: os.stat_result | None) -> int | None:
        carried = self._manifest.files[index].mode
        if carried is not None and self._place.mode is None:
            return carried
        return self._mode(index, old)

    def activate(self, *, keep_old: bool = False) -> list[str]:
        """Makes the tree the destination: directories, then one rename for each file and link, then modes.

        Raises StoreError naming what could not be switched; what was switched before it stays. Returns what
        ``keep_old`` cannot promise: what a tree replaces is not kept.
        """
        assert self._switch is not None
        if self.present or self._switch.done:
            return []
        with explained(self._targets[0].directory):
            staging = self._begin_staging()
        self._switch.activate(staging)
        with explained(self._targets[0].directory):
            sync(staging.fd)
            staging.remove()
        self._made = []  # it stays, though the tree may have been an empty one
        return [self._targets[0].directory] if keep_old else []

    @property
    def staged(self) -> bool:
        """There is something to switch to."""
        return not self.present and self._switch is not None and not self._switch.done

    def settle(self) -> None:
        """Nothing was kept."""

    def notes(self) -> list[list[int]]:
        """As ``HostStore.notes``; none of a tree with very many files."""
        root, files = self._root, self._manifest.files
        assert root is not None
        if len(files) > MANY:
            return []
        found = [root.look(file.path) for file in files]
        return [note(each) for each in found if each is not None]

    def close(self) -> None:
        """As ``HostStore.close``."""
        with self._disk_work:
            if self._reuse is not None:
                self._reuse.close()
            if not isinstance(self._stream.fds, list):
                self._stream.fds.clear()
            if self._staging is not None:
                if not self._keeps_staging():
                    with suppress(OSError):  # the disk is gone: there is nobody left to tell
                        self._staging.remove()
                self._staging.close()
                self._staging = None
            for root in (self._root, self._served):
                if root is not None:
                    root.close()
            self._root = self._served = None
            unmake(self._made)
            self._made = []

    def _keeps_staging(self) -> bool:
        assert self._staging is not None
        if (self._switch is not None and self._switch.done) or not self._staging.sound:
            return False
        if self._staging.existed and not self._scanned:
            return True  # nobody looked: it may be nearly everything
        staged = [] if self._switch is None else self._switch.staged
        return any(self.have >> chunk & 1 for index in staged for chunk in self._chunks_of(index))
