"""Whom a node works with, as far as it sees of them. For type checkers alone: no agent is shipped it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from fleetpush.swarm import events

    class Store(Protocol):
        """Chunks on disk, or the source."""

        def progress(self, chunk: int) -> int: ...

        def leaves(self, chunk: int) -> bytes | None: ...

        def put_leaves(self, chunk: int, leaves: bytes) -> bool: ...

        def put_block(self, chunk: int, block: int, data: memoryview) -> int: ...

        def read_block(self, chunk: int, block: int) -> bytes | memoryview: ...

    class Watcher(Protocol):
        """Who is told what the tracker and the operator should know."""

        def completed(self) -> None: ...

        def began(self) -> None:
            """The first block goes out."""

        def fell_behind(self, paces: dict[str, float], *, all: bool) -> None:
            """As ``events.Behind``."""

        def edge_failed(self, peer: str, reason: str) -> None: ...

        def peer_dropped(self, peer: str, reason: str) -> None: ...

        def store_failed(self, error: Exception) -> None: ...

    class Talker(Protocol):
        """Who decides whom the node is linked to, where no tracker does (``talker.Talker``)."""

        def admits(self, peer: str) -> bool: ...

        def meet(self, peer: str, address: str, *, dial: bool, through: str = "") -> None: ...

        def feed(self, event: events.LinkUp | events.LinkDown | events.FrameReceived) -> None: ...

        def unreachable(self, peer: str) -> bool: ...

        def bar(self, peer: str) -> None: ...

        def close(self) -> None: ...
