"""Which paths of a tree are left out: rsync's exclude patterns, without its files of them.

``*.tmp`` is any entry of such a name, ``/top`` one at the tree's root, ``dir/`` directories alone, ``a/b``
the end of a path. ``*`` and ``?`` stop at a ``/``, ``**`` does not. What lies in an excluded directory is
excluded.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Excluded:
    """What ``patterns`` leave out."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """Raises ValueError naming a pattern that can match nothing."""
        self._any: list[re.Pattern[str]] = []
        self._directories: list[re.Pattern[str]] = []
        for pattern in patterns:
            bare = pattern.rstrip("/")
            if not bare or "\0" in bare:
                raise ValueError(f"{pattern!r} excludes nothing: give a name or a path")
            kind = self._directories if pattern.endswith("/") else self._any
            kind.append(re.compile(_as_regex(bare), re.DOTALL))

    def __bool__(self) -> bool:
        return bool(self._any or self._directories)

    def leaves_out(self, path: str, *, directory: bool) -> bool:
        """Whether the entry at ``path`` itself is excluded; those above it are not looked at."""
        if any(pattern.match(path) for pattern in self._any):
            return True
        return directory and any(pattern.match(path) for pattern in self._directories)


def _as_regex(pattern: str) -> str:
    start = "" if pattern.startswith("/") else "(?:.*/)?"
    return start + _translated(pattern.lstrip("/")) + r"\Z"


def _translated(glob: str) -> str:
    found, at = [], 0
    while at < len(glob):
        if glob.startswith("**", at):
            found.append(".*")
            at += 2
            continue
        sign = glob[at]
        end = _end_of_set(glob, at) if sign == "[" else -1
        if end > 0:
            found.append(_set(glob[at + 1 : end]))
            at = end
        elif sign == "\\" and at + 1 < len(glob):
            at += 1
            found.append(re.escape(glob[at]))
        else:
            found.append({"*": "[^/]*", "?": "[^/]"}.get(sign) or re.escape(sign))
        at += 1
    return "".join(found)


def _end_of_set(glob: str, at: int) -> int:
    """Where the set that begins at ``at`` ends; -1 where the bracket is an ordinary character."""
    first = at + 2 if glob[at + 1 : at + 2] in ("!", "^") else at + 1
    return glob.find("]", first + 1)


def _set(inside: str) -> str:
    negated = inside[:1] in ("!", "^")
    pairs, rest = [], inside[1:] if negated else inside
    while rest:
        if len(rest) > 2 and rest[1] == "-" and rest[0] <= rest[2]:
            pairs.append(f"{re.escape(rest[0])}-{re.escape(rest[2])}")
            rest = rest[3:]
        else:
            pairs.append(re.escape(rest[0]))
            rest = rest[1:]
    # Neither kind of set takes a slash, as in a shell.
    return f"(?!/)[{'^' if negated else ''}{''.join(pairs)}]"
