"""Runs of one user on one machine share ``--bwlimit``: of n that are under way each has an n-th of its own.

Each keeps a locked file in a directory of the user's; the kernel lets go of the lock when its process ends,
however it ends, and whoever looks next removes the file. So the sum stays under the limit, or under the
largest where they differ, but for the moment that the others need to notice.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import time
from typing import TYPE_CHECKING

from fleetpush.deploy.state import state_directory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from fleetpush.deploy.channel import Channel

LOOK_EVERY = 0.5
"""Seconds between looks at who else is there."""

ABANDONED_AFTER = 60.0
"""Seconds after which a file that never got its name is nobody's."""


class Registration:
    """One run among those that share. ``close`` it, or end."""

    def __init__(self, directory: Path) -> None:
        """Raises OSError where the directory cannot be written."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        self._name = f"{os.getpid()}-{secrets.token_hex(8)}"
        # It has a name that counts only once it is locked: nobody may take it for a dead run's.
        unnamed = directory / f".{self._name}"
        self._descriptor = os.open(
            unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unnamed.rename(directory / self._name)
        except BaseException:
            os.close(self._descriptor)
            raise

    def others(self) -> int:
        """How many other runs are under way. Raises OSError."""
        return sum(1 for path in self._files() if path.name != self._name and _is_held(path))

    def _files(self) -> Iterator[Path]:
        for path in self._directory.iterdir():
            if not path.name.startswith("."):
                yield path
            elif time.time() - _changed_at(path) > ABANDONED_AFTER:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # whoever looks next finds nobody there
            (self._directory / self._name).unlink()
        os.close(self._descriptor)


def _is_held(path: Path) -> bool:
    """Whether a process has it locked; if none does, it is removed."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    path.unlink(missing_ok=True)
    return False


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()


@contextlib.asynccontextmanager
async def shared(
    limit: int | None, origin: Channel, warn: Callable[[str], None]
) -> AsyncIterator[int | None]:
    """This run's share of ``limit``, in bytes a second, for the origin's agent to begin with.

    While the context lasts the agent is told when it changes. Where nothing can be shared, ``warn`` hears why
    and the share is the limit.
    """
    try:
        registration = Registration(state_directory(os.environ) / "bwlimit") if limit else None
    except (OSError, RuntimeError) as error:
        warn(f"--bwlimit is not shared with other runs: {error}")
        registration = None
    if registration is None or limit is None:
        yield limit
        return
    share = _part(limit, registration)
    keeping = asyncio.create_task(_keep(limit, share, registration, origin))
    try:
        yield share
    finally:
        keeping.cancel()
        registration.close()


async def _keep(limit: int, told: int, registration: Registration, origin: Channel) -> None:
    while True:
        await asyncio.sleep(LOOK_EVERY)
        share = _part(limit, registration)
        if share != told and origin.running:
            told = share
            origin.say({"do": "limit", "up": share})


def _part(limit: int, registration: Registration) -> int:
    """What one may send; all of it where nobody can say who else is there."""
    try:
        others = registration.others()
    except OSError:
        others = 0
    return max(1, limit // (1 + others))
