"""What travels beside the content, counted by kind of frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleetpush.swarm import wire
from fleetpush.swarm.manifest import BLOCK, DIGEST

if TYPE_CHECKING:
    from fleetpush.swarm.wire import Frame

_EMPTY_HAVE = len(wire.encode(wire.Have(())))
_OF_A_HAVE = len(wire.encode(wire.Have((0,)))) - _EMPTY_HAVE
_OFFER = len(wire.encode(wire.Offer(0, 0)))
_OF_AN_OFFER = len(wire.encode(wire.Offer(0, 0, ((0, 0),)))) - _OFFER
_BLOCK_HEAD = len(wire.data_head(0, 0, BLOCK))
_LEAVES_HEAD = len(wire.encode(wire.Leaves(0, b"")))


class Tally:
    """Encoding every frame to learn its size would take longer than all the rest. In one run all frames of
    a kind are of one size, HAVEs, offers and gossip apart."""

    __slots__ = ("_sizes", "frames", "gossip", "news", "others", "streams")

    def __init__(self) -> None:
        self.frames: dict[type[Frame], int] = {}
        self.news = 0
        """Chunks named in HAVEs."""
        self.others = 0
        """Chunks named in offers beyond the first."""
        self.gossip = 0
        """Bytes in the bodies of gossip frames."""
        self.streams = 0
        """Each begins with its chunk's leaves."""
        self._sizes: dict[type[Frame], int] = {
            wire.Have: _EMPTY_HAVE,
            wire.Offer: _OFFER,
            wire.Gossip: len(wire.encode(wire.Gossip(b""))),
        }

    def add(self, frame: Frame) -> None:
        """A control frame was sent."""
        kind = type(frame)
        if kind in self.frames:
            self.frames[kind] += 1
        else:
            self.frames[kind] = 1
            self._sizes.setdefault(kind, len(wire.encode(frame)))
        if isinstance(frame, wire.Have):
            self.news += len(frame.chunks)
        elif isinstance(frame, wire.Offer):
            self.others += len(frame.others)
        elif isinstance(frame, wire.Gossip):
            self.gossip += len(frame.payload)

    @property
    def messages(self) -> int:
        """Control frames; leaves and blocks are none."""
        return sum(self.frames.values())

    def bytes_beside_content(self, blocks: int, blocks_sent: int) -> int:
        """Control frames, leaves of so many ``blocks`` a chunk, and the heads of blocks."""
        frames = sum(count * self._sizes[kind] for kind, count in self.frames.items())
        leaves = self.streams * (_LEAVES_HEAD + DIGEST * blocks)
        named = _OF_A_HAVE * self.news + _OF_AN_OFFER * self.others
        return frames + named + self.gossip + leaves + _BLOCK_HEAD * blocks_sent
