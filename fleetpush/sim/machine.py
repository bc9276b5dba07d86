"""What a simulated fleet is made of: machines, racks, and the links between machines."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleetpush.sim.scenario import HostDraw
    from fleetpush.swarm.events import Edge, Effect, Event
    from fleetpush.swarm.peer import Peer

NEVER = float("inf")


class Rack:
    """``uplink_free`` and ``downlink_free``: when its link to the other racks has sent and received all that
    waits for it."""

    __slots__ = ("block_time", "downlink_free", "entered", "uplink_free")

    def __init__(self, block_time: float) -> None:
        self.block_time = block_time
        """Seconds that a block takes on its link."""
        self.uplink_free = 0.0
        self.downlink_free = 0.0
        self.entered = 0
        """Blocks that came into it from outside."""


class Machine:
    """A host, or the origin: a peer and what its driver keeps beside it."""

    __slots__ = (
        "alive", "block_time", "busy_until", "completed_at", "counting", "downlink_free", "drawn",
        "forwards", "handle", "name", "peer", "rack", "sends", "sent", "sessions", "stored",
        "timer_at", "turn", "ways",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        drawn: HostDraw | None,
        rack: Rack | None,
        block_time: float,
        stored: list[int],
    ) -> None:
        self.name = name
        self.drawn = drawn
        """None for the origin, which is in no rack either."""
        self.rack = rack
        self.block_time = block_time
        """Seconds that a block occupies its uplink or its downlink."""
        self.stored = stored
        """How many blocks of each chunk it has."""
        self.peer: Peer
        self.handle: Callable[[Event, float], list[Effect]]
        self.alive = True
        self.completed_at: float | None = None
        self.sessions: dict[str, Session] = {}
        self.ways: dict[str, Way] = {}
        """The standing links by neighbour."""
        self.turn: deque[Way] = deque()
        """Ways that may have a block to send, next one first."""
        self.sends = False
        """A block is on its uplink."""
        self.sent = 0
        """Blocks."""
        self.forwards: dict[int, list[Way]] = {}
        """Ways that wait for more of a chunk."""
        self.downlink_free = 0.0
        self.busy_until = 0.0
        """When its processor has handled all that waits."""
        self.timer_at = NEVER
        self.counting = False
        """It is about to tell the tracker how many links it has."""


class Session:
    """What a machine was told of an edge: ``failures`` counts dials in a row."""

    __slots__ = ("banned", "dials", "edge", "failures")

    def __init__(self, edge: Edge, *, dials: bool) -> None:
        self.edge = edge
        self.dials = dials
        self.failures = 0
        self.banned = False


class Stream:
    """A chunk on its way to one neighbour: ``block`` goes out next."""

    __slots__ = ("block", "chunk", "way")

    def __init__(self, way: Way, chunk: int, block: int) -> None:
        self.way = way
        self.chunk = chunk
        self.block = block


class Way:
    """One direction of a link, in which ``sender`` sends to ``receiver``."""

    __slots__ = (
        "back", "enters", "in_flight", "in_turn", "is_open", "latency", "receiver", "sender",
        "streams", "window",
    )  # fmt: skip

    def __init__(self, sender: Machine, receiver: Machine, latency: float, window: int) -> None:
        self.sender = sender
        self.receiver = receiver
        self.latency = latency
        self.window = window
        """Blocks that may be under way at once, as TCP would have it."""
        self.enters = receiver.rack if receiver.rack is not sender.rack else None
        """The rack that it leads into from outside."""
        self.back: Way
        self.is_open = True
        self.streams: list[Stream] = []
        self.in_flight = 0
        self.in_turn = False


def joined(one: Machine, other: Machine, latency: float, window: int) -> tuple[Way, Way]:
    """Both directions of a new link."""
    out, home = Way(one, other, latency, window), Way(other, one, latency, window)
    out.back, home.back = home, out
    one.ways[other.name], other.ways[one.name] = out, home
    return out, home
