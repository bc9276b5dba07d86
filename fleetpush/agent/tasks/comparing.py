"""What a push would do to this host: what a look beforehand asks. Nothing is changed, made or locked."""

from __future__ import annotations

import os
import zlib
from binascii import a2b_base64, b2a_base64

from fleetpush.agent.descent import open_directory
from fleetpush.agent.destination import open_old
from fleetpush.agent.files import SLICE
from fleetpush.agent.place import Place, StoreError, Target, absolute, explained, ownership, targets
from fleetpush.agent.releases import LINK, Releases
from fleetpush.agent.tree.look import Look, same_link, same_size, same_time, unlike
from fleetpush.agent.tree.root import Root
from fleetpush.agent.tree.surplus import Surplus
from fleetpush.lean.compiled import sha256
from fleetpush.lean.json import dumps
from fleetpush.swarm.manifest import DIGEST, Manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from typing import Any

MOST = 600_000
"""Letters of an answer's packed part: the channel takes lines of a megabyte."""

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def compare(arguments: dict[str, Any], stop: threading.Event) -> dict[str, Any]:
    """``manifest`` (packed; its chunks' digests do not count) and ``sums``, each file's SHA-256, as they
    would be in ``dest``, or as a release in ``dir`` whose name ends in ``content``.

    ``mode``, ``owner``, ``group``, ``delete`` are as for a push. Returns the place in ``dest``, in ``would``
    one of nothing, create, update and switch, and packed in ``found``, numbers being those of files, links
    and directories: ``created``, ``replaced`` (each with the size that is there), ``adjusted`` (mode, time
    or owner), ``links``, ``directories``, and the paths ``removed``. Raises StoreError for what a push
    would refuse.
    """
    home = os.path.expanduser("~")
    content = _Content(arguments, stop)
    asked = (arguments["mode"], arguments["owner"], arguments["group"], home)
    if arguments["dir"]:
        return _of_release(arguments, content, asked)
    place = Place(arguments["dest"], *asked)
    new, found = _differences(content, place, arguments["delete"])
    shown = absolute(place.dest, home)
    if content.manifest.tree is None and len(content.manifest.files) == 1:
        shown = targets(content.manifest, place)[0].path
    would = "create" if new else "update" if any(found.values()) else "nothing"
    return _answer(shown, would, found)


class _Content:
    """What would be pushed."""

    def __init__(self, arguments: dict[str, Any], stop: threading.Event) -> None:
        self.manifest = Manifest.decode(zlib.decompress(a2b_base64(arguments["manifest"])))
        self._sums = a2b_base64(arguments["sums"])
        self._stop = stop

    def is_in(self, fd: int, index: int) -> bool:
        """Whether an open file holds what file number ``index`` does. Raises OSError."""
        digest = sha256()
        room = memoryview(bytearray(SLICE))
        while not self._stop.is_set():
            size = os.readv(fd, [room])
            if not size:
                break
            digest.update(room[:size])
        return digest.digest() == self._sums[index * DIGEST : (index + 1) * DIGEST]


def _of_release(
    arguments: dict[str, Any], content: _Content, asked: tuple[Any, ...]
) -> dict[str, Any]:
    """A release that is there whole needs a switch at most; any other is as good as none."""
    shown = os.path.join(absolute(arguments["dir"], asked[-1]), LINK) + "/"
    try:
        releases = Releases(arguments["dir"], asked[-1], make=False, lock=False)
    except StoreError as error:
        if error.failure.slug != "no_releases":
            raise
        return _answer(shown, "create", _nothing())
    try:
        release = releases.choose("", arguments["content"])
        place = Place(releases.path(release) + "/", *asked)
        _, found = _differences(content, place, None)
        active = releases.current() == release
        if any(found.values()):
            return (
                _answer(shown, "update", found) if active else _answer(shown, "create", _nothing())
            )
        return _answer(shown, "nothing" if active else "switch", found)
    finally:
        releases.close()


def _answer(dest: str, would: str, found: dict[str, Any]) -> dict[str, Any]:
    # That everything is to be created says it all.
    told = _nothing() if would == "create" else found
    packed = b2a_base64(zlib.compress(dumps(told)), newline=False).decode()
    if len(packed) > MOST:
        raise StoreError(
            "too_many_changes",
            f"{dest}: more would change than can be told at once: look at parts of the tree",
        )
    return {"dest": dest, "would": would, "found": packed}


def _nothing() -> dict[str, Any]:
    return {
        kind: [] for kind in ("created", "replaced", "adjusted", "links", "directories", "removed")
    }


def _differences(
    content: _Content, place: Place, delete: dict[str, Any] | None
) -> tuple[bool, dict[str, Any]]:
    """Whether nothing of it is there, and what is not as it would be."""
    manifest = content.manifest
    if manifest.tree is None:
        return _of_files(content, place)
    dest = absolute(place.dest, place.home)
    with explained(dest):
        owner = ownership(place)
        try:
            fd = open_directory(Target(dest, (), ""), None)
        except FileNotFoundError:
            return True, _nothing()
    root = Root(fd, dest.rstrip("/"))
    try:
        look = Look(root, manifest)
        found = _of_tree(content, (place.mode, owner), root, look)
        if delete is not None:
            below, exclude = delete["below"], delete["exclude"]
            surplus = Surplus(root, manifest, below, exclude, place.home.rstrip("/"))
            found["removed"] = [path + "/" * directory for path, directory in surplus.find()]
        named = [*look.files, *look.links, *look.directories]
        new = bool(named) and not found["removed"] and all(each is None for each in named)
        return new, found
    finally:
        root.close()


# -- files by themselves


def _of_files(content: _Content, place: Place) -> tuple[bool, dict[str, Any]]:
    manifest = content.manifest
    owner = ownership(place)
    found = _nothing()
    for index, target in enumerate(targets(manifest, place)):
        with explained(target.path):
            fd, old = open_old(target, manifest.files[index].size)
            try:
                same = fd >= 0 and content.is_in(fd, index)
            finally:
                if fd >= 0:
                    os.close(fd)
        if old is None:
            old = _link_at(target.path)
        if old is None:
            found["created"].append(index)
        elif not same:
            found["replaced"].append([index, old.st_size])
        elif unlike(old, owner, place.mode):
            found["adjusted"].append(index)
    return len(found["created"]) == len(manifest.files), found


def _link_at(path: str) -> os.stat_result | None:
    """A symbolic link is replaced, too, though it is no file."""
    try:
        return os.lstat(path)
    except OSError:
        return None


# -- trees


def _of_tree(
    content: _Content, asked: tuple[int | None, tuple[int, int]], root: Root, look: Look
) -> dict[str, Any]:
    manifest, (mode, owner) = content.manifest, asked
    assert manifest.tree is not None
    found = _nothing()
    for index, file in enumerate(manifest.files):
        old = look.files[index]
        if old is None:
            found["created"].append(index)
        elif not _holds(content, index, root, old):
            found["replaced"].append([index, old.st_size])
        elif unlike(old, owner, file.mode if mode is None else mode) or (
            file.mtime is not None and not same_time(old, file.mtime)
        ):
            found["adjusted"].append(index)
    for index, link in enumerate(manifest.tree.links):
        if not same_link(root, look.links[index], link):
            found["links"].append(index)
    for index, directory in enumerate(manifest.tree.directories):
        old = look.directories[index]
        if old is None or unlike(old, owner, directory.mode):
            found["directories"].append(index)
    return found


def _holds(content: _Content, index: int, root: Root, old: os.stat_result) -> bool:
    file = content.manifest.files[index]
    if not same_size(old, file):
        return False
    with explained(root.where(file.path)):
        directory, name = root.parent(file.path)
        try:
            fd = os.open(name, _READ, dir_fd=directory)
        except (FileNotFoundError, PermissionError):
            return False  # what we may not read we may still replace
        try:
            return content.is_in(fd, index)
        finally:
            os.close(fd)
