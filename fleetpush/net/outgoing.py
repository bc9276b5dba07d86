"""A chunk on its way to one neighbour."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetpush.net.link import Link


class Outgoing:
    """``block`` is the next to go; of ``blocks`` all from there on do, but for the set ``skip``."""

    __slots__ = ("_skip", "block", "chunk", "ending", "last", "link")

    def __init__(self, chunk: int, block: int, blocks: int, skip: int = 0) -> None:
        self.chunk = chunk
        self._skip = skip
        self.block = block - 1
        self._step()
        self.last = ((1 << blocks) - 1 & ~skip).bit_length() - 1
        self.link: Link | None = None
        """Where its leaves went; all its blocks follow there, or they could overtake them."""
        self.ending = False

    def took(self) -> bool:
        """The next one was handed to the network; whether it was the last."""
        self.ending = self.block == self.last
        self._step()
        return self.ending

    def _step(self) -> None:
        self.block += 1
        while self._skip >> self.block & 1:
            self.block += 1
