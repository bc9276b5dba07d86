"""The vocabulary of gossip beside links and frames: what happens to it, and what it asks for."""

from __future__ import annotations

from fleetpush.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetpush.swarm.events import Edge


class Contact(Record):
    """The run names ``peer`` at ``address``, to ``dial`` it or to await its call.

    ``through``: where the run carries a link to it, for us alone; "" where it carries none.
    """

    __slots__ = ("peer", "address", "dial", "through")

    def __init__(self, peer: str, address: str, dial: bool, through: str = "") -> None:
        self.peer = peer
        self.address = address
        self.dial = dial
        self.through = through


class DialFailed(Record):
    """``peer`` could not be reached."""

    __slots__ = ("peer",)

    def __init__(self, peer: str) -> None:
        self.peer = peer


class Barred(Record):
    """``peer`` broke the protocol: no link to it any more."""

    __slots__ = ("peer",)

    def __init__(self, peer: str) -> None:
        self.peer = peer


class Open(Record):
    """Dial ``peer`` at ``address``; report a link or ``DialFailed``."""

    __slots__ = ("peer", "address")

    def __init__(self, peer: str, address: str) -> None:
        self.peer = peer
        self.address = address


class Close(Record):
    """Close the link to ``peer`` if there is one, and do not dial it any more."""

    __slots__ = ("peer",)

    def __init__(self, peer: str) -> None:
        self.peer = peer


class Flow(Record):
    """What goes over the standing link to ``peer`` is as ``edge`` says now."""

    __slots__ = ("peer", "edge")

    def __init__(self, peer: str, edge: Edge) -> None:
        self.peer = peer
        self.edge = edge
