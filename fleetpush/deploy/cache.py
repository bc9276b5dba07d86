"""What took long to compute, kept between runs: small checked files in the user's cache directory.

Nothing depends on it: an entry that is missing, damaged or unreadable is computed again, and a cache that
cannot be written is done without.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleetpush.deploy.fingerprint import FileIdentity

FORMAT = 1
"""Part of every key: entries of another format are not found."""

ENTRIES = {"manifest": 64, "leaves": 16, "sum": 4096, "kit": 16}
"""Kept of a kind, the last used ones. A manifest has some 32 KiB, at most 32 MiB; so have
leaves (2.5 MB of 5 GB); a sum 64 bytes, a kit 140 KiB."""

CHECKSUM = 32
"""Bytes of it, before each entry."""

_CODE = "kit"
"""What runs on the hosts: taken only from where nobody but us can have put it."""

PRUNE_EVERY = 32
"""Entries of a kind that one run writes between two looks at what is too many, which read all their times."""


def default_place() -> Path:
    """Where the operator's cache is."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fleetpush"


class Cache:
    """Entries by kind and by the identity of the files that they were computed from."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._written: Counter[str] = Counter()

    def get(self, kind: str, files: Sequence[FileIdentity], *more: object) -> bytes | None:
        """The entry, if it is there and whole."""
        path = self._path(kind, files, more)
        try:
            if kind == _CODE and not all(map(_is_ours, (self._directory, path))):
                return None
            data = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        checksum, entry = data[:CHECKSUM], data[CHECKSUM:]
        return entry if sha256(entry).digest() == checksum else None

    def find(self, kind: str, files: Sequence[FileIdentity], *more: object) -> Path | None:
        """Where the entry is, if it is there, behind ``CHECKSUM`` bytes of its own. It may not be whole."""
        path = self._path(kind, files, more)
        try:
            os.utime(path)
        except OSError:
            return None
        return path

    def put(self, entry: bytes, kind: str, files: Sequence[FileIdentity], *more: object) -> None:
        """Keeps ``entry``: whoever reads it meanwhile sees the old one or the new one."""
        path = self._path(kind, files, more)
        with contextlib.suppress(OSError):
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._directory, prefix=".", delete=False) as file:
                try:
                    file.write(sha256(entry).digest() + entry)
                    file.close()
                    Path(file.name).replace(path)
                except BaseException:
                    Path(file.name).unlink(missing_ok=True)
                    raise
            if self._written[kind] % PRUNE_EVERY == 0:
                self._prune(kind)
            self._written[kind] += 1

    def _prune(self, kind: str) -> None:
        found = self._directory.glob(f"{kind}-*.cache")
        entries = sorted(found, key=lambda p: p.stat().st_mtime_ns)
        for path in entries[: -ENTRIES[kind]]:
            path.unlink(missing_ok=True)

    def _path(self, kind: str, files: Sequence[FileIdentity], more: tuple[object, ...]) -> Path:
        key = json.dumps([FORMAT, kind, *files, *more])
        return self._directory / f"{kind}-{sha256(key.encode()).hexdigest()[:40]}.cache"


def _is_ours(path: Path) -> bool:
    """Whether it belongs to us and nobody else may write there. Raises OSError."""
    found = path.lstat()
    shared = stat.S_ISLNK(found.st_mode) or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return found.st_uid == os.geteuid() and not shared
