"""Hashing chunks on all cores: hashlib and reading let other threads run."""

from __future__ import annotations

import mmap
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING

from fleetpush.errors import InputError, SourceChangedError
from fleetpush.swarm.manifest import BLOCK, DIGEST, chunk_digest, leaves_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fleetpush.deploy.fingerprint import FileIdentity
    from fleetpush.swarm.manifest import Manifest

READERS = 8
"""Threads at most: more only make a disk seek."""

_SLICE = 1 << 20

MOST_LEAVES = 32 * 1024 * 1024
"""Bytes of block digests that are kept: those of 64 GiB."""


def reading_room() -> memoryview:
    """A megabyte to read into, for a thread that ends.

    Not from the heap: glibc gives each thread one, and keeps there what a thread that has ended has freed. A
    program that deploys again and again grew by a megabyte with each of them.
    """
    return memoryview(mmap.mmap(-1, _SLICE))


class HashingStoppedError(Exception):
    """The run ended before its manifest was made."""


OPEN_AT_ONCE = 16
"""Files that each thread holds open: a tree may have more than a process may open."""


class OpenSources:
    """Descriptors of ``files`` by their numbers, opened when they are read. For one thread."""

    def __init__(self, files: Sequence[FileIdentity]) -> None:
        self._files = files
        self._open: dict[int, int] = {}

    def __getitem__(self, index: int) -> int:
        """Raises InputError, SourceChangedError for another file than was found before."""
        fd = self._open.get(index)
        if fd is None:
            if len(self._open) >= OPEN_AT_ONCE:
                os.close(self._open.pop(next(iter(self._open))))
            fd = self._open[index] = self._opened(self._files[index])
        return fd

    def _opened(self, file: FileIdentity) -> int:
        try:
            fd = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError as error:
            raise changed_source(file) from error
        except OSError as error:
            raise InputError(f"cannot read the source {file.path}: {error.strerror}") from error
        if not file.still_is(fd):
            os.close(fd)
            raise changed_source(file)
        return fd

    def close(self) -> None:
        while self._open:
            os.close(self._open.popitem()[1])


def changed_source(file: FileIdentity) -> SourceChangedError:
    """What to say of a source that is not what it was when it was looked at."""
    return SourceChangedError(
        f"{file.path} changed while it was read: deploy again when nothing writes it any more"
    )


def hash_chunks(
    layout: Manifest,
    files: Sequence[FileIdentity],
    progress: Callable[[int, int], None],
    stop: Callable[[], bool],
) -> tuple[list[bytes], bytes]:
    """The chunk digests of ``files``, cut as ``layout`` says (its digests are not looked at), and the digests
    of all their blocks, joined; b"" for those where they would take more than ``MOST_LEAVES``.

    ``progress`` gets the bytes done and the bytes in all, from several threads but never at once. Raises
    SourceChangedError for a file that changed, InputError where reading fails, HashingStoppedError.
    """
    digests = [b""] * layout.chunks
    keeps = layout.size // BLOCK * DIGEST <= MOST_LEAVES
    kept = [b""] * layout.chunks
    chunks = count()
    done = 0
    lock = threading.Lock()
    broken = threading.Event()

    def work(fds: OpenSources) -> None:
        nonlocal done
        room = reading_room()
        while (chunk := next(chunks)) < layout.chunks and not broken.is_set():
            if stop():
                raise HashingStoppedError
            leaves = _leaves(layout, fds, chunk, room)
            digests[chunk] = chunk_digest(leaves)
            if keeps:
                kept[chunk] = leaves
            with lock:
                done += layout.chunk_length(chunk)
                progress(done, layout.size)

    def guarded() -> None:
        fds = OpenSources(files)
        try:
            work(fds)
        except BaseException:
            broken.set()
            raise
        finally:
            fds.close()

    readers = min(READERS, os.cpu_count() or 1, max(layout.chunks, 1))
    with ThreadPoolExecutor(readers, thread_name_prefix="hashing") as pool:
        running = [pool.submit(guarded) for _ in range(readers)]
    for each in running:
        each.result()
    return digests, b"".join(kept)


def _leaves(layout: Manifest, fds: OpenSources, chunk: int, room: memoryview) -> bytes:
    start = chunk * layout.chunk_size
    end = start + layout.chunk_length(chunk)
    leaves: list[bytes] = []
    while start < end:
        view = room[: min(_SLICE, end - start)]
        _read_into(layout, fds, start, view)
        leaves += leaves_of(view)
        start += len(view)
    return b"".join(leaves)


def _read_into(layout: Manifest, fds: OpenSources, start: int, view: memoryview) -> None:
    at = 0
    for part in layout.extents(start, len(view)):
        end = at + part.length
        shift = part.offset - at
        while at < end:
            try:
                size = os.preadv(fds[part.file], [view[at:end]], at + shift)
            except OSError as error:
                name = layout.files[part.file].path
                raise InputError(f"cannot read the source {name}: {error.strerror}") from error
            if not size:
                name = layout.files[part.file].path
                raise SourceChangedError(f"{name} became shorter while it was read: deploy again")
            at += size
