"""Goes back to a release, or undoes and settles what a run that switched hosts together left open."""

from __future__ import annotations

import os
import stat

from fleetpush.agent.descent import open_directory
from fleetpush.agent.partial import ABSENT, PREVIOUS
from fleetpush.agent.place import Place, StoreError, explained, targets
from fleetpush.agent.releases import Releases
from fleetpush.lean.suppress import suppress
from fleetpush.record import Record
from fleetpush.swarm.manifest import File

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from typing import Any

    from fleetpush.agent.place import Target


class Files(Record):
    """What of a manifest says where its files go."""

    __slots__ = ("files",)

    def __init__(self, files: list[File]) -> None:
        self.files = files


def roll_back(arguments: dict[str, Any], stop: threading.Event) -> dict[str, Any]:
    """Back to the release before in ``dir``, or ``to`` another one; ``check``: only says which.

    Raises StoreError as ``Releases`` does.
    """
    releases = _releases(arguments)
    try:
        find = releases.before if arguments.get("check") else releases.back
        was, now = find(arguments.get("to") or "")
    finally:
        releases.close()
    return {"was": was, "now": now, "directory": releases.directory}


def undo(arguments: dict[str, Any], stop: threading.Event) -> dict[str, Any]:
    """Puts back what was there before this content was switched to; ``changed``: whether it had been.

    ``dir`` names a directory of releases, else ``dest`` and ``files`` are as they were deployed;
    ``content`` is the first 12 hex digits of the manifest's digest. Raises StoreError.
    """
    if arguments.get("dir"):
        return _undo_release(arguments)
    changed = False
    for target, directory in _places(arguments):
        changed |= _put_back(target, directory, arguments["content"])
    return {"changed": changed}


def settle(arguments: dict[str, Any], stop: threading.Event) -> dict[str, Any]:
    """Nobody will want to go back: what was kept for that goes. Arguments as for ``undo``, and ``keep``."""
    if arguments.get("dir"):
        releases = _releases(arguments)
        try:
            releases.prune(arguments["keep"])
        finally:
            releases.close()
        return {"changed": True}
    changed = False
    for target, directory in _places(arguments):
        for ending in (PREVIOUS, ABSENT):
            with explained(target.path), suppress(FileNotFoundError):
                os.unlink(_partial(target, arguments["content"]) + ending, dir_fd=directory)
                changed = True
    return {"changed": changed}


def _releases(arguments: dict[str, Any]) -> Releases:
    return Releases(arguments["dir"], os.path.expanduser("~"), make=False)


def _undo_release(arguments: dict[str, Any]) -> dict[str, Any]:
    releases = _releases(arguments)
    try:
        if not releases.current().endswith("-" + arguments["content"]):
            return {"changed": False}
        releases.back()
    finally:
        releases.close()
    return {"changed": True}


def _places(arguments: dict[str, Any]) -> list[tuple[Target, int]]:
    """Every file's place that there is, with its directory open: as long as this process, which is short."""
    content = Files([File(path, 0) for path in arguments["files"]])
    place = Place(arguments["dest"], None, None, None, os.path.expanduser("~"))
    found = []
    for target in targets(content, place):  # type: ignore[arg-type]  # it looks at the paths alone
        with explained(target.path), suppress(FileNotFoundError):
            found.append((target, open_directory(target, None)))
    return found


def _partial(target: Target, content: str) -> str:
    return f".{target.name}.fleetpush-{content}"


def _put_back(target: Target, directory: int, content: str) -> bool:
    partial = _partial(target, content)
    with explained(target.path):
        try:
            os.rename(partial + PREVIOUS, target.name, src_dir_fd=directory, dst_dir_fd=directory)
        except FileNotFoundError:
            try:
                os.unlink(partial + ABSENT, dir_fd=directory)
            except FileNotFoundError:
                _refuse_tree(target, directory)
                return False
            with suppress(FileNotFoundError):
                os.unlink(target.name, dir_fd=directory)
        os.fsync(directory)
    return True


def _refuse_tree(target: Target, directory: int) -> None:
    """Nothing was kept: of a file that had not switched, or of a tree that may have. Raises StoreError."""
    try:
        found = os.stat(target.name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(found.st_mode):
        raise StoreError(
            "tree_not_kept",
            f"{target.path} is a directory: what a tree replaced is not kept, deploy what was there before",
        )
