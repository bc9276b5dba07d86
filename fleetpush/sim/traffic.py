"""What travels beside the content, counted by kind of frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleetpush.swarm import bitfield, wire
from fleetpush.swarm.manifest import BLOCK, DIGEST

if TYPE_CHECKING:
    from fleetpush.swarm.wire import Frame

HEAD = 4
_BLOCK_HEAD = len(wire.data_head(0, 0, BLOCK))
_LEAVES_HEAD = len(wire.encode(wire.Leaves(0, b"")))


class Tally:
    """Encoding every frame to learn its size would take longer than all the rest: types have sizes."""

    __slots__ = ("frames", "news", "streams")

    def __init__(self) -> None:
        self.frames: dict[type[Frame], int] = dict.fromkeys(_BODIES, 0)
        self.news = 0
        """Chunks named in HAVEs."""
        self.streams = 0
        """Each begins with its chunk's leaves."""

    def add(self, frame: Frame) -> None:
        """A control frame was sent."""
        self.frames[type(frame)] += 1
        if type(frame) is wire.Have:
            self.news += len(frame.chunks)

    @property
    def messages(self) -> int:
        """Control frames; leaves and blocks are none."""
        return sum(self.frames.values())

    def bytes_beside_content(self, chunks: int, blocks: int, blocks_sent: int) -> int:
        """Control frames, leaves and the heads of blocks."""
        frames = sum(count * (HEAD + _BODIES[kind]) for kind, count in self.frames.items())
        bitfields = self.frames[wire.Bitfield] * bitfield.size(chunks)
        leaves = self.streams * (_LEAVES_HEAD + DIGEST * blocks)
        return frames + 4 * self.news + bitfields + leaves + _BLOCK_HEAD * blocks_sent


_BODIES: dict[type[Frame], int] = {
    type(frame): len(wire.encode(frame)) - HEAD
    for frame in (
        wire.Hello(wire.VERSION, bytes(16), bytes(DIGEST)),
        wire.Bitfield(b""),
        wire.Have(()),
        wire.Offer(0),
        wire.Accept(0, 0),
        wire.Decline(0, wire.BUSY),
        wire.Credit(),
        wire.Want(0, 0),
        wire.Cancel(0),
        wire.Stop(0),
    )
}
"""Bytes of a frame's body, but for what a bitfield and a HAVE list."""
