"""Removes what runs that died have left at a destination: partials, and what was kept to go back to."""

from __future__ import annotations

import os
import stat

from fleetpush.agent.descent import descend, unmake
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
            fd = descend(directory)
            try:
                for name in sorted(os.listdir(fd)):
                    if not stop.is_set() and is_left_over(name):
                        found.take(fd, os.path.join(directory, name))
                    elif not stop.is_set() and is_staging(name):
                        found.take_tree(fd, os.path.join(directory, name))
            finally:
                os.close(fd)
            if os.path.basename(os.path.dirname(directory)) == INSIDE and not found.check:
                unmake([directory])  # if it is empty, and no release
    return {"removed": found.removed, "busy": found.busy, "bytes": found.freed}


class _Found:
    """What was there, and what became of it. ``fd`` is of the directory that a path lies in."""

    def __init__(self, *, check: bool) -> None:
        self.check = check
        self.removed: list[str] = []
        self.busy: list[str] = []
        self.freed = 0

    def take(self, fd: int, path: str) -> None:
        """Removes it, unless a run holds it. Raises OSError."""
        name = os.path.basename(path)
        found = os.stat(name, dir_fd=fd, follow_symlinks=False)
        if stat.S_ISLNK(found.st_mode) and name.startswith(f".{LINK}."):
            self._remove(fd, path, 0)  # what was about to become the active release
        elif stat.S_ISREG(found.st_mode):
            file = os.open(name, _FLAGS, dir_fd=fd)
            try:
                if try_lock(file):
                    # A second name of a file frees nothing.
                    self._remove(fd, path, found.st_blocks * 512 if found.st_nlink == 1 else 0)
                else:
                    self.busy.append(path)
            finally:
                os.close(file)

    def take_tree(self, fd: int, path: str) -> None:
        """The same of a directory in which a tree was staged. Raises OSError."""
        import shutil

        name = os.path.basename(path)
        if not stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
            return
        tree = os.open(name, _FLAGS | os.O_DIRECTORY, dir_fd=fd)
        try:
            if not try_lock(tree):
                self.busy.append(path)
                return
            for each in os.listdir(tree):
                found = os.stat(each, dir_fd=tree, follow_symlinks=False)
                self.freed += found.st_blocks * 512
            if not self.check:
                shutil.rmtree(f"/proc/self/fd/{fd}/{name}")
            self.removed.append(path)
        finally:
            os.close(tree)

    def _remove(self, fd: int, path: str, size: int) -> None:
        if not self.check:
            os.unlink(os.path.basename(path), dir_fd=fd)
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
