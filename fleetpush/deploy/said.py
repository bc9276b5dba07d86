"""What agents say, field by field: whatever a hostile one puts there is what we expect, or a ValueError."""

from __future__ import annotations

import contextlib
import socket
from typing import Any, NamedTuple

NOTE = 5
"""Numbers that a file is known again by."""

LARGEST = 1 << 50
"""Bytes, of which a thousand hosts may be added up in any database."""

LONGEST = 2000
"""Letters of a sentence that are kept."""

REPORTS_A_SECOND = 400
"""Progress messages that all agents together may send in a second."""

KINDS = (
    *("hello", "reading", "note", "ready", "progress", "began", "complete", "verified"),
    *("activated", "kept", "failed", "dropped", "edge_failed", "behind", "owns", "beat", "bye"),
)
"""Whatever an agent that takes part in an exchange has to say."""


class Spent(NamedTuple):
    """Of the thread in which an agent moves content, since its first block: ``wall`` seconds in all, of which
    it ran, was ready and waited for a processor, and was held in a call that did not return, by the disk
    mostly. Where its system does not tell the last two, they are 0."""

    wall: float
    ran: float
    queued: float
    held: float

    def share(self, seconds: float) -> float:
        """Of all; 0 where too little was measured to say."""
        return min(1.0, seconds / self.wall) if self.wall >= 0.25 else 0.0


def told_every(hosts: int) -> float:
    """Seconds between two words of an agent about its progress, in a fleet of so many."""
    return max(1.0, hosts / REPORTS_A_SECOND)


def count_in(message: dict[str, Any], key: str) -> int:
    """A natural number that an agent sent. Raises ValueError."""
    value = message[key]
    if type(value) is not int or not 0 <= value < LARGEST:
        raise ValueError(f"{key} is no count")
    return value


def spent_in(message: dict[str, Any]) -> Spent:
    """The times that an agent sent in milliseconds. Raises ValueError."""
    values = message["spent"]
    if not isinstance(values, list) or len(values) != len(Spent._fields):
        raise ValueError("what it spent is no list of times")
    return Spent(*(count_in({"spent": value}, "spent") / 1000 for value in values))


def text_in(message: dict[str, Any], key: str) -> str:
    """A string that an agent sent. Raises ValueError."""
    value = message[key]
    if not isinstance(value, str):
        raise ValueError(f"{key} is no text")
    return value


def sentence_in(message: dict[str, Any], key: str, most: int = LONGEST) -> str:
    """The same, cut to ``most`` letters, and such as every file and database takes."""
    return text_in(message, key)[:most].encode("utf-8", "backslashreplace").decode()


def paces_in(message: dict[str, Any]) -> dict[str, float]:
    """Which neighbours do not keep up with an agent, and the share of its due that each takes or gives.
    Raises ValueError and KeyError."""
    paces = message["paces"]
    if not isinstance(paces, dict) or not all(_is_share(value) for value in paces.values()):
        raise ValueError("how others keep up is no shares")
    return paces


def _is_share(value: Any) -> bool:  # noqa: ANN401 - anything may come
    return type(value) in (int, float) and 0 <= value <= 1


def address_in(message: dict[str, Any], key: str) -> str:
    """An address as a number, or "" for none. Raises ValueError.

    Others are told to call there: a name would be looked up by every one of them, and hold it up.
    """
    value = text_in(message, key)
    if value and ("%" in value or len(value) > 64 or not _is_address(value)):
        raise ValueError(f"{key} is no address")
    return value


def _is_address(value: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        # OSError: it is none of that family; ValueError: a character that no address has.
        with contextlib.suppress(OSError, ValueError):
            socket.inet_pton(family, value)
            return True
    return False


def port_in(message: dict[str, Any], key: str, least: int = 1) -> int:
    """A port number. Raises ValueError."""
    value = count_in(message, key)
    if not least <= value < 1 << 16:
        raise ValueError(f"{key} is no port")
    return value


def note_of(values: Any) -> tuple[int, ...]:  # noqa: ANN401 - anything may come
    """Device, inode, size and times of a file. Raises ValueError."""
    right = isinstance(values, list) and len(values) == NOTE
    if not right or not all(type(v) is int and abs(v) < 1 << 64 for v in values):
        raise ValueError("what it knows files by is no note")
    return tuple(values)
