"""A lock on a file, so that a run does not overlap the one before: gone with its process, whatever happens.

The kernel keeps it (``flock``); what stands in the file only tells people who holds it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import stat
import time
from datetime import datetime
from typing import TYPE_CHECKING

from fleetpush.errors import FleetpushError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOOK_EVERY = 0.2
"""Seconds between two tries while another run's end is waited for."""

_HELD = re.compile(rb"fleetpush pid (?P<pid>\d+) since (?P<since>\S+)\n")
_MOST = 4096


class LockedError(FleetpushError):
    """Another run holds the lock."""

    exit_code = 75
    slug = "locked"


class LockFile:
    """The file at ``path``: created with mode 0600 if it is not there, and left there for good."""

    def __init__(self, path: Path) -> None:
        """Opens it, and locks nothing yet. Raises InputError for what is no lock file of ours."""
        self._path = path
        self._descriptor = self._open()

    async def acquire(self, wait: float, waiting: Callable[[str], None]) -> None:
        """Holds the lock from here on, after at most ``wait`` seconds; ``waiting`` is told once who has it.

        Raises LockedError when another process still has it by then.
        """
        until = time.monotonic() + wait
        told = False
        while not self._try():
            if time.monotonic() >= until:
                raise LockedError(self._refusal(wait))
            if not told:
                told = True
                waiting(f"waiting for the lock {self._path}, which {self._holder()}")
            await asyncio.sleep(min(LOOK_EVERY, max(0.0, until - time.monotonic())))
        since = datetime.now().astimezone().isoformat(timespec="seconds")
        text = f"fleetpush pid {os.getpid()} since {since}\n".encode()
        # In this order whoever looks meanwhile finds a whole first line.
        os.pwrite(self._descriptor, text, 0)
        os.ftruncate(self._descriptor, len(text))

    def close(self) -> None:
        """Lets it go. May be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(self._path, flags, 0o600)
        except OSError as error:
            link = self._path.is_symlink()
            why = "it is a symbolic link; name the file itself" if link else error.strerror
            raise self._wrong(f"cannot open the lock file {self._path}: {why}") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            wrong = "it is no plain file"
        elif (text := os.pread(descriptor, _MOST, 0)) and not _HELD.match(text):
            wrong = "it has other content, which the lock would write over"
        else:
            return descriptor
        os.close(descriptor)
        raise self._wrong(f"{self._path} is no lock file: {wrong}; name another with --lock")

    @staticmethod
    def _wrong(text: str) -> InputError:
        return InputError(text, slug="lock_file")

    def _try(self) -> bool:
        """Whether the lock was to be had, on the file that has the name now."""
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            if self._is_named():
                return True
            # Somebody removed it: a lock on a file that nobody else finds keeps nobody out.
            self.close()
            self._descriptor = self._open()

    def _is_named(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def _holder(self) -> str:
        found = _HELD.match(os.pread(self._descriptor, _MOST, 0))
        if found is None:
            return "another process holds"
        pid, since = found["pid"].decode(), found["since"].decode(errors="replace")
        return f"pid {pid} has held since {since}"

    def _refusal(self, wait: float) -> str:
        after = f" and still did after {wait:g} s (--lock-wait)" if wait else ""
        hint = "" if wait else "; --lock-wait T would wait for it"
        return f"another run is under way: the lock is {self._path}, which {self._holder()}{after}{hint}"
