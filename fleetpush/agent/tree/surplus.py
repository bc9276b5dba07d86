"""What a destination has and the tree has not: removed where the operator asks for it, and nothing else."""

from __future__ import annotations

import errno

from fleetpush.agent.place import StoreError, explained
from fleetpush.lean.system import os
from fleetpush.swarm.exclude import Excluded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleetpush.agent.tree.root import Root
    from fleetpush.swarm.manifest import Manifest

MARK = ".fleetpush-"
"""What the names of partial files and of staged trees have before 12 hex digits."""


class Surplus:
    """Below ``below`` in ``root``; what ``exclude`` names stays, and so does the directory that it is in."""

    def __init__(
        self, root: Root, manifest: Manifest, below: str, exclude: Sequence[str], home: str
    ) -> None:
        """Raises StoreError where all of a home, or of the host, would be what the tree lacks."""
        if not below and root.path in ("", home):
            raise StoreError(
                "delete_refused",
                f"{root.path or '/'}: --delete would empty it of all that the source lacks: "
                "choose a directory of its own",
            )
        assert manifest.tree is not None
        self._root = root
        self._below = below
        self._excluded = Excluded(exclude)
        self._occupied: set[str] = set()
        self._wanted = {file.path for file in manifest.files}
        self._wanted.update(manifest.tree.paths)

    def find(self) -> list[tuple[str, bool]]:
        """Paths, and whether each is a directory; what lies in one comes after it. Raises StoreError."""
        self._occupied.clear()
        try:
            walked = list(self._root.walk(self._below, self._stays))
        except StoreError as error:
            if error.failure.slug == "dest_gone":
                return []
            raise
        # What is excluded stays, and with it the directories that it lies in.
        wanted = self._wanted | self._occupied
        return [(path, directory) for path, directory in walked if path not in wanted]

    def _stays(self, path: str, directory: bool) -> bool:
        above, _, name = path.rpartition("/")
        _, mark, digest = name.rpartition(MARK)
        ours = bool(mark) and len(digest) == 12 and not digest.strip("0123456789abcdef")
        if not ours and not self._excluded.leaves_out(path, directory=directory):
            return False
        while above and above not in self._occupied:
            self._occupied.add(above)
            above = above.rpartition("/")[0]
        return True

    def remove(self) -> None:
        """Raises StoreError naming what could not be removed."""
        for path, directory in reversed(self.find()):
            with explained(self._root.where(path)):
                parent, name = self._root.parent(path)
                try:
                    if directory:
                        os.rmdir(name, dir_fd=parent)
                    else:
                        os.unlink(name, dir_fd=parent)
                except FileNotFoundError:
                    pass
                except OSError as error:
                    # Something came just now.
                    if not directory or error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                        raise
