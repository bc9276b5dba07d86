"""Files on this host that are to be deployed from here: what they are, their digests, their plain sums.

Shipped only to hosts that are asked for it. A file is known by its note (``agent.kept``): what is read under
another one is no answer.
"""

from __future__ import annotations

import os
import stat
import threading
from itertools import count

from fleetpush.agent.files import SLICE
from fleetpush.agent.kept import note_of
from fleetpush.agent.place import StoreError, absolute
from fleetpush.lean.compiled import sha256
from fleetpush.swarm.manifest import chunk_digest, leaves_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

READERS = 8
"""Threads at most: more only make a disk seek."""

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # never waits for a pipe's other end


def measure(arguments: dict[str, Any], stop: threading.Event) -> dict[str, Any]:
    """Of each of ``paths`` where it is and its note, or the slug and message of why it cannot be deployed.

    ``dests``: where this machine itself is to get them, under whatever names; ``several``: in a directory.
    """
    home = os.path.expanduser("~")

    def one(given: str) -> dict[str, Any]:
        path = absolute(given, home)
        fd = _open(path)
        try:
            found = note_of(fd)
        finally:
            os.close(fd)
        for dest in arguments["dests"]:
            target = absolute(dest, home)
            if arguments["several"] or dest.endswith("/"):
                target = os.path.join(target, os.path.basename(path))
            if os.path.realpath(target) == os.path.realpath(path):
                raise StoreError("source_is_destination", path)
        return {"path": path, "note": found}

    return {"files": [_or_why(one, path) for path in arguments["paths"]]}


def digest(arguments: dict[str, Any], stop: threading.Event) -> dict[str, Any]:
    """Of each of ``files`` the digests of its chunks from ``first`` to before ``last``, joined, in hex.

    Or the slug and message of why there are none. A file begins a chunk; ``chunk_size`` in bytes.
    """

    def one(file: dict[str, Any]) -> dict[str, Any]:
        return {"digests": _digests(file, arguments["chunk_size"], stop).hex()}

    return {"files": [_or_why(one, file) for file in arguments["files"]]}


def plain_sum(arguments: dict[str, Any], stop: threading.Event) -> dict[str, Any]:
    """The SHA-256 of the whole file, in hex. Raises StoreError."""
    fd = _open_noted(arguments)
    try:
        found = sha256()
        room = memoryview(bytearray(SLICE))
        while size := os.readv(fd, [room]):
            if stop.is_set():
                raise StoreError("interrupted", "interrupted")
            found.update(room[:size])
        _check_same(fd, arguments)
    finally:
        os.close(fd)
    return {"sha256": found.hexdigest()}


def _or_why(ask: Callable[[Any], dict[str, Any]], given: object) -> dict[str, Any]:
    try:
        return ask(given)
    except StoreError as error:
        return {"slug": error.failure.slug, "message": error.failure.message}


def _open(path: str) -> int:
    """Raises StoreError for all but a file that can be read."""
    try:
        fd = os.open(path, _FLAGS)
    except FileNotFoundError:
        raise StoreError("source_missing", f"{path}: no such file there") from None
    except OSError as error:
        raise StoreError("source_unreadable", f"{path} cannot be read: {error.strerror}") from None
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return fd
    os.close(fd)
    if stat.S_ISDIR(mode):
        text = (
            f"{path} is a directory: name the files in it, or deploy it from the machine it is on"
        )
        raise StoreError("source_is_directory", text)
    raise StoreError(
        "source_special", f"{path} is a device, pipe or socket: copy it to a file first"
    )


def _open_noted(file: dict[str, Any]) -> int:
    fd = _open(file["path"])
    try:
        _check_same(fd, file)
    except StoreError:
        os.close(fd)
        raise
    return fd


def _check_same(fd: int, file: dict[str, Any]) -> None:
    if note_of(fd) != list(file["note"]):
        raise StoreError("source_changed", f"{file['path']} changed while it was read")


def _digests(file: dict[str, Any], chunk_size: int, stop: threading.Event) -> bytes:
    """Raises StoreError."""
    fd = _open_noted(file)
    try:
        found = _Hashing(fd, file, chunk_size, stop).run()
        _check_same(fd, file)
    finally:
        os.close(fd)
    return found


class _Hashing:
    """One file's chunks on all cores: hashlib and reading let other threads run."""

    def __init__(
        self, fd: int, file: dict[str, Any], chunk_size: int, stop: threading.Event
    ) -> None:
        self._fd = fd
        self._path = file["path"]
        self._size = os.fstat(fd).st_size
        self._chunk_size = chunk_size
        self._first, self._last = file["first"], file["last"]
        self._stop = stop
        self._numbers = count(self._first)
        self._found = [b""] * (self._last - self._first)
        self._errors: list[OSError] = []

    def run(self) -> bytes:
        readers = min(READERS, os.cpu_count() or 1, len(self._found))
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(readers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for error in self._errors:
            text = f"{self._path} cannot be read: {error.strerror}"
            raise StoreError("source_unreadable", text)
        if self._stop.is_set():
            raise StoreError("interrupted", "interrupted")
        return b"".join(self._found)

    def _work(self) -> None:
        room = memoryview(bytearray(SLICE))
        try:
            while not self._errors and not self._stop.is_set():
                chunk = next(self._numbers)
                if chunk >= self._last:
                    return
                self._found[chunk - self._first] = self._digest(chunk, room)
        except OSError as error:
            self._errors.append(error)

    def _digest(self, chunk: int, room: memoryview) -> bytes:
        """Raises OSError. What is shorter than it was gives some digest: its note tells."""
        at = chunk * self._chunk_size
        end = min(at + self._chunk_size, self._size)
        leaves: list[bytes] = []
        while at < end:
            view, had = room[: min(SLICE, end - at)], 0
            while had < len(view):
                size = os.preadv(self._fd, [view[had:]], at + had)
                if not size:
                    return b"\0" * 32
                had += size
            leaves += leaves_of(view)
            at += len(view)
        return chunk_digest(b"".join(leaves))
