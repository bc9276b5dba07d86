"""What the routes are about to bring: nobody else need offer that.

A parent in a tree of routes promises chunks in order, long before they come. What lies just ahead of its last
promise is *awaited*; what it left out on the way, and what lies far ahead because it is behind others, may
come from anybody that has it.
"""

from __future__ import annotations

from fleetpush.swarm import bitfield

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from fleetpush.swarm.inbound import Reservations
    from fleetpush.swarm.neighbour import Neighbour
    from fleetpush.swarm.state import State

AHEAD = 8
"""Chunks of a route that are awaited beyond those promised: further ahead of us nobody healthy is."""


class Awaited:
    """Of the peer whose ``state`` and ``inbound`` chunks these are."""

    def __init__(self, state: State, inbound: Reservations) -> None:
        self._state = state
        self._inbound = inbound

    def may_promise(self, n: Neighbour, chunk: int) -> bool:
        """Whether ``n`` may promise us ``chunk`` before it has anything of it."""
        return self._state.ahead or bool(n.brings >> chunk & 1)

    def promised(self, n: Neighbour, chunk: int) -> None:
        """``n`` is to send us ``chunk``."""
        if n.brings >> chunk & 1:
            n.front = max(n.front, chunk + 1)

    def comes(self, n: Neighbour, chunk: int, now: float) -> bool:
        """Whether another neighbour than ``n`` is about to bring ``chunk`` by its route."""
        for other in self._state.parents:
            if other.brings >> chunk & 1 and other is not n:
                near = other.front <= chunk < other.front + AHEAD * other.edge.route.trees
                return near and self._is_alive(other, now)
        return False

    def may_offer(self, n: Neighbour, now: float) -> bool:
        """Whether ``n`` may have something for us that no route is about to bring."""
        return bool(n.brings or n.has & self._open(now)) or not self._state.parents

    def useful(self, peers: Iterable[str], now: float) -> list[str]:
        """Those of ``peers`` that may have something for us."""
        if not self._state.parents:
            return list(peers)
        wanted, around = self._open(now), self._state.neighbours
        return [p for p in peers if p in around and (around[p].brings or around[p].has & wanted)]

    def _open(self, now: float) -> int:
        """What is not on its way here, and not about to be."""
        state = self._state
        wanted = state.every & ~state.have & ~self._inbound.mask
        for n in state.parents:
            if self._is_alive(n, now):
                wanted &= ~(n.brings & bitfield.full(AHEAD * n.edge.route.trees) << n.front)
        return wanted

    def _is_alive(self, n: Neighbour, now: float) -> bool:
        """Whether ``n`` has promised something and is not late with it."""
        promised = self._inbound.from_peer(n.id)
        return n.greeted and bool(promised) and not self._inbound.waits_for(n.id, now)
