"""What tells a file from every other, and from itself before and after a change."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple, Self

_SETTLED_NS = 2_000_000_000


class FileIdentity(NamedTuple):
    """What a file's content is remembered by. Times in nanoseconds.

    The change time is there for programs that write in place and put the old modification time back.
    ``settled``: it has not been touched just before, so that a later write shows in its times, however
    coarse the filesystem's clock.
    """

    path: str
    device: int
    inode: int
    size: int
    modified: int
    changed: int

    @classmethod
    def of(cls, path: Path, found: os.stat_result) -> Self:
        return cls(
            os.fsdecode(path),
            found.st_dev,
            found.st_ino,
            found.st_size,
            found.st_mtime_ns,
            found.st_ctime_ns,
        )

    def still_is(self, fd: int) -> bool:
        """Whether the open file ``fd`` is this one, unchanged."""
        return FileIdentity.of(Path(self.path), os.fstat(fd)) == self

    @property
    def is_still_there(self) -> bool:
        """Whether its path still leads to it, unchanged."""
        try:
            return FileIdentity.of(Path(self.path), os.stat(self.path)) == self  # noqa: PTH116 - of thousands
        except OSError:
            return False

    @property
    def settled(self) -> bool:
        return max(self.modified, self.changed) < time.time_ns() - _SETTLED_NS
