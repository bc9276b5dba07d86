"""Anchors: a few bytes here and there of the new content, by which its place in old content is found.

An anchor is where it lies in the new stream (8 bytes, big-endian), the ``NEEDLE`` bytes there, and the first
``CHECK`` bytes of the SHA-256 of the up to ``SPAN`` bytes from there to its file's end. An old file is
searched for the needle by ``bytearray.find`` (gigabytes a second), never by a loop over its bytes. It is
read, not mapped: a file that is cut short meanwhile would kill whoever has it mapped.
"""

from __future__ import annotations

from fleetpush.lean.compiled import sha256
from fleetpush.lean.system import os
from fleetpush.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NEEDLE, CHECK, SPAN = 32, 8, 4096
LENGTH = 8 + NEEDLE + CHECK

WINDOW = 4 << 20
"""Bytes that are searched at once."""

HITS = 16
"""Places of a needle that are looked at: content that repeats itself has no end of them."""


class Anchor(Record):
    """``span``: of how many bytes ``check`` is the digest."""

    __slots__ = ("at", "needle", "check", "span")

    def __init__(self, at: int, needle: bytes, check: bytes, span: int) -> None:
        self.at = at
        self.needle = needle
        self.check = check
        self.span = span


class Old(Record):
    """Old content: a descriptor's number, and bytes in its file when it was opened."""

    __slots__ = ("key", "size")

    def __init__(self, key: int, size: int) -> None:
        self.key = key
        self.size = size


def unpack(packed: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """The anchors' places in the stream, needles and checks. What is cut off at the end is left out."""
    for start in range(0, len(packed) - LENGTH + 1, LENGTH):
        one = packed[start : start + LENGTH]
        yield int.from_bytes(one[:8], "big"), one[8 : 8 + NEEDLE], one[8 + NEEDLE :]


def read_into(fd: int, offset: int, view: memoryview) -> bool:
    """Fills ``view`` from the file; False where that cannot be, for whatever reason."""
    at = 0
    try:
        while at < len(view):
            done = os.preadv(fd, [view[at:]], offset + at) if offset >= 0 else 0
            if not done:
                return False
            at += done
    except OSError:
        return False
    return True


def lies_at(fd: int, offset: int, anchor: Anchor) -> bool:
    """Whether the old file has what ``anchor`` stands for at ``offset``."""
    room = memoryview(bytearray(anchor.span))
    return read_into(fd, offset, room) and sha256(room).digest()[:CHECK] == anchor.check


def find(fd: int, old: Old, anchor: Anchor, step: Callable[[int], bool]) -> int | None:
    """Where in the old file the anchor lies. ``step`` gets the bytes about to be searched; False ends it."""
    buffer = bytearray(min(WINDOW, old.size))
    start, hits = 0, 0
    while start + NEEDLE <= old.size:
        length = min(len(buffer), old.size - start)
        if not step(length) or not read_into(fd, start, memoryview(buffer)[:length]):
            return None
        at = buffer.find(anchor.needle, 0, length)
        while at >= 0:
            if lies_at(fd, start + at, anchor):
                return start + at
            hits += 1
            if hits == HITS:
                return None
            at = buffer.find(anchor.needle, at + 1, length)
        start += max(1, length - NEEDLE + 1)
    return None
