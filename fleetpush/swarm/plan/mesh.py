"""Mesh: a random graph that grows as hosts arrive, every host with about the same number of neighbours.

A newcomer is joined to half the degree of earlier hosts, those with the fewest neighbours first and at
random among equals; later arrivals bring it up to the full degree. (A union of random Hamiltonian cycles
gives the same expansion but must know everybody beforehand; this one never breaks a standing edge.)
The origin is joined to the first hosts, in distinct racks while there are some.
"""

from __future__ import annotations

from fleetpush.swarm.plan.link import Links, pair

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetpush.swarm.picker import Rng

DEGREE = 16
FEW_CHUNKS = 100
"""A content of fewer chunks passes in less time than the handshakes of sixteen links take."""

FEW_DEGREE = 4
"""Half of them made by each newcomer: two keep a random graph in one piece (Fenner and Frieze, 1982)."""

ORIGIN_DEGREE = 16
KEPT = 24
"""Hosts that have everything and stay for those to come; the others may leave as they are done."""


class Mesh:
    """``rng`` decides all that is random, so that a seed replays a plan.

    ``degree`` is the number of neighbours; without it ``chunks`` decides.
    """

    stripes = 1

    def __init__(self, origin: str, rng: Rng, chunks: int, degree: int | None = None) -> None:
        if degree is None:
            degree = DEGREE if chunks >= FEW_CHUNKS else FEW_DEGREE
        self._half = max(1, degree // 2)
        self._origin = origin
        self._rng = rng
        self._racks: dict[str, str] = {}
        self._neighbours: dict[str, set[str]] = {origin: set()}
        self._cut: set[tuple[str, str]] = set()
        self._done: set[str] = set()
        self.links = Links()

    def join(self, peer: str, rack: str) -> None:
        if peer == self._origin or peer in self._racks:
            return
        self._racks[peer] = rack
        self._neighbours[peer] = set()
        self._top_up(peer)
        self._top_up_origin()

    def leave(self, peer: str) -> None:
        if self._racks.pop(peer, None) is None:
            return
        self._done.discard(peer)
        self._cut = {p for p in self._cut if peer not in p}
        orphans = sorted(self._neighbours[peer])  # a set's order changes from process to process
        for other in orphans:
            self._part(peer, other)
        del self._neighbours[peer]
        self._mend(orphans)

    def unreachable(self, one: str, other: str) -> None:
        self._cut.add(pair(one, other))
        if other in self._neighbours.get(one, ()):
            self._part(one, other)
            self._mend([one, other])

    def finished(self, peer: str) -> list[str]:
        """Those that nobody needs any more: whoever is joined to them has everything, too."""
        if peer not in self._racks:
            return []
        self._done.add(peer)
        candidates = [peer, *sorted(self._neighbours[peer] - {self._origin})]
        spare = [p for p in candidates if p in self._done and self._neighbours[p] <= self._done]
        return spare[: max(0, len(self._done) - KEPT)]

    def adopt(self, peer: str) -> None:
        """Joins ``peer`` to the origin, beyond the origin's degree if need be."""
        self._cut.discard(pair(self._origin, peer))
        if peer in self._racks and peer not in self._neighbours[self._origin]:
            self._join(self._origin, peer)

    def _mend(self, peers: list[str]) -> None:
        for peer in peers:
            if peer != self._origin and peer not in self._done:
                self._top_up(peer)
        self._top_up_origin()

    def _join(self, one: str, other: str) -> None:
        self.links.join(one, other)
        self._neighbours[one].add(other)
        self._neighbours[other].add(one)

    def _part(self, one: str, other: str) -> None:
        self.links.part(one, other)
        self._neighbours[one].discard(other)
        self._neighbours[other].discard(one)

    def _top_up(self, peer: str) -> None:
        """Gives ``peer`` neighbours until it has half the degree, or nobody is left to ask."""
        mine = self._neighbours[peer]
        missing = self._half - len(mine - {self._origin})
        if missing <= 0:
            return
        able = [
            other
            for other in self._racks
            if other != peer and other not in mine and pair(peer, other) not in self._cut
        ]
        able.sort(key=lambda other: (len(self._neighbours[other]), self._rng.random()))
        for other in able[:missing]:
            self._join(peer, other)

    def _top_up_origin(self) -> None:
        mine = self._neighbours[self._origin]
        if len(mine) >= min(ORIGIN_DEGREE, len(self._racks)):
            return
        seen = {self._racks[peer] for peer in mine}
        able = [
            peer
            for peer in self._racks
            if peer not in mine and pair(self._origin, peer) not in self._cut
        ]
        able.sort(key=lambda peer: self._racks[peer] in seen)
        for peer in able[: ORIGIN_DEGREE - len(mine)]:
            self._join(self._origin, peer)
