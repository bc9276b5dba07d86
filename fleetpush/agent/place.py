"""Where the files go on this host, who shall own them, and what the disk's refusals mean."""

from __future__ import annotations

import errno

from fleetpush.errors import HostError
from fleetpush.lean.system import os
from fleetpush.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetpush.swarm.manifest import Manifest

UNCHANGED = -1
"""What ``chown`` takes for a user or group that stays as it is."""


class StoreError(HostError):
    """The host's disk cannot take, keep or give back the content: this host fails, with a reason."""


class Place(Record):
    """Where the content goes.

    ``dest`` may be relative to ``home``, start with ``~``, or end in ``/``: a directory that takes the
    file under its own name. ``mode`` None keeps the mode of the file that is replaced, else follows the
    umask. ``owner`` and ``group`` by name or number; None keeps the replaced file's where permitted.
    """

    __slots__ = ("dest", "mode", "owner", "group", "home")

    def __init__(
        self, dest: str, mode: int | None, owner: str | None, group: str | None, home: str
    ) -> None:
        self.dest = dest
        self.mode = mode
        self.owner = owner
        self.group = group
        self.home = home


class Target(Record):
    """One file's final place: ``name`` in ``below`` (the manifest's directories) in ``directory``."""

    __slots__ = ("directory", "below", "name")

    def __init__(self, directory: str, below: tuple[str, ...], name: str) -> None:
        self.directory = directory
        self.below = below
        self.name = name

    @property
    def path(self) -> str:
        return os.path.join(self.directory, *self.below, self.name)


def targets(manifest: Manifest, place: Place) -> list[Target]:
    """Where each of the manifest's files goes. Raises StoreError for a ``dest`` that names no file."""
    dest = absolute(place.dest, place.home)
    inside = len(manifest.files) > 1 or place.dest.endswith("/") or not place.dest
    if inside:
        found = []
        for file in manifest.files:
            *below, name = file.path.split("/")
            found.append(Target(dest, tuple(below), name))
        return found
    directory, name = os.path.split(dest)
    if not name:
        raise StoreError("dest_is_directory", f"{dest} is a directory: choose a file name in it")
    return [Target(directory, (), name)]


def absolute(dest: str, home: str) -> str:
    """``dest`` in full and normalised, as a login shell in ``home`` would have it. Raises StoreError."""
    if "\0" in dest:
        raise StoreError("bad_dest", f"the destination {dest!r} holds a NUL byte: choose another")
    if dest == "~" or dest.startswith("~/"):
        dest = os.path.join(home, dest[2:])
    else:
        dest = os.path.expanduser(dest)
        if dest.startswith("~"):
            raise StoreError("bad_dest", f"{dest}: no such user here; write the path in full")
    return os.path.normpath(os.path.join(home, dest))


def ownership(place: Place) -> tuple[int, int]:
    """The uid and gid asked for, ``UNCHANGED`` where none is. Raises StoreError for unknown names."""
    uid = UNCHANGED if place.owner is None else _user_id(place.owner)
    gid = UNCHANGED if place.group is None else _group_id(place.group)
    return uid, gid


def _user_id(owner: str) -> int:
    if owner.isdecimal():
        return _number(owner)
    import pwd

    try:
        return pwd.getpwnam(owner).pw_uid
    except (KeyError, ValueError):
        raise _unknown("user", owner) from None


def _group_id(group: str) -> int:
    if group.isdecimal():
        return _number(group)
    import grp

    try:
        return grp.getgrnam(group).gr_gid
    except (KeyError, ValueError):
        raise _unknown("group", group) from None


def _unknown(kind: str, name: str) -> StoreError:
    return StoreError(
        "bad_owner", f"no {kind} {name!r} on this host: create it there, or give a number"
    )


def _number(text: str) -> int:
    number = int(text)
    if number >= (1 << 32) - 1:  # the last one means "unchanged" to the kernel
        raise StoreError("bad_owner", f"{text} is no user or group number")
    return number


def user_name() -> str:
    """Who we are, for a message."""
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


class explained:  # noqa: N801 - a word before a block
    """Turns what the system says about ``path`` into a StoreError."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        path = self._path
        if isinstance(error, OSError):
            raise explain(error, path) from error
        if isinstance(error, ValueError):  # a name that this host's locale cannot write
            said = f"{path!r} is no file name on this host: {error}"
            raise StoreError("bad_dest", said) from error


def explain(error: OSError, path: str) -> StoreError:
    """What ``error`` means to an operator who asked for ``path``."""
    where = f"{path}: {os.strerror(error.errno)}" if error.errno else f"{path}: {error}"
    if error.errno in (errno.EACCES, errno.EPERM):
        where += f" for user {user_name()}"
    slug, advice = _MEANING.get(error.errno or 0, ("io_error", "look at this host's kernel log"))
    return StoreError(slug, f"{where}; {advice}")


_PERMIT = ("not_writable", "choose another --dest, or become a user who may write there (-b)")
_ROOM = "make room there or choose another --dest"
_MEANING = {
    errno.ENOSPC: ("disk_full", _ROOM),
    errno.EDQUOT: ("disk_full", _ROOM),
    errno.EFBIG: ("file_too_large", "that filesystem or limit takes no file of this size"),
    errno.EACCES: _PERMIT,
    errno.EPERM: _PERMIT,
    errno.EROFS: ("read_only", "remount it writable or choose another --dest"),
    errno.EISDIR: ("dest_is_directory", "end --dest in '/' to put the file inside it"),
    errno.ENOTDIR: (
        "dest_not_directory",
        "a part of that path is no directory; choose another --dest",
    ),
    errno.ELOOP: (
        "dest_not_directory",
        "a part of that path is a symbolic link; choose another --dest",
    ),
    errno.ENOENT: ("dest_gone", "it was removed or replaced under this run; deploy again"),
    errno.ENAMETOOLONG: ("name_too_long", "choose a shorter --dest"),
    errno.EXDEV: (
        "crosses_filesystems",
        "another filesystem is mounted there, below --dest: leave it out, or deploy to it by itself",
    ),
    errno.EMFILE: ("too_many_files", "raise this host's open-file limit (ulimit -n)"),
}
