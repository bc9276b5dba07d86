"""The directory that a tree goes to, and what is below it: never through a symbolic link, never outside.

Names are bytes to the system, whatever this host's locale says: UTF-8, with what is none as it was.
"""

from __future__ import annotations

import stat

from fleetpush.agent.place import StoreError, explained
from fleetpush.lean.suppress import suppress
from fleetpush.lean.system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
OPEN_AT_ONCE = 64


def encoded(name: str) -> bytes:
    """The name or path as this host's system has it."""
    return name.encode("utf-8", "surrogateescape")


def decoded(name: bytes) -> str:
    """What ``encoded`` was given."""
    return name.decode("utf-8", "surrogateescape")


class Root:
    """``fd`` is of the directory at ``path``. Directories below are opened once; the last ones stay open."""

    def __init__(self, fd: int, path: str) -> None:
        self.fd = fd
        self.path = path
        self._open: dict[str, int] = {}

    def where(self, path: str) -> str:
        """``path`` in full, for a message."""
        return f"{self.path}/{path}" if path else self.path

    def directory(self, path: str) -> int:
        """A descriptor of the directory at ``path``, good until the next is asked for.

        Raises FileNotFoundError where it is not there, StoreError where something else is, OSError.
        """
        if not path:
            return self.fd
        known = self._open.get(path)
        if known is not None:
            return known
        done, fd = self._nearest(path)
        for part in path[len(done) :].strip("/").split("/"):
            done = f"{done}/{part}" if done else part
            fd = self._remember(done, self._step(fd, part, done))
        return fd

    def _nearest(self, path: str) -> tuple[str, int]:
        above = path.rpartition("/")[0]
        while above:
            if above in self._open:
                return above, self._open[above]
            above = above.rpartition("/")[0]
        return "", self.fd

    def _step(self, fd: int, part: str, path: str) -> int:
        try:
            return os.open(encoded(part), DIRECTORY, dir_fd=fd)
        except NotADirectoryError:
            raise StoreError(
                "dest_not_directory",
                f"{self.where(path)} is no directory on this host, and the tree has one there: "
                "move it away or choose another --dest",
            ) from None

    def _remember(self, path: str, fd: int) -> int:
        if len(self._open) >= OPEN_AT_ONCE:
            # Not the last one: it may be what this one was just opened below.
            os.close(self._open.pop(next(iter(self._open))))
        self._open[path] = fd
        return fd

    def parent(self, path: str) -> tuple[int, bytes]:
        """The directory that ``path`` lies in, as ``directory`` gives it, and its name there."""
        above, _, name = path.rpartition("/")
        return self.directory(above), encoded(name)

    def look(self, path: str) -> os.stat_result | None:
        """What is at ``path`` itself, None if nothing. Raises StoreError."""
        with explained(self.where(path)):
            try:
                directory, name = self.parent(path)
                return os.stat(name, dir_fd=directory, follow_symlinks=False)
            except FileNotFoundError:
                return None

    def make(self, path: str) -> bool:
        """Makes the directory at ``path`` in one that is there; whether it was not. Raises OSError."""
        directory, name = self.parent(path)
        try:
            os.mkdir(name, 0o755, dir_fd=directory)
        except FileExistsError:
            return False
        return True

    def forget(self) -> None:
        """Closes all but ``fd``."""
        while self._open:
            os.close(self._open.popitem()[1])

    def walk(self, below: str, skip: Callable[[str, bool], bool]) -> Iterator[tuple[str, bool]]:
        """Every path below ``below`` and whether it is a directory; what lies in one comes after it.

        Not what ``skip`` says of a path and whether it is a directory, nor what other filesystems hold.
        Raises StoreError.
        """
        device = os.fstat(self.fd).st_dev
        pending = [below]
        while pending:
            here = pending.pop()
            with explained(self.where(here)):
                try:
                    found = os.listdir(self.directory(here))
                except FileNotFoundError:
                    continue
            # From the locale's spelling of names into ours.
            for name in sorted(decoded(os.fsencode(name)) for name in found):
                path = f"{here}/{name}" if here else name
                status = self.look(path)
                if status is None or status.st_dev != device:
                    continue
                inner = stat.S_ISDIR(status.st_mode)
                if not skip(path, inner):
                    if inner:
                        pending.append(path)
                    yield path, inner

    def close(self) -> None:
        self.forget()
        with suppress(OSError):
            os.close(self.fd)
