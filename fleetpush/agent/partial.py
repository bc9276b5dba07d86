"""Partial files: hidden beside their destination, 0600, locked, and one rename away from it.

Two runs must not write one destination at once, and no lock file may stay behind. So the partial itself
carries the lock, and whoever looks for others' partials and makes its own holds a lock on their directory
for that moment.
"""

from __future__ import annotations

import errno
import fcntl
import stat
import time

from fleetpush.agent.place import StoreError
from fleetpush.lean.suppress import suppress
from fleetpush.lean.system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from fleetpush.agent.place import Target

LOCK_PATIENCE = 30.0
"""Seconds that a directory may stay locked by others: each holds it for milliseconds."""

PREVIOUS, ABSENT = ".previous", ".absent"
"""What a partial's name ends in once it was activated together with others: the file that it replaced, or
word that there was none. Both go when the run ends well."""

_OPEN = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_HEX = "0123456789abcdef"
_UNLOCKABLE = frozenset(
    # Some network filesystems know no locks, or none on directories (NFS wants a writable descriptor).
    (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL, errno.EBADF)
)


class Partial:
    """One file on its way. ``fd`` stays good after the rename.

    ``existed``: it holds bytes of an earlier run.
    """

    __slots__ = ("activated", "directory", "existed", "fd", "name", "path", "target")

    def __init__(
        self, target: Target, directory: int, digest: str, owners: Collection[int]
    ) -> None:
        """Makes or reopens, and locks. ``directory`` stays the caller's; ``owners`` are the uids that a
        partial of ours may have. Raises StoreError (dest_busy) or OSError."""
        self.target = target.name
        self.path = target.path
        self.directory = directory
        self.name = f".{target.name}.fleetpush-{digest}"
        self.activated = False
        with locked(directory, self.path):
            self._refuse_if_others_write()
            self.fd, self.existed = self._create_or_reopen(owners)

    def _refuse_if_others_write(self) -> None:
        head = f".{self.target}.fleetpush-"
        for name in os.listdir(self.directory):
            digest = name[len(head) :]
            ours = name.startswith(head) and len(digest) == 12 and not digest.strip(_HEX)
            if name == self.name or not ours:
                continue
            try:
                fd = os.open(name, _OPEN & ~os.O_RDWR, dir_fd=self.directory)
            except OSError:
                continue  # another user's: we cannot know, and the rename is atomic anyway
            try:
                self._lock(fd)
            finally:
                os.close(fd)

    def _create_or_reopen(self, owners: Collection[int]) -> tuple[int, bool]:
        while True:
            try:
                fd = os.open(
                    self.name, _OPEN | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=self.directory
                )
            except FileExistsError:
                fd = self._reopen()
            try:
                self._lock(fd)
                found = os.fstat(fd)
                if self._still_there(found):
                    if _trusted(found, owners):
                        os.fchmod(fd, 0o600)
                        return fd, found.st_size > 0
                    os.unlink(self.name, dir_fd=self.directory)
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)  # its run removed it before it let go of the lock, or we did: again

    def _reopen(self) -> int:
        """What has our name; links, and what we may not even read, make room first."""
        try:
            return os.open(self.name, _OPEN, dir_fd=self.directory)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENXIO, errno.EACCES, errno.ENOENT):
                raise
        with suppress(FileNotFoundError):
            os.unlink(self.name, dir_fd=self.directory)
        return os.open(self.name, _OPEN | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=self.directory)

    def _still_there(self, found: os.stat_result) -> bool:
        try:
            here = os.stat(self.name, dir_fd=self.directory, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(here, found)

    def _lock(self, fd: int) -> None:
        if not try_lock(fd):
            raise _busy(self.path)

    def sync(self, how: Callable[[int], None] = os.fsync) -> None:
        """Raises OSError, and then no later run finds it: memory would go on showing, as written, what the
        disk never took."""
        try:
            how(self.fd)
        except OSError:
            with suppress(OSError):
                os.unlink(self.name, dir_fd=self.directory)
            raise

    def activate(self, *, keep_old: bool = False) -> bool:
        """One rename: whoever opens the destination sees the old file or the new one. Raises OSError.

        ``keep_old``: what was there stays under another name until ``forget_old``; returns False where
        this filesystem or its permissions allow no second name for it.
        """
        if self.activated:
            return True
        if not self._still_there(os.fstat(self.fd)):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        kept = self._keep_old() if keep_old else True
        os.rename(self.name, self.target, src_dir_fd=self.directory, dst_dir_fd=self.directory)
        self.activated = True
        return kept

    def _keep_old(self) -> bool:
        self.forget_old()
        try:
            os.link(
                self.target,
                self.name + PREVIOUS,
                src_dir_fd=self.directory,
                dst_dir_fd=self.directory,
                follow_symlinks=False,
            )
        except FileNotFoundError:
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
            os.close(os.open(self.name + ABSENT, flags, 0o600, dir_fd=self.directory))
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO):
                raise
            return False
        return True

    def forget_old(self) -> None:
        """Nobody will want to go back. Raises OSError."""
        for ending in (PREVIOUS, ABSENT):
            with suppress(FileNotFoundError):
                os.unlink(self.name + ending, dir_fd=self.directory)

    def close(self, keep: bool) -> None:
        """Releases the lock; unless to ``keep`` (or activated) nothing remains. Raises nothing."""
        if not keep and not self.activated:
            with suppress(
                OSError
            ):  # it is gone already, or the disk is: there is nobody left to tell
                os.unlink(self.name, dir_fd=self.directory)
        os.close(self.fd)


def _trusted(found: os.stat_result, owners: Collection[int]) -> bool:
    """No link, no device, nobody else's: nothing that writing to could hurt, or that others may change."""
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_uid in owners


class locked:  # noqa: N801 - a word before a block
    """Holds the directory's lock. Raises StoreError (dest_busy) when others never let go of it."""

    __slots__ = ("_directory", "_path")

    def __init__(self, directory: int, path: str) -> None:
        self._directory = directory
        self._path = path

    def __enter__(self) -> None:
        give_up = time.monotonic() + LOCK_PATIENCE
        while not try_lock(self._directory):
            if time.monotonic() > give_up:
                raise _busy(self._path)
            time.sleep(0.01)

    def __exit__(self, *problem: object) -> None:
        _unlock(self._directory)


def try_lock(fd: int) -> bool:
    """Locks what ``fd`` is of, unless others hold it; where no locks are known nobody does."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _UNLOCKABLE:
            raise
    return True


def _unlock(fd: int) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_UN)
    except OSError as error:
        if error.errno not in _UNLOCKABLE:
            raise


def _busy(path: str) -> StoreError:
    return StoreError(
        "dest_busy",
        f"{path}: another run, or a host that shares this filesystem, is writing it; "
        "wait for it or choose another --dest",
    )
