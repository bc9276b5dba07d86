"""What peers tell each other of peers when no tracker does, as bytes.

A message is a byte of flags and rumours. A rumour speaks of one peer: where it is reached, whether it lives,
and what it has. What it has is told in *cells* of so many chunks that a map stays small; of a content of up
to 2,048 chunks a cell is one chunk.
"""

from __future__ import annotations

from fleetpush.errors import RemoteProtocolError
from fleetpush.lean.compiled import Struct, StructError
from fleetpush.record import Record
from fleetpush.swarm import bitfield
from fleetpush.swarm.seat import NOWHERE, Seat
from fleetpush.swarm.wire import MAX_GOSSIP

MAX_CELLS = 2048
MAX_RUMOURS = 32
"""In a message."""

MAX_NAME = 255
"""Bytes of a peer's name, and of its address."""

MAX_INCARNATION = (1 << 32) - 1

_HEAD = Struct("!BIHHHBB")
_SUSPECT = 1
_PARTING, _HUNGRY, _ASKING = 1, 2, 4


class Rumour(Record):
    """Of ``peer``, reached at ``address``: the ``incarnation`` in which it is said to live, or is a
    ``suspect`` of being dead, the set of cells that it ``has``, and where it sits."""

    __slots__ = ("peer", "address", "incarnation", "suspect", "has", "seat")

    def __init__(
        self,
        peer: str,
        address: str,
        incarnation: int,
        suspect: bool,
        has: int,
        *,
        seat: Seat = NOWHERE,
    ) -> None:
        self.peer = peer
        self.address = address
        self.incarnation = incarnation
        self.suspect = suspect
        self.has = has
        self.seat = seat


class Mood(Record):
    """What a message says beside its rumours. ``parting``: close the link that it comes by; ``hungry``: the
    sender's rack lacks what nobody brings; ``asking``: it has heard nothing for long, and waits for a word.
    """

    __slots__ = ("asking", "hungry", "parting")

    def __init__(self, parting: bool = False, hungry: bool = False, asking: bool = False) -> None:
        self.parting = parting
        self.hungry = hungry
        self.asking = asking


CALM = Mood()


class Cells:
    """The cells of a content of ``chunks`` chunks: ``count`` of them, each of ``width`` chunks."""

    __slots__ = ("_chunks", "_full", "count", "size", "width")

    def __init__(self, chunks: int) -> None:
        self.width = -(-chunks // MAX_CELLS)
        self.count = -(-chunks // self.width)
        self.size = bitfield.size(self.count)
        """Bytes of a map."""
        self._chunks = chunks
        self._full = bitfield.full(self.width)

    def of(self, have: int) -> int:
        """The cells of which every chunk is in ``have``, a set of chunks."""
        if self.width == 1:
            return have
        have |= bitfield.full(self.width) << self._chunks  # the last cell may be short
        whole = (i for i in range(self.count) if have >> i * self.width & self._full == self._full)
        return bitfield.of(whole)


def packed(rumour: Rumour, cells: Cells) -> bytes:
    """Its bytes. Raises ValueError for a name or an address that no rumour can carry."""
    peer, address = rumour.peer.encode(), rumour.address.encode()
    if not peer or max(len(peer), len(address)) > MAX_NAME:
        raise ValueError(f"a peer called {rumour.peer!r} at {rumour.address!r}: 1 to 255 bytes")
    seat = rumour.seat
    head = _HEAD.pack(
        _SUSPECT if rumour.suspect else 0,
        rumour.incarnation,
        *(seat.rack, seat.place, seat.of),
        *(len(peer), len(address)),
    )
    return head + peer + address + bitfield.to_bytes(rumour.has, cells.count)


def message(rumours: list[bytes], mood: Mood = CALM) -> bytes:
    """A message of as many of ``rumours`` (packed) as fit, said in that ``mood``."""
    flags = (mood.parting and _PARTING) | (mood.hungry and _HUNGRY) | (mood.asking and _ASKING)
    parts, size = [bytes((flags,))], 1
    for rumour in rumours:
        size += len(rumour)
        if size > MAX_GOSSIP:
            break
        parts.append(rumour)
    return b"".join(parts)


def unpacked(payload: bytes, cells: Cells) -> tuple[Mood, list[Rumour]]:
    """What the sender says of itself and us, and its rumours. Raises RemoteProtocolError."""
    if not 0 < len(payload) <= MAX_GOSSIP or payload[0] > _PARTING | _HUNGRY | _ASKING:
        raise RemoteProtocolError("a gossip message that makes no sense")
    found: list[Rumour] = []
    at, end = 1, len(payload)
    try:
        while at < end:
            flags, incarnation, rack, place, of, named, placed = _HEAD.unpack_from(payload, at)
            names = at + _HEAD.size
            places = names + named
            has = places + placed
            at = has + cells.size
            if flags > _SUSPECT or not named or not of or at > end:
                raise RemoteProtocolError("a rumour that makes no sense")
            if len(found) == MAX_RUMOURS:
                raise RemoteProtocolError("more rumours than a message has")
            peer, address = payload[names:places].decode(), payload[places:has].decode()
            mask = bitfield.from_bytes(payload[has:at], cells.count)
            seat = Seat(rack, place, of) if rack else NOWHERE
            found.append(Rumour(peer, address, incarnation, bool(flags), mask, seat=seat))
    except (StructError, ValueError):
        raise RemoteProtocolError("a rumour of the wrong size or of what does not exist") from None
    flags = payload[0]
    return Mood(bool(flags & _PARTING), bool(flags & _HUNGRY), bool(flags & _ASKING)), found
