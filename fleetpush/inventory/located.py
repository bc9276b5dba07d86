"""``HOST:PATH``: a file on a machine of the inventory, spelled as scp and rsync have it."""

from __future__ import annotations

from typing import NamedTuple


class Located(NamedTuple):
    """``path`` on ``host``; a relative one counts from the login user's home. Either may be ""."""

    host: str
    path: str

    @property
    def name(self) -> str:
        """What the file is called on the hosts that get it."""
        return self.path.rpartition("/")[2]


def located(text: str) -> Located | None:
    """Where ``text`` says that the file is; None for one on this machine.

    A colon behind a slash is part of a name, so that ``./a:b`` is a file here. Brackets let a host's name
    have colons: ``[2001:db8::1]:/file``.
    """
    if text.startswith("[") and "]:" in text:
        host, _, path = text[1:].partition("]:")
        return Located(host, path)
    host, colon, path = text.partition(":")
    return Located(host, path) if colon and "/" not in host else None
