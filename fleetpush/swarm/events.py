"""The vocabulary of the peer core: what happens to it (events) and what it asks for (effects)."""

from __future__ import annotations

from typing import NamedTuple, Union

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetpush.swarm.wire import Frame


class Edge(NamedTuple):
    """What may flow to one neighbour: of ``stripes`` stripes (chunk modulo ``stripes``), those in ``send``.

    A mesh edge is ``send=(0,), stripes=1`` on both sides; a tree's child sends nothing upwards.
    ``local``: the neighbour is in this peer's rack.
    """

    send: tuple[int, ...] = (0,)
    stripes: int = 1
    local: bool = True


class LinkUp(NamedTuple):
    """An authenticated link to ``peer`` stands."""

    peer: str
    edge: Edge


class EdgeChanged(NamedTuple):
    """The plan gives the edge to ``peer`` another flow."""

    peer: str
    edge: Edge


class LinkDown(NamedTuple):
    """The link to ``peer`` is gone."""

    peer: str


class FrameReceived(NamedTuple):
    """A control frame from ``peer`` (never ``Data`` or ``Leaves``: those go to the store)."""

    peer: str
    frame: Frame


class BlockStored(NamedTuple):
    """A block of ``chunk`` from ``peer`` was verified and written; ``whole`` if it was the last missing."""

    peer: str
    chunk: int
    whole: bool


class ContentCorrupt(NamedTuple):
    """``peer`` sent leaves or a block of ``chunk`` that do not match the manifest."""

    peer: str
    chunk: int


class SendEnding(NamedTuple):
    """The last block of ``chunk`` for ``peer`` is being handed to the network: prepare the next offer."""

    peer: str
    chunk: int


class SendEnded(NamedTuple):
    """``chunk`` went out to ``peer`` whole."""

    peer: str
    chunk: int


class ChunksHeld(NamedTuple):
    """Chunks that some host of the swarm holds already: the origin need not hand them out."""

    mask: int


class TimerFired(NamedTuple):
    """The moment that ``Peer.wakeup`` named has come."""


Event = Union[
    LinkUp,
    EdgeChanged,
    LinkDown,
    FrameReceived,
    BlockStored,
    ContentCorrupt,
    SendEnding,
    SendEnded,
    ChunksHeld,
    TimerFired,
]


class Send(NamedTuple):
    """Put ``frame`` on the link to ``peer``."""

    peer: str
    frame: Frame


class StartSend(NamedTuple):
    """Stream ``chunk`` to ``peer`` from ``block`` on, as far and as soon as its blocks are there."""

    peer: str
    chunk: int
    block: int


class StopSend(NamedTuple):
    """Break that stream off; nothing more of it goes out."""

    peer: str
    chunk: int


class DropPeer(NamedTuple):
    """``peer`` broke the protocol: close its link, report ``reason``, do not come back to it."""

    peer: str
    reason: str


class Completed(NamedTuple):
    """Every chunk is on disk."""


Effect = Union[Send, StartSend, StopSend, DropPeer, Completed]
