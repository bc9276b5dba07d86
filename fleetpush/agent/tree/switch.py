"""From what was there to what was staged: directories, a rename for each file and link, then modes.

Whoever opens a file meanwhile sees the old one or the new one. Only the tree's own names are touched.
"""

from __future__ import annotations

import stat

from fleetpush.agent.destination import settle
from fleetpush.agent.place import UNCHANGED, explained
from fleetpush.agent.tree.look import same_link, same_time, unlike
from fleetpush.agent.tree.root import encoded
from fleetpush.lean.suppress import suppress
from fleetpush.lean.system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleetpush.agent.tree.look import Look
    from fleetpush.agent.tree.root import Root
    from fleetpush.agent.tree.staging import Staging
    from fleetpush.agent.tree.surplus import Surplus
    from fleetpush.swarm.manifest import Manifest

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OURS = 0o700
"""What we need on a directory to put something into it."""


class Switch:
    """``staged``: the numbers of the files that a rename makes active; the others are there already."""

    def __init__(
        self,
        root: Root,
        manifest: Manifest,
        look: Look,
        staged: Sequence[int],
        *,
        surplus: Surplus | None,
        owner: tuple[int, int],
        mode: int | None,
    ) -> None:
        """``surplus``: what is to be removed; ``mode``: of every file, None for what the manifest says.

        Raises StoreError.
        """
        assert manifest.tree is not None
        self.staged = staged
        self.done = False
        self._root = root
        self._manifest = manifest
        self._tree = manifest.tree
        self._look = look
        self._surplus = surplus
        self._owner = owner
        self._mode = mode
        self._links = [
            index
            for index, link in enumerate(self._tree.links)
            if not same_link(root, look.links[index], link)
        ]
        self._settle_only = self._differing(frozenset(staged))

    @property
    def changes_anything(self) -> bool:
        """Whether the destination is not what it shall be."""
        directories = zip(self._tree.directories, self._look.directories)
        if self._surplus is not None and self._surplus.find():
            return True
        return bool(self.staged or self._links or self._settle_only) or any(
            found is None or unlike(found, self._owner, directory.mode)
            for directory, found in directories
        )

    def _differing(self, staged: frozenset[int]) -> list[int]:
        found = []
        for index, file in enumerate(self._manifest.files):
            old = self._look.files[index]
            if index in staged or old is None:
                continue
            other_time = file.mtime is not None and not same_time(old, file.mtime)
            if other_time or unlike(old, self._owner, self._mode_of(index)):
                found.append(index)
        return found

    def _mode_of(self, index: int) -> int | None:
        return self._manifest.files[index].mode if self._mode is None else self._mode

    def activate(self, staging: Staging) -> None:
        """Raises StoreError naming what could not be switched; what was switched before it stays."""
        self._make_directories()
        for index in self.staged:
            self._rename(staging, str(index), self._manifest.files[index].path)
        for index in self._links:
            link = self._tree.links[index]
            name = f"link{index}"
            with explained(self._root.where(link.path)), suppress(FileNotFoundError):
                os.unlink(name, dir_fd=staging.fd)
            with explained(self._root.where(link.path)):
                os.symlink(encoded(link.target), name, dir_fd=staging.fd)
                if self._owner != (UNCHANGED, UNCHANGED):
                    os.chown(name, *self._owner, dir_fd=staging.fd, follow_symlinks=False)
            self._rename(staging, name, link.path)
        for index in self._settle_only:
            self._settle(index)
        if self._surplus is not None:
            self._surplus.remove()
        self._settle_directories()
        self.done = True

    def _make_directories(self) -> None:
        wanted = {directory.path for directory in self._tree.directories}
        names = [self._manifest.files[index].path for index in self.staged]
        for path in (*names, *(link.path for link in self._tree.links)):
            above = path.rpartition("/")[0]
            while above and above not in wanted:
                wanted.add(above)
                above = above.rpartition("/")[0]
        for path in sorted(wanted):
            with explained(self._root.where(path)):
                if not self._root.make(path):
                    self._open_up(path)

    def _open_up(self, path: str) -> None:
        """A directory that we may not write in for now, as the tree may have it, gets its mode in the end."""
        fd = self._root.directory(path)
        found = os.fstat(fd)
        if stat.S_IMODE(found.st_mode) & _OURS != _OURS and found.st_uid == os.geteuid():
            os.fchmod(fd, stat.S_IMODE(found.st_mode) | _OURS)

    def _rename(self, staging: Staging, staged: str, path: str) -> None:
        with explained(self._root.where(path)):
            directory, name = self._root.parent(path)
            os.rename(staged, name, src_dir_fd=staging.fd, dst_dir_fd=directory)

    def _settle(self, index: int) -> None:
        file = self._manifest.files[index]
        where = self._root.where(file.path)
        with explained(where):
            directory, name = self._root.parent(file.path)
            fd = os.open(name, _READ, dir_fd=directory)
            try:
                settle(fd, where, self._owner, self._mode_of(index), None)
                if file.mtime is not None:
                    os.utime(fd, ns=(file.mtime, file.mtime))
            finally:
                os.close(fd)

    def _settle_directories(self) -> None:
        """From below: a directory may then be one that nobody can look into."""
        for each in reversed(self._tree.directories):
            where = self._root.where(each.path)
            with explained(where):
                fd = self._root.directory(each.path)
                if unlike(os.fstat(fd), self._owner, each.mode):
                    settle(fd, where, self._owner, each.mode, None)
