"""One announced neighbour: its edge, and the links to it while they stand."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from fleetpush.net.link import Link
    from fleetpush.net.loop import Timer
    from fleetpush.swarm.events import Edge
    from fleetpush.swarm.wire import Frame

    class Sink(Protocol):
        """Who is told about sessions."""

        def session_up(self, session: Session) -> None: ...

        def session_down(self, session: Session, reason: str) -> None: ...

        def session_frames(
            self, session: Session, link: Link, frames: list[Frame], size: int
        ) -> None: ...

        def session_unreachable(self, session: Session, reason: str) -> None: ...

        def admits(self, peer: str) -> bool:
            """Whether ``peer``, of whom nobody told us, is let in."""

        def next_block(self, link: Link) -> tuple[bytes, bytes | memoryview] | None: ...

        def block_out(self, link: Link) -> None: ...


UNWANTED = 32 * 1024 * 1024
"""Bytes of blocks that a neighbour may send in vain, beyond what it sends that we keep: more than what is on
its way when we no longer want a chunk. FRAME is what each costs whatever is in it."""

FRAME = 1024


class Session:
    """``control`` carries frames in TLS; ``lane``, where there is one, carries blocks in clear."""

    __slots__ = (
        "address", "attempt", "banned", "bent", "control", "dial", "dialled_at", "dials", "edge",
        "lane", "peer", "retry", "streams", "unwanted",
    )  # fmt: skip

    def __init__(
        self, peer: str, edge: Edge, address: tuple[str, int] | None, *, dial: bool
    ) -> None:
        self.peer = peer
        self.edge = edge
        self.address = address
        self.dial = dial
        self.banned = False
        """It broke the protocol: no link to it any more."""
        self.bent = 0
        """Times that wrong bytes from it were taken for the wire's fault."""
        self.control: Link | None = None
        self.lane: Link | None = None
        self.attempt: Link | None = None
        self.dials = 0
        """Attempts since it was last heard of, the latest at ``dialled_at``."""
        self.dialled_at = 0.0
        self.retry: Timer | None = None
        self.unwanted = 0
        """Bytes of content it sent beyond what we could use."""
        self.streams: list[Any] = []
        """What the node is sending to it."""

    @property
    def data(self) -> Link | None:
        """The link that blocks go out on."""
        return self.lane or self.control

    def sent_in_vain(self, size: int, *, kept: bool) -> bool:
        """So many bytes of content came. Whether too many of no use have by now: who sends what nobody asked
        for takes our line from those who send what we need."""
        if kept:
            self.unwanted = max(0, self.unwanted - size)
        else:
            self.unwanted += size + FRAME
        return self.unwanted > UNWANTED
