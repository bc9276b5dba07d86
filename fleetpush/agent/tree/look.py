"""What a destination has of a tree, by its names, kinds and times; and what must not be replaced."""

from __future__ import annotations

import stat

from fleetpush.agent.kept import note
from fleetpush.agent.place import UNCHANGED, StoreError, explained
from fleetpush.lean.system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Optional

    from fleetpush.agent.tree.root import Root
    from fleetpush.swarm.manifest import File, Manifest
    from fleetpush.swarm.tree import Directory, Link

    Found = Optional[os.stat_result]

SECOND = 1_000_000_000


class Look:
    """Everything a tree names, as it is at the destination; None stands for what is not there."""

    def __init__(self, root: Root, manifest: Manifest) -> None:
        """Raises StoreError for a directory in a file's or link's place, a file in a directory's, devices."""
        assert manifest.tree is not None
        self._root = root
        self.directories = [self._directory(each) for each in manifest.tree.directories]
        self.files = [self._leaf(each.path) for each in manifest.files]
        self.links = [self._leaf(each.path) for each in manifest.tree.links]

    def untouched(self, known: Mapping[int, Sequence[int]]) -> set[int]:
        """The numbers of the files that are still as ``known`` notes them."""
        return {
            index
            for index, found in enumerate(self.files)
            if found is not None
            and stat.S_ISREG(found.st_mode)
            and list(known.get(index, ())) == note(found)
        }

    def _directory(self, wanted: Directory) -> Found:
        found = self._root.look(wanted.path)
        if found is not None and not stat.S_ISDIR(found.st_mode):
            raise StoreError(
                "dest_not_directory",
                f"{self._root.where(wanted.path)} is no directory on this host, and the tree has one there: "
                "move it away or choose another --dest",
            )
        return found

    def _leaf(self, path: str) -> Found:
        found = self._root.look(path)
        if found is None or stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode):
            return found
        where = self._root.where(path)
        if stat.S_ISDIR(found.st_mode):
            raise StoreError(
                "dest_is_directory",
                f"{where} is a directory on this host, and the tree has none there: "
                "move it away or choose another --dest",
            )
        raise StoreError(
            "dest_not_file", f"{where} is a device, pipe or socket: choose another --dest"
        )


def same_size(found: Found, file: File) -> bool:
    """Whether there is a file that may hold ``file``'s content."""
    return found is not None and stat.S_ISREG(found.st_mode) and found.st_size == file.size


def same_time(found: os.stat_result, mtime: int) -> bool:
    """Whether a file has this time, as far as its filesystem can keep it: some keep whole seconds."""
    there = found.st_mtime_ns
    return there == mtime or (not there % SECOND and there // SECOND == mtime // SECOND)


def unlike(found: os.stat_result, owner: tuple[int, int], mode: int | None) -> bool:
    """Whether it has another ``mode`` or owner than is asked for; None and ``UNCHANGED`` ask for none."""
    uid, gid = owner
    return (
        (mode is not None and stat.S_IMODE(found.st_mode) != mode)
        or uid not in (UNCHANGED, found.st_uid)
        or gid not in (UNCHANGED, found.st_gid)
    )


def same_link(root: Root, found: Found, link: Link) -> bool:
    """Whether ``link`` is there. Raises StoreError."""
    if found is None or not stat.S_ISLNK(found.st_mode):
        return False
    with explained(root.where(link.path)):
        directory, name = root.parent(link.path)
        return os.readlink(name, dir_fd=directory) == link.target.encode("utf-8", "surrogateescape")
