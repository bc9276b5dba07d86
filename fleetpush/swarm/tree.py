"""What a tree has beside its files: directories and symbolic links, and what cannot be in one tree.

In a manifest's head it is ``"tree": {"directories": [{"mode", "path"}], "links": [{"path", "target"}]}``,
both in the order of their paths. A link's target is text that nobody follows. A manifest without a tree
has no such key.
"""

from __future__ import annotations

from fleetpush.errors import ManifestError
from fleetpush.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

MAX_TARGET = 4095
"""Bytes in a link's target: what Linux takes."""

PERMISSIONS = 0o777
"""The mode bits that travel: never set-user-ID, set-group-ID or sticky."""

_TIMES = 1 << 63


class Directory(Record):
    """A directory of the tree and its permission bits."""

    __slots__ = ("path", "mode")

    def __init__(self, path: str, mode: int) -> None:
        self.path = path
        self.mode = mode


class Link(Record):
    """A symbolic link; ``target`` is its text."""

    __slots__ = ("path", "target")

    def __init__(self, path: str, target: str) -> None:
        self.path = path
        self.target = target


class Tree(Record):
    """Directories and links, each in the order of their paths."""

    __slots__ = ("directories", "links")

    def __init__(self, directories: Sequence[Directory], links: Sequence[Link]) -> None:
        self.directories = tuple(directories)
        self.links = tuple(links)

    @property
    def paths(self) -> list[str]:
        """Of the directories and of the links."""
        return [each.path for each in self.directories] + [each.path for each in self.links]

    def as_json(self) -> dict[str, Any]:
        return {
            "directories": [{"path": d.path, "mode": d.mode} for d in self.directories],
            "links": [{"path": link.path, "target": link.target} for link in self.links],
        }

    @classmethod
    def of_json(cls, given: dict[str, Any]) -> Tree:
        """Raises ValueError, TypeError, KeyError or AttributeError for what ``as_json`` never makes."""
        directories = [Directory(str(d["path"]), _bits(d["mode"])) for d in given["directories"]]
        links = [Link(str(link["path"]), str(link["target"])) for link in given["links"]]
        return cls(directories, links)


def check_tree(tree: Tree, files: Sequence[str]) -> None:
    """Raises ManifestError for names that cannot be side by side, or are out of order, and bad targets.

    ``files``: the paths of the files. Each path must have been checked alone.
    """
    directories = [directory.path for directory in tree.directories]
    links = [link.path for link in tree.links]
    for paths in (directories, links):
        if any(one >= other for one, other in zip(paths, paths[1:])):
            raise ManifestError("a tree's directories or links out of order, or twice")
    leaves = set(files)
    taken = leaves & set(links)
    leaves.update(links)
    taken |= leaves & set(directories)
    if taken:
        raise ManifestError(f"{min(taken)!r} is two things at once in one tree")
    _check_parents((*directories, *leaves), leaves)
    for directory in tree.directories:
        check_traits(directory.mode, None)
    for link in tree.links:
        _check_target(link)


def _check_parents(paths: Sequence[str], leaves: set[str]) -> None:
    above: set[str] = set()
    for path in paths:
        parent = path.rpartition("/")[0]
        while parent and parent not in above:
            if parent in leaves:
                raise ManifestError(f"{path!r} lies below {parent!r}, which is no directory")
            above.add(parent)
            parent = parent.rpartition("/")[0]


def check_traits(mode: object, mtime: object) -> None:
    """What a file carries beside its content; None where it carries none. Raises ManifestError."""
    try:
        if mode is not None:
            _bits(mode)
        if mtime is not None and (type(mtime) is not int or not -_TIMES <= mtime < _TIMES):
            raise ValueError(mtime)
    except ValueError as error:
        raise ManifestError(f"a mode or time that no file has: {error}") from None


def _bits(mode: object) -> int:
    if type(mode) is not int or not 0 <= mode <= PERMISSIONS:
        raise ValueError(mode)
    return mode


def _check_target(link: Link) -> None:
    try:
        size = len(link.target.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        size = 0
    if not 0 < size <= MAX_TARGET or "\0" in link.target:
        raise ManifestError(f"{link.path!r} points to what no link can: {link.target[:80]!r}")
