"""The file that is replaced, and who shall own what replaces it."""

from __future__ import annotations

import stat

from fleetpush.agent.descent import open_directory
from fleetpush.agent.place import UNCHANGED, StoreError
from fleetpush.lean.suppress import suppress
from fleetpush.lean.system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetpush.agent.place import Target


def open_old(target: Target, size: int) -> tuple[int, os.stat_result | None]:
    """The destination as it is: a descriptor if it is a file of that ``size`` (else -1), and its stat.

    The stat is None where there is no plain file. Raises StoreError for what must not be replaced, OSError.
    """
    found = None
    try:
        directory = open_directory(target, None)
    except FileNotFoundError:
        return -1, None
    try:
        behind = os.stat(target.name, dir_fd=directory)
        here = os.stat(target.name, dir_fd=directory, follow_symlinks=False)
        _check_replaceable(target.path, behind, here)
        if not stat.S_ISREG(here.st_mode):
            return -1, None
        found = here
        if found.st_size != size:
            return -1, found
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open(target.name, flags, dir_fd=directory), found
    except (FileNotFoundError, PermissionError):
        return -1, found  # what we may not read we may still replace
    finally:
        os.close(directory)


def _check_replaceable(path: str, behind: os.stat_result, here: os.stat_result) -> None:
    if stat.S_ISDIR(behind.st_mode):
        raise StoreError(
            "dest_is_directory",
            f"{path} is a directory on this host: write {path}/ to put the file inside it",
        )
    if not stat.S_ISREG(here.st_mode) and not stat.S_ISLNK(here.st_mode):
        raise StoreError(
            "dest_not_file", f"{path} is a device, pipe or socket: choose another --dest"
        )


def try_owner(fd: int, owner: tuple[int, int], path: str) -> None:
    """Says now, not after gigabytes, that the owner cannot be. Raises StoreError (bad_owner)."""
    if owner == (UNCHANGED, UNCHANGED):
        return
    _give(fd, owner, path)
    with suppress(OSError):  # until it is proved the file stays ours
        os.fchown(fd, os.geteuid(), UNCHANGED)


def settle(
    fd: int, path: str, owner: tuple[int, int], mode: int | None, old: os.stat_result | None
) -> None:
    """Gives the file its owner and ``mode`` (None: as it is). Raises StoreError, OSError.

    Where no ``owner`` is asked for, the replaced file's (``old``) is kept if we may: only root can give
    a file away, and others' files becoming ours is what cp would do too.
    """
    now = os.fstat(fd)
    if old is not None and (old.st_uid, old.st_gid) != (now.st_uid, now.st_gid):
        with suppress(OSError):
            os.fchown(fd, old.st_uid, old.st_gid)
    now = os.fstat(fd)
    if owner[0] not in (UNCHANGED, now.st_uid) or owner[1] not in (UNCHANGED, now.st_gid):
        _give(fd, owner, path)
        now = os.fstat(fd)
    if mode is not None and stat.S_IMODE(now.st_mode) != mode:
        os.fchmod(fd, mode)


def _give(fd: int, owner: tuple[int, int], path: str) -> None:
    try:
        os.fchown(fd, *owner)
    except OSError as error:
        whom = " and ".join(
            f"{kind} {number}"
            for kind, number in zip(("user", "group"), owner)
            if number != UNCHANGED
        )
        raise StoreError(
            "bad_owner",
            f"{path}: may not give the file to {whom}: {error.strerror}; "
            "deploy as root (-b), or leave --owner and --group out",
        ) from error


def sync_directory(path: str) -> None:
    """Makes what was renamed or made in it last. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
