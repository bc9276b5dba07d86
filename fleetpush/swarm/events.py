"""The vocabulary of the peer core: what happens to it (events) and what it asks for (effects)."""

from __future__ import annotations

from fleetpush.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Union

    from fleetpush.swarm.wire import Frame


class Route(Record):
    """Of ``trees`` (chunk modulo ``trees``): those in which the neighbour is our child, or our parent."""

    __slots__ = ("down", "up", "trees")

    def __init__(self, down: tuple[int, ...], up: tuple[int, ...], trees: int) -> None:
        self.down = down
        self.up = up
        self.trees = trees


NO_ROUTE = Route((), (), 1)


class Edge(Record):
    """What may flow to one neighbour: of ``stripes`` stripes (chunk modulo ``stripes``), those in ``send``.

    A mesh edge inside a rack is ``send=(0,), stripes=1`` on both sides; a tree's child sends nothing upwards.
    ``local``: the neighbour is in this peer's rack. ``imports``: what comes over the edge is for the rack,
    which a neighbour inside would pass on if it had it. ``route``: what goes over it while all is well.
    """

    __slots__ = ("send", "stripes", "local", "imports", "route")

    def __init__(
        self,
        send: tuple[int, ...] = (0,),
        stripes: int = 1,
        local: bool = True,
        imports: bool = False,
        route: Route = NO_ROUTE,
    ) -> None:
        self.send = send
        self.stripes = stripes
        self.local = local
        self.imports = imports
        self.route = route


class LinkUp(Record):
    """An authenticated link to ``peer`` stands."""

    __slots__ = ("peer", "edge")

    def __init__(self, peer: str, edge: Edge) -> None:
        self.peer = peer
        self.edge = edge


class EdgeChanged(Record):
    """The plan gives the edge to ``peer`` another flow."""

    __slots__ = ("peer", "edge")

    def __init__(self, peer: str, edge: Edge) -> None:
        self.peer = peer
        self.edge = edge


class LinkDown(Record):
    """The link to ``peer`` is gone."""

    __slots__ = ("peer",)

    def __init__(self, peer: str) -> None:
        self.peer = peer


class FrameReceived(Record):
    """A control frame from ``peer`` (never ``Data`` or ``Leaves``: those go to the store)."""

    __slots__ = ("peer", "frame")

    def __init__(self, peer: str, frame: Frame) -> None:
        self.peer = peer
        self.frame = frame


class BlockStored(Record):
    """A block of ``chunk`` from ``peer`` was verified and written; ``whole`` if it was the last missing."""

    __slots__ = ("peer", "chunk", "whole")

    def __init__(self, peer: str, chunk: int, whole: bool) -> None:
        self.peer = peer
        self.chunk = chunk
        self.whole = whole


class LeavesStored(Record):
    """The leaves of ``chunk`` that ``peer`` was asked for came, and matched; ``whole`` if what was here is
    all of it."""

    __slots__ = ("peer", "chunk", "whole")

    def __init__(self, peer: str, chunk: int, whole: bool) -> None:
        self.peer = peer
        self.chunk = chunk
        self.whole = whole


class ContentCorrupt(Record):
    """``peer`` sent leaves or a block of ``chunk`` that do not match the manifest."""

    __slots__ = ("peer", "chunk")

    def __init__(self, peer: str, chunk: int) -> None:
        self.peer = peer
        self.chunk = chunk


class SendEnding(Record):
    """The last block of ``chunk`` for ``peer`` is being handed to the network: prepare the next offer."""

    __slots__ = ("peer", "chunk")

    def __init__(self, peer: str, chunk: int) -> None:
        self.peer = peer
        self.chunk = chunk


class SendEnded(Record):
    """``chunk`` went out to ``peer`` whole."""

    __slots__ = ("peer", "chunk")

    def __init__(self, peer: str, chunk: int) -> None:
        self.peer = peer
        self.chunk = chunk


class ChunksHeld(Record):
    """Chunks that some host of the swarm holds already: the origin need not hand them out."""

    __slots__ = ("mask",)

    def __init__(self, mask: int) -> None:
        self.mask = mask


class ChunksInherited(Record):
    """Chunks that another origin, which is gone, would have handed out."""

    __slots__ = ("mask",)

    def __init__(self, mask: int) -> None:
        self.mask = mask


class TimerFired(Record):
    """The moment that ``Peer.wakeup`` named has come."""

    __slots__ = ()


if TYPE_CHECKING:
    Event = Union[
        LinkUp,
        EdgeChanged,
        LinkDown,
        FrameReceived,
        BlockStored,
        LeavesStored,
        ContentCorrupt,
        SendEnding,
        SendEnded,
        ChunksHeld,
        ChunksInherited,
        TimerFired,
    ]


class Send(Record):
    """Put ``frame`` on the link to ``peer``."""

    __slots__ = ("peer", "frame")

    def __init__(self, peer: str, frame: Frame) -> None:
        self.peer = peer
        self.frame = frame


class StartSend(Record):
    """Stream ``chunk`` to ``peer`` from ``block`` on, as far and as soon as its blocks are there, but for
    the blocks in ``skip``."""

    __slots__ = ("peer", "chunk", "block", "skip")

    def __init__(self, peer: str, chunk: int, block: int, skip: int = 0) -> None:
        self.peer = peer
        self.chunk = chunk
        self.block = block
        self.skip = skip


class SendLeaves(Record):
    """Tell ``peer`` the leaves of ``chunk``."""

    __slots__ = ("peer", "chunk")

    def __init__(self, peer: str, chunk: int) -> None:
        self.peer = peer
        self.chunk = chunk


class StopSend(Record):
    """Break that stream off; nothing more of it goes out."""

    __slots__ = ("peer", "chunk")

    def __init__(self, peer: str, chunk: int) -> None:
        self.peer = peer
        self.chunk = chunk


class DropPeer(Record):
    """``peer`` broke the protocol: close its link, report ``reason``, do not come back to it."""

    __slots__ = ("peer", "reason")

    def __init__(self, peer: str, reason: str) -> None:
        self.peer = peer
        self.reason = reason


class Behind(Record):
    """Neighbours that have a route from us or to us do not keep up; what share of its due each takes or
    gives, 0 to 1. ``all``: they are fed by us, and nobody else is."""

    __slots__ = ("paces", "all")

    def __init__(self, paces: dict[str, float], all: bool) -> None:
        self.paces = paces
        self.all = all


class Completed(Record):
    """Every chunk is on disk."""

    __slots__ = ()


if TYPE_CHECKING:
    Effect = Union[Send, StartSend, SendLeaves, StopSend, DropPeer, Behind, Completed]
