"""Star: the origin sends to everyone. The baseline people know; N copies leave the origin."""

from __future__ import annotations

from fleetpush.swarm.plan.link import Links, pair


class Star:
    """One edge from the origin to each host."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self.links = Links()

    def join(self, peer: str, rack: str) -> None:
        if peer != self._origin:
            self.links.add(self._origin, peer, 0)

    def leave(self, peer: str) -> None:
        if pair(self._origin, peer) in self.links:
            self.links.part(self._origin, peer)

    def unreachable(self, one: str, other: str) -> None:
        """There is no second edge to try: the tracker falls back to a relay."""

    def settle(self) -> None:
        """Everyone has its place from the start."""

    def tick(self) -> None:
        """Nothing changes with time."""

    def finished(self, peer: str) -> list[str]:
        """Whoever is done has nobody to serve."""
        return [peer] if pair(self._origin, peer) in self.links else []

    def behind(self, peer: str, paces: dict[str, float], *, all: bool) -> None:
        """Nobody is fed by a route beside others."""

    def adopt(self, peer: str, origin: str) -> None:
        """``peer`` hangs on the origin already."""
