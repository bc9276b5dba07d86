"""The origin's side of the store: the operator's own files, read-only, never trusted to stay the same."""

from __future__ import annotations

from fleetpush.agent.files import OPEN_AT_ONCE, SLICE, OpenFiles, Stream, close_all
from fleetpush.agent.place import StoreError
from fleetpush.agent.store import DUPLICATE
from fleetpush.lean.compiled import sha256
from fleetpush.lean.suppress import suppress
from fleetpush.lean.system import os
from fleetpush.lean.threads import Lock, Queue, start
from fleetpush.swarm.manifest import BLOCK, DIGEST, chunk_digest, leaves_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleetpush.agent.leaves import KnownLeaves
    from fleetpush.swarm.manifest import Manifest


AHEAD = 32 * 1024 * 1024
"""Bytes of checked chunks kept in memory, so that each is read and hashed once and sent as it was checked."""


WORTH_A_THREAD = 1024 * 1024
"""Bytes of a chunk below which another thread takes longer to hear of it than to check it."""

NAMED = 3
"""Files that are named where one of those in a chunk has changed."""


class SourceChanged(StoreError):  # noqa: N818 - names what happened, not a fault of ours
    """The source is not what the manifest says any more: nothing of it is sent."""


class SourceStore:
    """Everything is there from the start. Same calls in the exchange as ``HostStore``."""

    def __init__(
        self,
        manifest: Manifest,
        paths: Sequence[str],
        have: int | None = None,
        known: KnownLeaves | None = None,
    ) -> None:
        """``paths`` in the manifest's order, "" for a file that is elsewhere; ``have``: the chunks that are
        here, if not all; ``known``: digests of files that need not be hashed while nobody writes to them, of
        no more than are held open. Raises SourceChanged where one cannot be opened any more."""
        self.have = (1 << manifest.chunks) - 1 if have is None else have
        self.present = True
        self.reused = manifest.size
        self._manifest = manifest
        self._paths = tuple(paths)
        self._leaves: dict[int, bytes] = {}
        self._ahead: dict[int, memoryview] = {}
        """Checked chunks, the one asked for last at the end."""
        self._room = AHEAD // manifest.chunk_size
        self._known = known
        self._looks_ahead = self._room > 1 and manifest.chunk_size >= WORTH_A_THREAD
        self._furthest = 0
        """The chunk that was looked at ahead last: each is once at most."""
        self._checking = Lock()
        self._next: Queue | None = None
        """Chunks for the thread that checks what will be asked for next; None before there was one."""
        self._closed = False
        if len(paths) > OPEN_AT_ONCE:
            self._stream = Stream(manifest, OpenFiles(self._open))
        else:
            self._stream = Stream(manifest, self._open_all())

    def _open_all(self) -> list[int]:
        fds: list[int] = []
        for index, path in enumerate(self._paths):
            if not path:
                fds.append(-1)
                continue
            try:
                fds.append(self._open(index))
            except OSError as error:
                close_all(fds)
                raise _changed(str(error.strerror), path) from error
        return fds

    def _open(self, index: int) -> int:
        # Never waits for the other end of a pipe that has taken a file's place.
        return os.open(self._paths[index], os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)

    def progress(self, chunk: int) -> int:
        """All blocks of a chunk that is here, always."""
        return self._manifest.blocks_in(chunk) if self.have >> chunk & 1 else 0

    def leaves(self, chunk: int) -> bytes:
        """The chunk's block digests, joined; computed at first use. Raises SourceChanged."""
        known = self._leaves.get(chunk)
        if known is None:
            with self._checking:  # it may be under way
                known = self._leaves.get(chunk) or self._recalled(chunk) or self._checked(chunk)
        if self._looks_ahead and self._known is None and chunk >= self._furthest:
            self._look_ahead(chunk + 1)
        return known

    def _recalled(self, chunk: int) -> bytes | None:
        """As the command has computed them."""
        if self._known is None:
            return None
        found = self._known.of(chunk)
        if found is not None:
            self._leaves[chunk] = found
        return found

    def _is_as_hashed(self, start: int, length: int) -> bool:
        """Whether what was just read is what the command has hashed. Raises OSError."""
        if self._known is None:
            return False
        fds = self._stream.listed
        for extent in self._manifest.extents(start, length):
            if not self._known.are_of(extent.file, fds[extent.file]):
                # From now on all is hashed: a file of which only the times have changed may still be sent.
                self._known.close()
                self._known = None
                return False
        return True

    def _checked(self, chunk: int) -> bytes:
        try:
            found = self._read_leaves(chunk)
        except OSError as error:
            raise self._chunk_changed(chunk, str(error)) from error
        if chunk_digest(found) != self._manifest.chunk_digests[chunk]:
            raise self._chunk_changed(chunk, f"chunk {chunk} has other content now")
        self._leaves[chunk] = found
        return found

    def _look_ahead(self, chunk: int) -> None:
        """An origin hands its chunks out in order: the next is checked while the last is on its way, else the
        line would rest for as long as that takes."""
        self._furthest = chunk
        if not self.progress(chunk) or chunk in self._leaves:
            return
        if self._next is None:
            self._next = Queue()
            with suppress(RuntimeError):  # no thread to be had: it is checked when it is asked for
                start(self._check_ahead)
        self._next.put(chunk)

    def _check_ahead(self) -> None:
        assert self._next is not None
        while not self._closed:
            for chunk in self._next.take():
                # What is wrong with it is for whoever asks for it.
                with suppress(OSError, StoreError), self._checking:
                    if chunk not in self._leaves and not self._closed:
                        self._checked(chunk)

    def _read_leaves(self, chunk: int) -> bytes:
        """Raises OSError. Keeps what it read where there is room for it, for ``read_block``."""
        length = self._manifest.chunk_length(chunk)
        if not self._room:
            return self._stream.leaves(chunk, memoryview(bytearray(min(SLICE, length))))
        data = memoryview(self._stream.read(chunk * self._manifest.chunk_size, length))
        while len(self._ahead) >= self._room:
            del self._ahead[next(iter(self._ahead))]
        self._ahead[chunk] = data
        return b"".join(leaves_of(data))

    def read_block(self, chunk: int, block: int) -> bytes | memoryview:
        """A block as it was checked, or hashed by the command. Raises SourceChanged."""
        leaf = self.leaves(chunk)[block * DIGEST : (block + 1) * DIGEST]
        ahead = self._ahead.get(chunk)
        if ahead is not None:
            return ahead[block * BLOCK : (block + 1) * BLOCK]
        begin = chunk * self._manifest.chunk_size + block * BLOCK
        try:
            with self._checking:  # files are opened as they are needed
                data = self._stream.read(begin, self._manifest.block_length(chunk, block))
            if self._is_as_hashed(begin, len(data)):
                return data
        except OSError as error:
            raise self._chunk_changed(chunk, str(error)) from error
        if sha256(data).digest() != leaf:
            what = f"block {block} of chunk {chunk} has other content now"
            raise self._chunk_changed(chunk, what)
        return data

    def sifts(self, chunk: int) -> bool:
        """Nothing is missing."""
        return False

    def skips(self, chunk: int) -> int:
        """As ``HostStore.skips``."""
        return 0

    def put_leaves(self, chunk: int, leaves: bytes) -> bool:
        """Whether they are the chunk's. Raises SourceChanged."""
        return self.leaves(chunk) == leaves

    def put_block(self, chunk: int, block: int, data: memoryview) -> int:
        """Always a DUPLICATE: the source is never written."""
        return DUPLICATE

    def close(self) -> None:
        """Closes the files; may be called twice."""
        with self._checking:
            self._closed = True
        if self._next is not None:
            self._next.put(0)  # it wakes the thread, which ends
        fds = self._stream.fds
        if isinstance(fds, list):
            close_all(fds)
        fds.clear()
        self._ahead.clear()
        if self._known is not None:
            self._known.close()
            self._known = None

    def _chunk_changed(self, chunk: int, what: str) -> SourceChanged:
        length = self._manifest.chunk_length(chunk)
        extents = self._manifest.extents(chunk * self._manifest.chunk_size, length)
        paths = [self._paths[extent.file] for extent in extents[:NAMED]]
        more = [f"{len(extents) - NAMED} more"] if len(extents) > NAMED else []
        return _changed(what, " or ".join([*paths, *more]))


def _changed(what: str, path: str) -> SourceChanged:
    return SourceChanged(
        "source_changed",
        f"{path} changed during the run ({what}); deploy again when nothing writes it any more",
    )
