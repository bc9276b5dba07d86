"""Whether the process of a run still lives: a lock that the kernel lets go of with it, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

DIRECTORY = "running"


class Pulse:
    """Held from before a run is in the history until after its end is. Raises OSError where none can be."""

    def __init__(self, state_dir: Path, run_id: str) -> None:
        self._path = _path(state_dir, run_id)
        for directory in (
            state_dir,
            self._path.parent,
        ):  # parents that mkdir makes are for everybody
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fd = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._fd)
            raise

    def release(self) -> None:
        with contextlib.suppress(OSError):
            self._path.unlink()
        os.close(self._fd)


def lives(state_dir: Path, run_id: str) -> bool:
    """Whether somebody holds the pulse of this run."""
    try:
        fd = os.open(_path(state_dir, run_id), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Shared: two who look at once must not take each other for the run.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def forget(state_dir: Path, run_id: str) -> None:
    """Removes what a killed run has left."""
    with contextlib.suppress(OSError):
        _path(state_dir, run_id).unlink()


def _path(state_dir: Path, run_id: str) -> Path:
    return state_dir / DIRECTORY / run_id
