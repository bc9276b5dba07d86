"""Removes what runs that died have left at a destination: partials, and what was kept to go back to."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from fleetpush.agent.partial import ABSENT, PREVIOUS, try_lock
from fleetpush.agent.place import absolute, explained
from fleetpush.agent.releases import INSIDE, LINK
from fleetpush.agent.tree.staging import is_staging

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from typing import Any

MARK = ".fleetpush-"
_DIGEST = 12
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def clean(arguments: dict[str, Any], stop: threading.Event) -> dict[str, Any]:
    """Looks where ``dest``, or the releases in ``dir``, are; ``check``: only says what there is.

    ``removed`` are their paths, ``bytes`` what they held on the disk, ``busy`` those that a run is writing
    right now and that stay. Raises StoreError for a place that cannot be read or written.
    """
    found = _Found(check=arguments["check"])
    for directory in _directories(arguments, os.path.expanduser("~")):
        with explained(directory):
            for name in sorted(os.listdir(directory)):
                if not stop.is_set() and is_left_over(name):
                    found.take(os.path.join(directory, name))
                elif not stop.is_set() and is_staging(name):
                    found.take_tree(os.path.join(directory, name))
            if os.path.basename(os.path.dirname(directory)) == INSIDE and not found.check:
                with suppress(OSError):  # not empty: a release
                    os.rmdir(directory)
    return {"removed": found.removed, "busy": found.busy, "bytes": found.freed}


class _Found:
    """What was there, and what became of it."""

    def __init__(self, *, check: bool) -> None:
        self.check = check
        self.removed: list[str] = []
        self.busy: list[str] = []
        self.freed = 0

    def take(self, path: str) -> None:
        """Removes it, unless a run holds it. Raises OSError."""
        found = os.lstat(path)
        is_link = stat.S_ISLNK(found.st_mode) and os.path.basename(path).startswith(f".{LINK}.")
        if is_link:  # what was about to become the active release
            self._remove(path, 0)
        elif stat.S_ISREG(found.st_mode):
            fd = os.open(path, _FLAGS)
            try:
                if try_lock(fd):
                    # A second name of a file frees nothing.
                    self._remove(path, found.st_blocks * 512 if found.st_nlink == 1 else 0)
                else:
                    self.busy.append(path)
            finally:
                os.close(fd)

    def take_tree(self, path: str) -> None:
        """The same of a directory in which a tree was staged. Raises OSError."""
        import shutil

        if not stat.S_ISDIR(os.lstat(path).st_mode):
            return
        fd = os.open(path, _FLAGS | os.O_DIRECTORY)
        try:
            if not try_lock(fd):
                self.busy.append(path)
                return
            for name in os.listdir(fd):
                found = os.stat(name, dir_fd=fd, follow_symlinks=False)
                self.freed += found.st_blocks * 512
            if not self.check:
                shutil.rmtree(path)
            self.removed.append(path)
        finally:
            os.close(fd)

    def _remove(self, path: str, size: int) -> None:
        if not self.check:
            os.unlink(path)
        self.removed.append(path)
        self.freed += size


def is_left_over(name: str) -> bool:
    """Whether only a run of ours calls a file so."""
    for ending in (PREVIOUS, ABSENT):
        name = name[: -len(ending)] if name.endswith(ending) else name
    target, mark, digest = name.rpartition(MARK)
    return (
        bool(mark)
        and len(target) > 1
        and target.startswith(".")
        and len(digest) == _DIGEST
        and not digest.strip("0123456789abcdef")
    )


def _directories(arguments: dict[str, Any], home: str) -> Iterator[str]:
    """Where something of ours may be; what is not there holds nothing."""
    if not arguments.get("dir"):
        dest = absolute(arguments["dest"], home)
        directory = dest if arguments["dest"].endswith("/") else os.path.dirname(dest)
        found = [directory]
    else:
        root = absolute(arguments["dir"], home)
        inside = os.path.join(root, INSIDE)
        names = sorted(os.listdir(inside)) if os.path.isdir(inside) else []
        found = [root, *(os.path.join(inside, name) for name in names)]
        found = [path for path in found if not os.path.islink(path)]
    yield from (path for path in found if os.path.isdir(path))
