"""What the operator names as sources: files, and directories with all that is in them.

As with rsync and scp, ``DIR/`` is what is in the directory and ``DIR`` the directory itself. Nothing is read
but the directories, and no symbolic link below a source is followed.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fleetpush.deploy.fingerprint import FileIdentity
from fleetpush.errors import InputError, SourceChangedError
from fleetpush.inventory.located import located
from fleetpush.swarm.exclude import Excluded
from fleetpush.swarm.manifest import MAX_PATH, File
from fleetpush.swarm.tree import PERMISSIONS, Directory, Link, Tree

if TYPE_CHECKING:
    from collections.abc import Sequence

_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # never waits for a pipe's other end


class Found(NamedTuple):
    """What the sources are. ``paths`` and ``identities`` are the files', in the order of ``files``."""

    name: str
    """The sources as the operator would call them."""
    paths: tuple[Path, ...]
    files: tuple[File, ...]
    identities: tuple[FileIdentity, ...]
    tree: Tree | None
    """None where no source is a directory."""

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


def find_sources(sources: Sequence[str | os.PathLike[str]], exclude: Sequence[str] = ()) -> Found:
    """Looks at ``sources``, and walks those that are directories. Raises InputError, SourceChangedError."""
    if not sources:
        raise InputError("nothing to deploy: name at least one file")
    try:
        excluded = Excluded(exclude)
    except ValueError as error:
        raise InputError(f"--exclude: {error}") from None
    walk = _Walk(excluded)
    for source in sources:
        walk.add(os.fspath(source))
    return walk.found(", ".join(name_of(os.fspath(source)) for source in sources))


def is_directory(source: str) -> bool:
    """Whether a source is a tree; what is not there is a file, and so is what is on a host."""
    if located(source) is not None:
        return False
    return source.endswith("/") or Path(source).is_dir()


def means_contents(source: str) -> bool:
    """Whether what is in the directory is meant, not the directory itself."""
    # Not a Path's name: there is none where the text ends in a slash or a dot.
    return source.rpartition("/")[2] in ("", ".", "..")


def name_of(source: str) -> str:
    """How the operator would call a source: a directory's contents end in a slash."""
    elsewhere = located(source)
    if elsewhere is not None:
        return elsewhere.name
    path = Path(source)
    if means_contents(source):
        return Path(os.path.normpath(path.absolute())).name + "/"
    return path.name


class _Walk:
    """Collects what is found, and refuses what cannot be side by side."""

    def __init__(self, excluded: Excluded) -> None:
        self._excluded = excluded
        self._paths: list[Path] = []
        self._files: list[File] = []
        self._identities: list[FileIdentity] = []
        self._directories: dict[str, Directory] = {}
        self._links: dict[str, Link] = {}
        self._seen: dict[str, str] = {}
        """What is no directory: its path on the hosts, and here."""
        self._is_tree = False

    def found(self, name: str) -> Found:
        tree = None
        if self._is_tree:
            directories = [self._directories[path] for path in sorted(self._directories)]
            tree = Tree(directories, [self._links[path] for path in sorted(self._links)])
        return Found(name, tuple(self._paths), tuple(self._files), tuple(self._identities), tree)

    def add(self, source: str) -> None:
        """Takes in one source."""
        path = Path(source).absolute()
        status = _status(path)
        if not stat.S_ISDIR(status.st_mode):
            self._take(on_hosts(path.name), str(path))
            self._add_file(str(path), File(on_hosts(path.name), status.st_size), status)
            return
        self._is_tree = True
        if means_contents(source):
            self._walk(str(path), "")
        else:
            name = on_hosts(path.name)
            self._add_directory(name, str(path), status)
            self._walk(str(path), name + "/")

    def _walk(self, top: str, below: str) -> None:
        """``below`` is what the hosts' paths begin with. A directory's own files come before those below."""
        pending = [(top, below)]
        while pending:
            here, prefix = pending.pop()
            inner = []
            for entry in _entries(here):
                there = prefix + on_hosts(entry.name)
                status = _entry_status(entry)
                is_directory = stat.S_ISDIR(status.st_mode)
                if self._excluded.leaves_out(there, directory=is_directory):
                    continue
                if len(there) > MAX_PATH:
                    raise InputError(f"{entry.path}: longer than any path can be on a host")
                if is_directory:
                    self._add_directory(there, entry.path, status)
                    inner.append((entry.path, there + "/"))
                else:
                    self._add_leaf(there, entry.path, status)
            pending += reversed(inner)

    def _add_directory(self, there: str, here: str, status: os.stat_result) -> None:
        if there in self._seen:
            raise _twins(self._seen[there], here)
        mode = stat.S_IMODE(status.st_mode) & PERMISSIONS
        self._directories.setdefault(there, Directory(there, mode))

    def _add_leaf(self, there: str, here: str, status: os.stat_result) -> None:
        self._take(there, here)
        mode = stat.S_IMODE(status.st_mode) & PERMISSIONS
        if stat.S_ISREG(status.st_mode):
            if not os.access(here, os.R_OK, effective_ids=True):
                raise _unreadable(here, "Permission denied")
            self._add_file(here, File(there, status.st_size, mode, status.st_mtime_ns), status)
        elif stat.S_ISLNK(status.st_mode):
            try:
                target = on_hosts(os.readlink(here))  # noqa: PTH115 - a Path would rewrite it
            except OSError as error:
                raise _vanished(here) from error
            self._links[there] = Link(there, target)
        else:
            raise InputError(
                f"{here} is a device, pipe or socket: leave it out (--exclude) or remove it"
            )

    def _add_file(self, here: str, file: File, status: os.stat_result) -> None:
        path = Path(here)
        self._paths.append(path)
        self._files.append(file)
        self._identities.append(FileIdentity.of(path, status))

    def _take(self, there: str, here: str) -> None:
        """Notes what is no directory. Raises InputError where its place is taken."""
        if there in self._directories:
            raise _twins("a directory of that name", here)
        if there in self._seen:
            raise _twins(self._seen[there], here)
        self._seen[there] = here


def _twins(one: str, other: str) -> InputError:
    return InputError(f"{one} and {other} would become one file on the hosts: rename one of them")


def on_hosts(name: str) -> str:
    """A name as the manifest has it: UTF-8, other bytes escaped, whatever this machine's locale says."""
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def _status(path: Path) -> os.stat_result:
    """What a source that the operator named is: a link there is followed."""
    try:
        fd = os.open(path, _OPEN)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"cannot read the source {path}: {reason}") from error
    try:
        status = os.fstat(fd)
    finally:
        os.close(fd)
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise InputError(f"{path} is a device, pipe or socket: copy it to a file first")
    return status


def _entries(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as found:
            return sorted(found, key=lambda entry: os.fsencode(entry.name))
    except FileNotFoundError as error:
        raise _vanished(directory) from error
    except OSError as error:
        raise _unreadable(directory, str(error.strerror)) from error


def _entry_status(entry: os.DirEntry[str]) -> os.stat_result:
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError as error:
        raise _vanished(entry.path) from error
    except OSError as error:
        raise _unreadable(entry.path, str(error.strerror)) from error


def _vanished(path: str) -> SourceChangedError:
    return SourceChangedError(f"{path} went away while the tree was read: deploy again")


def _unreadable(path: str, why: str) -> InputError:
    return InputError(f"cannot read the source {path}: {why}; mend that, or --exclude it")
