"""The plain SHA-256 of each deployed file, for people and their tools: computed beside the exchange."""

from __future__ import annotations

import re
import threading
from hashlib import sha256
from typing import TYPE_CHECKING

from fleetpush.deploy.hashing import reading_room

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fleetpush.deploy.cache import Cache
    from fleetpush.deploy.fingerprint import FileIdentity

REMEMBERED = 1 << 20
"""Bytes of a file from which its sum is worth an entry in the cache: smaller ones are read again as fast."""

MANY = 64
"""Files beyond which the larger ones alone are remembered."""


class Sums:
    """Does nothing until ``start``, so that it does not take the exchange's first seconds from it."""

    def __init__(self, paths: Sequence[Path], files: Sequence[FileIdentity], cache: Cache) -> None:
        self._paths = tuple(paths)
        self._files = tuple(files)
        self._cache = cache
        self._least = REMEMBERED if len(self._files) > MANY else 0
        self._sums = [self._cached(file) for file in files]
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def known(self) -> tuple[str | None, ...]:
        """In hex, in the files' order; None where it is not known, or the file is another one by now."""
        return tuple(self._sums)

    def start(self) -> None:
        """Computes what is not cached, in a thread of its own; the second call does nothing."""
        if self._thread is None and None in self._sums:
            self._thread = threading.Thread(target=self._compute, name="source sums", daemon=True)
            self._thread.start()

    @property
    def over(self) -> bool:
        """Nothing is computed any more: what is not known by now will not be."""
        return self._thread is None or not self._thread.is_alive()

    def wait(self, timeout: float | None = None) -> bool:
        """Waits for a started computation, at most ``timeout`` seconds. Whether all sums are known."""
        if self._thread is not None:
            self._thread.join(timeout)
        return None not in self._sums

    def stop(self) -> None:
        """Ends the computation: what is not known by now stays unknown."""
        self._stop.set()
        self.wait()

    def _cached(self, file: FileIdentity) -> str | None:
        if file.size < self._least:
            return None
        entry = self._cache.get("sum", [file])
        return entry.decode() if entry and re.fullmatch(rb"[0-9a-f]{64}", entry) else None

    def _compute(self) -> None:
        for index, (path, file) in enumerate(zip(self._paths, self._files, strict=True)):
            if self._sums[index] is None:
                self._sums[index] = self._sum(path, file)

    def _sum(self, path: Path, file: FileIdentity) -> str | None:
        digest = sha256()
        room = reading_room()
        try:
            with path.open("rb", buffering=0) as source:
                if not file.still_is(source.fileno()):
                    return None
                while size := source.readinto(room):
                    if self._stop.is_set():
                        return None
                    digest.update(room[:size])
                if not file.still_is(source.fileno()):
                    return None
        except OSError:
            return None  # the exchange says what is wrong with the source: it reads the same file
        found = digest.hexdigest()
        if file.settled and file.size >= self._least:
            self._cache.put(found.encode(), "sum", [file])
        return found
