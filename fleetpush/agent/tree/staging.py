"""Where a tree is staged: a hidden directory in its destination, its files by their numbers.

One lock, on the directory, keeps two runs from one destination; one rename a file makes it active.
"""

from __future__ import annotations

import errno

from fleetpush.agent.partial import locked, try_lock
from fleetpush.agent.place import StoreError
from fleetpush.agent.tree.root import DIRECTORY
from fleetpush.lean.suppress import suppress
from fleetpush.lean.system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleetpush.agent.tree.root import Root

PREFIX = ".fleetpush-"
_DIGEST = 12
_HEX = "0123456789abcdef"

LARGE = 1 << 20
"""Bytes from which a file's room is set aside on the disk; that of smaller ones is only counted."""

_PAGE = 4096


def is_staging(name: str) -> bool:
    """Whether an entry of a destination is called like a staging directory of ours."""
    digest = name[len(PREFIX) :]
    return name.startswith(PREFIX) and len(digest) == _DIGEST and not digest.strip(_HEX)


class Staging:
    """``fd``: the directory, locked. ``existed``: an earlier run left something in it."""

    def __init__(self, root: Root, digest: str) -> None:
        """Makes or reopens it. Raises StoreError (dest_busy), OSError."""
        self.name = PREFIX + digest
        self.path = root.where(self.name)
        self.sound = True
        """Memory shows nothing of it, as written, that the disk never took: a later run may find it."""
        self._root = root.fd
        with locked(root.fd, root.path):
            for name in os.listdir(root.fd):
                if is_staging(name) and name != self.name:
                    _refuse_if_others_write(root, name)
            with suppress(FileExistsError):
                os.mkdir(self.name, 0o700, dir_fd=root.fd)
            self.fd = os.open(self.name, DIRECTORY, dir_fd=root.fd)
            try:
                self._take(root)
            except BaseException:
                os.close(self.fd)
                raise

    def _take(self, root: Root) -> None:
        if not try_lock(self.fd):
            raise _busy(root)
        found = os.fstat(self.fd)
        if found.st_uid != os.geteuid():
            raise StoreError(
                "not_writable",
                f"{self.path} belongs to user {found.st_uid}: remove it, or be that user",
            )
        os.fchmod(self.fd, 0o700)
        self.existed = bool(os.listdir(self.fd))

    def open(self, name: str) -> int:
        """A staged file, to be read and written. Raises OSError."""
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open(name, flags, dir_fd=self.fd)

    def create(self, name: str, size: int, *, allocate: bool) -> None:
        """Makes room for a file, unless it is there. Raises OSError."""
        fd = os.open(
            name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self.fd
        )
        try:
            if os.fstat(fd).st_size != size:
                os.ftruncate(fd, size)
            if allocate and size >= LARGE:
                os.posix_fallocate(fd, 0, size)
        finally:
            os.close(fd)

    def check_room(self, sizes: Mapping[str, int], path: str) -> None:
        """Raises StoreError where the filesystem cannot take files of these ``sizes``, by their names."""
        wanted = 0
        for name, size in sizes.items():
            wanted += -(-size // _PAGE) * _PAGE
            if self.existed:
                with suppress(FileNotFoundError):
                    blocks = os.stat(name, dir_fd=self.fd, follow_symlinks=False).st_blocks
                    wanted -= min(blocks * 512, size)
        disk = os.fstatvfs(self.fd)
        # Root may use what the filesystem keeps back for it.
        free = (disk.f_bavail if os.geteuid() else disk.f_bfree) * disk.f_frsize
        if wanted > free:
            raise StoreError(
                "disk_full",
                f"{path}: needs {wanted / 1e6:,.1f} MB and its filesystem has {free / 1e6:,.1f} MB free; "
                "make room there or choose another --dest",
            )

    def sync(self) -> None:
        """Writes its filesystem to the disk. Raises OSError, and then it is not ``sound``."""
        try:
            sync(self.fd)
        except OSError:
            self.sound = False
            raise

    def remove(self) -> None:
        """Takes the directory away with all that is left in it. Raises OSError."""
        for name in os.listdir(self.fd):
            os.unlink(name, dir_fd=self.fd)
        with suppress(FileNotFoundError):
            os.rmdir(self.name, dir_fd=self._root)

    def close(self) -> None:
        """Lets go of the lock."""
        os.close(self.fd)


def _refuse_if_others_write(root: Root, name: str) -> None:
    try:
        fd = os.open(name, DIRECTORY, dir_fd=root.fd)
    except OSError:
        return  # another user's: we cannot know
    try:
        if not try_lock(fd):
            raise _busy(root)
    finally:
        os.close(fd)


def _busy(root: Root) -> StoreError:
    return StoreError(
        "dest_busy",
        f"{root.path}: another run, or a host that shares this filesystem, is writing it; "
        "wait for it or choose another --dest",
    )


def sync(fd: int) -> None:
    """Writes the filesystem of ``fd`` to its disk: once for a whole tree, not once a file. Raises OSError."""
    try:
        import ctypes

        syncfs = ctypes.CDLL(None, use_errno=True).syncfs
    except (ImportError, OSError, AttributeError):
        os.sync()
        return
    if syncfs(fd) and ctypes.get_errno() != errno.ENOSYS:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
