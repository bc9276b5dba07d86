"""A directory of releases: each whole in a directory of its own, ``current`` a link to one of them.

``releases/ID`` is what was deployed, ID being the time of its first run and the content's digest, so that
the same content is found again. ``releases.log`` has a line for each switch: what to go back to is the
release before in it, not the one with the next older name.
"""

from __future__ import annotations

import errno
import stat
import time

from fleetpush.agent.descent import descend, unmake
from fleetpush.agent.partial import try_lock
from fleetpush.agent.place import StoreError, absolute, explained
from fleetpush.lean.suppress import suppress
from fleetpush.lean.system import os

LINK = "current"
INSIDE = "releases"
LOG = "releases.log"

_STAMP, _DIGEST = 14, 12


class Releases:
    """Those below ``directory``, which stays locked until ``close``: one run at a time may switch it."""

    def __init__(self, directory: str, home: str, *, make: bool, lock: bool = True) -> None:
        """``lock``: not for who only looks. Raises StoreError: release_busy, no_releases where it is missing
        and not to be made."""
        self.directory = absolute(directory, home)
        self._made: list[str] = []
        with explained(self.directory):
            try:
                self._fd = descend(self.directory, self._made if make else None)
            except FileNotFoundError:
                raise StoreError(
                    "no_releases", f"{self.directory} is not there: nothing was released here yet"
                ) from None
        if lock and not try_lock(self._fd):
            os.close(self._fd)
            raise StoreError(
                "release_busy", f"{self.directory}: another run is releasing here; wait for it"
            )

    def close(self) -> None:
        """Lets go. What was made for a release that did not come about goes too."""
        if self._made:
            unmake([*self._made, os.path.join(self.directory, INSIDE)])
        os.close(self._fd)

    def path(self, release: str) -> str:
        return os.path.join(self.directory, INSIDE, release)

    def choose(self, stamp: str, digest: str) -> str:
        """The release for this content: one that has it, or its beginning, already; else a new one."""
        found = [name for name in self._names() if name.endswith("-" + digest)]
        current = self.current()
        if current in found:
            return current
        return found[-1] if found else f"{stamp}-{digest}"

    def current(self) -> str:
        """The active release, "" if there is none. Raises StoreError if something else has its name."""
        with explained(os.path.join(self.directory, LINK)):
            try:
                target = os.readlink(LINK, dir_fd=self._fd)
            except FileNotFoundError:
                return ""
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                raise StoreError(
                    "current_is_no_link",
                    f"{self.directory}/{LINK} is no symbolic link: move it away, releases need the name",
                ) from error
        return os.path.basename(target.rstrip("/"))

    def switch(self, release: str, word: str = "switch") -> bool:
        """Makes ``release`` the active one: whoever opens ``current`` sees the one or the other.

        Whether it was not already. Raises StoreError.
        """
        if self.current() == release:
            return False
        beside = f".{LINK}.fleetpush-{release[-_DIGEST:]}"
        with explained(os.path.join(self.directory, LINK)):
            with suppress(FileNotFoundError):
                os.unlink(beside, dir_fd=self._fd)
            os.symlink(f"{INSIDE}/{release}", beside, dir_fd=self._fd)
            try:
                os.rename(beside, LINK, src_dir_fd=self._fd, dst_dir_fd=self._fd)
            except OSError:
                os.unlink(beside, dir_fd=self._fd)
                raise
            os.fsync(self._fd)
        self._note(word, release)
        return True

    def back(self, wanted: str = "") -> tuple[str, str]:
        """Switches to what ``before`` names. Returns where it was and where it is; raises as that does."""
        was, goal = self.before(wanted)
        self.switch(goal, "back")
        return was, goal

    def before(self, wanted: str = "") -> tuple[str, str]:
        """The active release and the one before, or the one whose name ``wanted`` is a part of.

        Raises StoreError: no_release_before, no_such_release.
        """
        was = self.current()
        if wanted:
            return was, self._named(wanted)
        there = self._names()
        past = [name for name in self.past() if name in there and name != was]
        if not past:
            raise StoreError(
                "no_release_before",
                f"{self.directory}: no release before {was or 'the first'} is left to go back to",
            )
        return was, past[-1]

    def _named(self, wanted: str) -> str:
        """The one release that was active at some time, is still there and is called so."""
        active = {release for _, release in self._log()} | {self.current()}
        there = [name for name in self._names() if name in active]
        found = [name for name in there if wanted in name]
        if len(found) == 1:
            return found[0]
        what = f"{len(found)} releases are called {wanted!r}" if found else f"no {wanted!r}"
        raise StoreError(
            "no_such_release",
            f"{self.directory}: {what} among those that were active: {', '.join(there) or 'none'}",
        )

    def past(self) -> list[str]:
        """The active releases in their order, the present one last; going back takes from the end."""
        names: list[str] = []
        for word, release in self._log():
            if word == "back" and release in names:
                del names[_last(names, release) + 1 :]
            else:
                names.append(release)
        current = self.current()
        if not names:  # no log: somebody else's layout, whose names sort by age
            names = [name for name in self._names() if name <= current]
        if current in names:
            del names[_last(names, current) + 1 :]
        elif current:
            names.append(current)
        return names

    def prune(self, keep: int) -> None:
        """Removes the releases that were active longest ago; ``keep`` remain at least, ``current`` always.

        So do those that were begun later than ``current``: they may be preheated. Raises StoreError.
        """
        import shutil

        current = self.current()
        there = self._names()
        order = [name for name in dict.fromkeys(reversed(self.past())) if name in there]
        kept = {current, *order[: max(1, keep)]}
        for name in there:
            if name not in kept and (name in order or name < current):
                with explained(self.path(name)):
                    inside = descend(os.path.join(self.directory, INSIDE))
                    try:
                        # By the directory that was opened, whatever takes its name meanwhile.
                        shutil.rmtree(f"/proc/self/fd/{inside}/{name}")
                    finally:
                        os.close(inside)

    def _names(self) -> list[str]:
        """What is a release by its name, oldest first. Nothing else is ever looked at or removed."""
        try:
            inside = descend(os.path.join(self.directory, INSIDE))
        except FileNotFoundError:
            return []
        try:
            names = [name for name in os.listdir(inside) if _is_release(name)]
            return sorted(name for name in names if _is_directory(inside, name))
        finally:
            os.close(inside)

    def _log(self) -> list[tuple[str, str]]:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            with explained(os.path.join(self.directory, LOG)):
                fd = os.open(LOG, flags, dir_fd=self._fd)
        except StoreError as error:
            if error.slug != "dest_gone":  # no log yet
                raise
            return []
        with open(fd, encoding="ascii", errors="replace") as log:
            lines = [line.split() for line in log]
        return [(line[1], line[2]) for line in lines if len(line) == 3]

    def _note(self, word: str, release: str) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        with explained(os.path.join(self.directory, LOG)):
            fd = os.open(LOG, flags, 0o644, dir_fd=self._fd)
            try:
                os.write(fd, f"{now} {word} {release}\n".encode())
                os.fsync(fd)
            finally:
                os.close(fd)


def _is_directory(directory: int, name: str) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)


def _is_release(name: str) -> bool:
    stamp, _, digest = name.partition("-")
    return (
        len(stamp) == _STAMP
        and stamp.isdecimal()
        and len(digest) == _DIGEST
        and not digest.strip("0123456789abcdef")
    )


def _last(names: list[str], name: str) -> int:
    return len(names) - 1 - names[::-1].index(name)
