"""A stand-in for ``os``: the same names and behaviour, over the C module beneath.

Only for the Pythons of ``KNOWN_PYTHON``; ``system`` decides. What is not here an agent does not use. Paths
are text, never bytes.
"""

from __future__ import annotations

import posix
import sys
from posix import *  # noqa: F403 - as os itself has it
from posix import _exit

__all__ = ["_exit", "devnull", "environ", "fsencode", "path"]  # and all of posix, by attribute

devnull = "/dev/null"
_names = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()


def fsencode(name: str) -> bytes:
    """As ``os.fsencode``."""
    return name.encode(*_names)


def _variable(name: str, default: str) -> str:
    value = posix.environ.get(fsencode(name))
    return default if value is None else value.decode(*_names)


class environ:  # type: ignore[no-redef]  # noqa: N801 - as os has it, where posix has bytes
    """The environment that the process was started with."""

    get = staticmethod(_variable)


class path:  # noqa: N801 - as os has it
    """As ``posixpath``."""

    @staticmethod
    def join(first: str, *rest: str) -> str:
        for part in rest:
            if part.startswith("/"):
                first = part
            elif not first or first.endswith("/"):
                first += part
            else:
                first += "/" + part
        return first

    @staticmethod
    def split(whole: str) -> tuple[str, str]:
        at = whole.rfind("/") + 1
        head = whole[:at]
        return head.rstrip("/") or head, whole[at:]

    @staticmethod
    def dirname(whole: str) -> str:
        return path.split(whole)[0]

    @staticmethod
    def basename(whole: str) -> str:
        return whole[whole.rfind("/") + 1 :]

    @staticmethod
    def normpath(whole: str) -> str:
        root = "/" if whole.startswith("/") else ""
        if whole.startswith("//") and not whole.startswith("///"):
            root = "//"  # POSIX leaves to each system what two mean
        parts: list[str] = []
        for part in whole.split("/"):
            if part == ".." and parts and parts[-1] != "..":
                parts.pop()
            elif part not in ("", ".") and not (part == ".." and root and not parts):
                parts.append(part)
        return root + "/".join(parts) or "."

    @staticmethod
    def expanduser(whole: str) -> str:
        if not whole.startswith("~"):
            return whole
        user, slash, below = whole.partition("/")
        if user == "~" and b"HOME" in posix.environ:
            return _variable("HOME", "").rstrip("/") + slash + below or "/"
        import posixpath  # it has to ask who is known here

        return posixpath.expanduser(whole)

    @staticmethod
    def lexists(whole: str) -> bool:
        try:
            posix.lstat(whole)
        except (OSError, ValueError):
            return False
        return True

    @staticmethod
    def isdir(whole: str) -> bool:
        try:
            return posix.stat(whole).st_mode & 0o170000 == 0o040000
        except (OSError, ValueError):
            return False

    @staticmethod
    def samestat(one: posix.stat_result, other: posix.stat_result) -> bool:
        return one.st_ino == other.st_ino and one.st_dev == other.st_dev
