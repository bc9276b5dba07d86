"""The way to a directory, made where it is missing; as root, never by a link that somebody else laid.

Whoever owns a directory on the way can put a symbolic link in the next one's place at any moment. So root
opens each part below the one before, and follows a link only if it is root's own, or if it leads to what
belongs to whom the link belongs: who may write there anyway gains nothing. (systemd's ``chase()`` has the
same rule as CHASE_SAFE.)
"""

from __future__ import annotations

import errno
import stat

from fleetpush.agent.place import StoreError
from fleetpush.lean.suppress import suppress
from fleetpush.lean.system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetpush.agent.place import Target

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_PART = _DIRECTORY | os.O_NOFOLLOW
_LINKS = 40
"""As many as the kernel follows."""


def open_directory(target: Target, made: list[str] | None) -> int:
    """A descriptor of the directory that ``target`` goes to; missing ones are made and noted in ``made``.

    Symbolic links are followed in the operator's part of the path, as ``descend`` does, never in the
    manifest's. Raises StoreError, OSError; FileNotFoundError where it is missing and ``made`` is None.
    """
    fd = descend(target.directory, made)
    path = target.directory
    for part in target.below:
        path = os.path.join(path, part)
        try:
            if made is not None:
                _make(path, part, fd, made)
            inner = os.open(part, _PART, dir_fd=fd)
        finally:
            os.close(fd)
        fd = inner
    return fd


def descend(path: str, made: list[str] | None = None) -> int:
    """A descriptor of the directory at ``path``, which is absolute. As ``open_directory``.

    Raises StoreError (dest_untrusted) where a link of somebody else's leads root astray.
    """
    if os.geteuid():
        # Nothing that a link leads us to is closed to whom it belongs and open to us alone, as it is to root.
        if made is not None:
            _make_all(path, made)
        return os.open(path, _DIRECTORY)
    descent = _Descent(path, made)
    try:
        return descent.end()
    finally:
        os.close(descent.fd)


def unmake(made: list[str]) -> None:
    """Takes away what was made and is empty, the last first. Raises nothing."""
    for path in reversed(made):
        with suppress(OSError, StoreError):  # not empty: it is in use
            fd = descend(os.path.dirname(path))
            try:
                os.rmdir(os.path.basename(path), dir_fd=fd)
            finally:
                os.close(fd)


def _make_all(path: str, made: list[str]) -> None:
    missing = []
    while not os.path.lexists(path):
        missing.append(path)
        path = os.path.dirname(path)
    for path in reversed(missing):
        _make(path, path, None, made)


def _make(path: str, name: str, dir_fd: int | None, made: list[str]) -> None:
    try:
        os.mkdir(name, dir_fd=dir_fd)
    except FileExistsError:
        return
    made.append(path)


class _Descent:
    """``fd``: how far it has come, at ``_here``."""

    def __init__(self, path: str, made: list[str] | None) -> None:
        self.fd = os.open("/", _DIRECTORY)
        self._path = path
        self._made = made
        self._here = "/"
        self._parts = path.split("/")[::-1]
        self._links = 0
        self._strangers: dict[int, str] = {}
        """Whose links were followed, and the last of each."""

    def end(self) -> int:
        """All the way. Raises StoreError, OSError."""
        while self._parts:
            part = self._parts.pop()
            if part not in ("", "."):
                self._step(part)
        self._check()
        return os.open(".", _DIRECTORY, dir_fd=self.fd)

    def _step(self, part: str) -> None:
        try:
            self._enter(os.open(part, _PART, dir_fd=self.fd), part)
        except FileNotFoundError:
            if self._made is None:
                raise
            self._check()  # before anything is made where a stranger's link has led
            _make(os.path.join(self._here, part), part, self.fd, self._made)
            self._enter(os.open(part, _PART, dir_fd=self.fd), part)
        except PermissionError:
            # Root is nobody on some network filesystems, and may pass where it may not look.
            self._enter(os.open(part, os.O_PATH | _PART, dir_fd=self.fd), part)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            self._follow(part)

    def _enter(self, fd: int, part: str) -> None:
        os.close(self.fd)
        self.fd = fd
        self._here = os.path.join(self._here, part)

    def _follow(self, part: str) -> None:
        # By a descriptor of the link itself: who it belongs to and where it leads are of one and the same.
        link = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.fd)
        try:
            found = os.fstat(link)
            if not stat.S_ISLNK(found.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            goal = os.readlink("", dir_fd=link)
        finally:
            os.close(link)
        self._links += 1
        if self._links > _LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if found.st_uid:
            self._strangers[found.st_uid] = os.path.join(self._here, part)
        if goal.startswith("/"):
            self._enter(os.open("/", _DIRECTORY), "/")
        self._parts += goal.split("/")[::-1]

    def _check(self) -> None:
        """Where links of strangers have led must belong to each of them. Raises StoreError."""
        owner = os.fstat(self.fd).st_uid
        for stranger, link in self._strangers.items():
            if stranger != owner:
                raise StoreError(
                    "dest_untrusted",
                    f"{self._path}: {link} is a symbolic link of user {stranger}'s to what is user {owner}'s,"
                    " and root follows no such link: write the path that is meant, or chown -h the link",
                )
        self._strangers.clear()
