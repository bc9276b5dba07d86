"""The manifest's stream over open files: reading, writing, hashing, and the room on the disk."""

from __future__ import annotations

import errno

from fleetpush.agent.place import StoreError
from fleetpush.lean.system import os
from fleetpush.swarm.manifest import leaves_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from typing import Union

    from fleetpush.swarm.manifest import Manifest

    Descriptors = Union[list[int], "OpenFiles"]

SLICE = 1 << 20
"""Bytes read at once when hashing: whole blocks, and few enough to stay in the processor's cache."""

OPEN_AT_ONCE = 64
"""Files that are held open of a tree, which may have more than a process may open."""

_PREALLOCATES = frozenset(
    ("ext4", "xfs", "btrfs", "tmpfs", "overlay", "f2fs", "ocfs2", "gfs2", "bcachefs")
)


class ShortReadError(OSError):
    """A file ends before its content does."""


class OpenFiles:
    """Descriptors by the files' numbers, opened by ``opener`` when they are asked for; the last stay open.

    For one thread at a time. A descriptor is good until the next is asked for.
    """

    __slots__ = ("_open", "_opener", "_room")

    def __init__(self, opener: Callable[[int], int], room: int = OPEN_AT_ONCE) -> None:
        self._opener = opener
        self._room = room
        self._open: dict[int, int] = {}

    def __getitem__(self, index: int) -> int:
        """Raises what ``opener`` does."""
        fd = self._open.get(index, -1)
        if fd < 0:
            if len(self._open) >= self._room:
                os.close(self._open.pop(next(iter(self._open))))
            fd = self._opener(index)
            if fd >= 0:
                self._open[index] = fd
        return fd

    def clear(self) -> None:
        """Closes what is open; what is asked for afterwards is opened again."""
        close_all(list(self._open.values()))
        self._open.clear()


class _Sinks:
    """What may be written of ``files``: not those that are ``kept``."""

    __slots__ = ("_files", "_kept")

    def __init__(self, files: OpenFiles, kept: Collection[int]) -> None:
        self._files = files
        self._kept = kept

    def __getitem__(self, index: int) -> int:
        return -1 if index in self._kept else self._files[index]


class Stream:
    """The files, one descriptor each, as the one stream that the manifest cuts into chunks.

    A descriptor of -1 stands for a file that is not there: only a caller that avoids it may ask. What is
    written to files whose numbers are ``kept`` goes nowhere: they hold it.
    """

    __slots__ = ("_ends", "_manifest", "_sinks", "_starts", "fds")

    def __init__(self, manifest: Manifest, fds: Descriptors, kept: Collection[int] = ()) -> None:
        self.fds = fds
        self._sinks: list[int] | OpenFiles | _Sinks = fds
        if kept:
            self._sinks = (
                [-1 if index in kept else fd for index, fd in enumerate(fds)]
                if isinstance(fds, list)
                else _Sinks(fds, kept)
            )
        self._manifest = manifest
        self._starts = manifest.starts
        self._ends = [at + file.size for at, file in zip(manifest.starts, manifest.files)]

    @property
    def listed(self) -> list[int]:
        """The descriptors of a stream that was given a list of them."""
        assert isinstance(self.fds, list)
        return self.fds

    def spans(self, start: int, length: int) -> Iterable[tuple[int, int, int]]:
        """(descriptor, offset, length) of ``length`` bytes of the stream from ``start``."""
        return self._spans(self.fds, start, length)

    def _spans(
        self, fds: list[int] | OpenFiles | _Sinks, start: int, length: int
    ) -> Iterable[tuple[int, int, int]]:
        index = self._manifest.file_at(start)
        if start + length <= self._ends[index]:
            return [(fds[index], start - self._starts[index], length)]
        parts = self._manifest.extents(start, length)
        # One after the other: each descriptor is used before the next is opened.
        return ((fds[part.file], part.offset, part.length) for part in parts)

    def write(self, start: int, data: memoryview) -> None:
        """Raises OSError."""
        at = 0
        for fd, offset, length in self._spans(self._sinks, start, len(data)):
            end = at + length
            shift = offset - at
            if fd < 0:
                at = end
            while at < end:
                at += os.pwrite(fd, data[at:end], at + shift)

    def read(self, start: int, length: int) -> bytes:
        """Raises OSError; ShortReadError where a file has become shorter."""
        parts = [_read(fd, offset, size) for fd, offset, size in self.spans(start, length)]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_into(self, start: int, view: memoryview) -> None:
        """Fills ``view``. Raises as ``read``."""
        at = 0
        for fd, offset, length in self.spans(start, len(view)):
            end = at + length
            shift = offset - at
            while at < end:
                done = os.preadv(fd, [view[at:end]], at + shift)
                if not done:
                    raise ShortReadError(errno.EIO, "the file ends too early")
                at += done

    def readable(self, chunk: int) -> bool:
        """Whether every file that ``chunk`` lies in is there."""
        return all(span[0] >= 0 for span in self._chunk_spans(chunk))

    def written(self, chunk: int) -> bool:
        """Whether the disk holds anything but never-written room at ``chunk``."""
        return any(_holds_data(*span) for span in self._chunk_spans(chunk))

    def _chunk_spans(self, chunk: int) -> Iterable[tuple[int, int, int]]:
        start = chunk * self._manifest.chunk_size
        return self.spans(start, self._manifest.chunk_length(chunk))

    def leaves(self, chunk: int, buffer: memoryview) -> bytes:
        """The joined block digests of ``chunk``; ``buffer``: room for a slice. Raises as ``read``."""
        start = chunk * self._manifest.chunk_size
        end = start + self._manifest.chunk_length(chunk)
        leaves: list[bytes] = []
        while start < end:
            view = buffer[: min(SLICE, end - start)]
            self.read_into(start, view)
            leaves += leaves_of(view)
            start += len(view)
        return b"".join(leaves)


class Reading:
    """One scan's buffer, its observer and its off switch."""

    __slots__ = ("_buffer", "_done", "_progress", "stop")

    def __init__(self, progress: Callable[[int], None], stop: Callable[[], bool]) -> None:
        self.stop = stop
        self._progress = progress
        self._done = 0
        self._buffer: memoryview | None = None

    @property
    def buffer(self) -> memoryview:
        """Only where there is something to read: to clear it costs as much as all of a look at nothing."""
        if self._buffer is None:
            self._buffer = memoryview(bytearray(SLICE))
        return self._buffer

    def add(self, size: int) -> None:
        self._done += size
        self._progress(self._done)


def close_all(fds: Sequence[int]) -> None:
    """Closes the descriptors that are there."""
    for fd in fds:
        if fd >= 0:
            os.close(fd)


def _read(fd: int, offset: int, length: int) -> bytes:
    data = os.pread(fd, length, offset)
    while len(data) < length:
        more = os.pread(fd, length - len(data), offset + len(data))
        if not more:
            raise ShortReadError(errno.EIO, "the file ends too early")
        data += more
    return data


def _holds_data(fd: int, offset: int, length: int) -> bool:
    try:
        return os.lseek(fd, offset, os.SEEK_DATA) < offset + length
    except OSError as error:
        return error.errno != errno.ENXIO  # ENXIO: nothing but a hole to the end of the file


def reserve(fds: Sequence[int], sizes: Sequence[int], directory: int, path: str) -> None:
    """Gives every file its size and its room on the disk. ``directory`` is the first file's.

    Raises StoreError where the room is not there, OSError for other refusals.
    """
    stats = [os.fstat(fd) for fd in fds]
    wanted = sum(max(0, size - st.st_blocks * 512) for size, st in zip(sizes, stats))
    disk = os.fstatvfs(directory)
    # Root may use what the filesystem keeps back for it.
    free = (disk.f_bavail if os.geteuid() else disk.f_bfree) * disk.f_frsize
    if wanted > free:
        raise StoreError(
            "disk_full",
            f"{path}: needs {_megabytes(wanted)} and its filesystem has {_megabytes(free)} free; "
            "make room there or choose another --dest",
        )
    real = _preallocates(directory)
    for fd, size, st in zip(fds, sizes, stats):
        if st.st_size != size:
            os.ftruncate(fd, size)
        if size and real:
            os.posix_fallocate(fd, 0, size)


def _preallocates(directory: int) -> bool:
    """Whether the filesystem can set room aside itself.

    Where it cannot, the C library writes into every page of the file instead: gigabytes over NFS for
    nothing. There the free space just seen must do.
    """
    device = os.fstat(directory).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
            for line in mounts:
                before, _, after = line.partition(" - ")
                if before.split()[2] == wanted:
                    return after.split()[0] in _PREALLOCATES
    except OSError:
        pass
    return False


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
