"""Mesh: a random graph that grows as hosts arrive, every host with about the same number of neighbours.

A newcomer is joined to half the degree of earlier hosts: half of those at random among hosts that are short
of neighbours, half at random among all (without which late hosts would know only late hosts, and the graph
would be a long band). Whoever is still short when nobody has come for a moment, or at the next tick, gets
the rest. A standing edge is never broken, as a union of random Hamiltonian cycles would when it grows.
With racks, every host has more neighbours inside its rack, and some outside; over those edges goes only what
the host imports (see ``importers``), so that a rack's uplink carries little more than one copy.
Without racks, some of the edges are those of trees by which chunks go while all is well (see ``routes``).
Each origin is joined to the first hosts, in distinct racks while there are some, rather to those that no
other origin is joined to.
"""

from __future__ import annotations

from fleetpush.swarm.plan.importers import Importers
from fleetpush.swarm.plan.link import Links, pair
from fleetpush.swarm.plan.routes import MOST_HOSTS, Routes
from fleetpush.swarm.seat import CLASSES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fleetpush.swarm.picker import Rng

DEGREE = 8
MANY, DEGREE_OF_MANY = 64, 16
"""Among so many hosts: the more there are, the longer a chunk is under way, and the oftener a neighbour has
nothing that one lacks. Few hosts do as well with fewer messages."""

IN_RACK, OUT_OF_RACK = 12, 8
"""Where there are racks, in the place of a degree of 8: each chunk comes into a rack by one host alone."""

FEW_CHUNKS = 100
"""A content of fewer chunks passes in less time than the handshakes of sixteen links take."""

MANY_CHUNKS = 240
"""Only so many are worth routes: until it shows that somebody on one is slow, some ten chunks are late."""

FEW_DEGREE = 4
"""Half of them made by each newcomer: two keep a random graph in one piece (Fenner and Frieze, 1982)."""

ORIGIN_DEGREE = 16
KEPT = 24
"""Hosts that have everything and stay for those to come; the others may leave as they are done."""

DRAWS = 6
"""Random draws for each neighbour wanted before everybody is looked at."""


class Mesh:
    """``rng`` decides all that is random, so that a seed replays a plan.

    ``degree`` is the number of neighbours; without it ``chunks`` decides.
    """

    def __init__(
        self, origins: Sequence[str], rng: Rng, chunks: int, degree: int | None = None
    ) -> None:
        self._grows = degree is not None or chunks >= FEW_CHUNKS
        """Whether more links than a newcomer makes are worth their handshakes."""
        self._widens = degree is None and chunks >= FEW_CHUNKS
        self._degree = degree or (DEGREE if chunks >= FEW_CHUNKS else FEW_DEGREE)
        self._in_turn = tuple(origins)
        self._origins = frozenset(origins)
        self._rng = rng
        self._racks: dict[str, str] = {}
        self._neighbours: dict[str, set[str]] = {origin: set() for origin in origins}
        self._everyone = _Pool(rng)
        self._rack_pools: dict[str, _Pool] = {}
        self._several = 0
        """Racks that have a host."""
        self._short: dict[str, _Pool] = {}
        """Of each rack, those with fewer neighbours in it than they should have."""
        self._young: list[str] = []
        """Who came and was not given all its neighbours yet."""
        self._cut: set[tuple[str, str]] = set()
        self._done: set[str] = set()
        self._importers = Importers()
        self.links = Links()
        self._routes: Routes | None = None
        """There are none between racks, nor from several origins."""
        if chunks >= MANY_CHUNKS and len(origins) == 1:
            self._routes = Routes(origins[0])

    def join(self, peer: str, rack: str) -> None:
        if peer in self._origins or peer in self._racks:
            return
        self._racks[peer] = rack
        self._neighbours[peer] = set()
        self._several += not len(self._rack_pool(rack))
        for pool in (self._everyone, self._rack_pool(rack), self._short_pool(rack)):
            pool.add(peer)
        self._young.append(peer)
        if self._routes is not None:
            self._routes.join(peer)
            self._route(keep=self._several < 2 and len(self._routes) <= MOST_HOSTS)
        self._reflow(self._importers.join(rack, peer))
        inside, outside = self._goals()
        self._connect(peer, max(1, inside // 2), outside // 2)
        self._top_up_origins()

    def tick(self) -> None:
        self._reflow(self._importers.tick())
        self.settle()

    def settle(self) -> None:
        """Gives those that were joined since the last time, and are short of neighbours, the rest."""
        young, self._young = self._young, []
        if self._grows:
            for peer in young:
                if peer in self._racks and peer not in self._done:
                    self._connect(peer, *self._goals())

    def leave(self, peer: str) -> None:
        rack = self._racks.pop(peer, None)
        if rack is None:
            return
        for pool in (self._everyone, self._rack_pools[rack], self._short[rack]):
            pool.discard(peer)
        self._several -= not len(self._rack_pools[rack])
        needed = peer not in self._done
        self._done.discard(peer)
        self._cut = {p for p in self._cut if peer not in p}
        orphans = sorted(self._neighbours[peer])  # a set's order changes from process to process
        for other in orphans:
            self._part(peer, other)
        del self._neighbours[peer]
        if self._routes is not None:
            self._routes.leave(peer)
            self._route()
        self._reflow(self._importers.leave(rack, peer, needed=needed))
        self._mend(orphans)

    def unreachable(self, one: str, other: str) -> None:
        self._cut.add(pair(one, other))
        joined = other in self._neighbours.get(one, ())
        if joined:
            self._part(one, other)
        if self._routes is not None:
            self._routes.unreachable(one, other)
            self._route()
        if joined:
            self._mend([one, other])

    def finished(self, peer: str) -> list[str]:
        """Those that nobody needs any more: whoever is joined to them has everything, too."""
        if peer not in self._racks:
            return []
        self._done.add(peer)
        candidates = [peer, *sorted(self._neighbours[peer] - self._origins)]
        spare = [p for p in candidates if p in self._done and self._neighbours[p] <= self._done]
        return spare[: max(0, len(self._done) - KEPT)]

    def adopt(self, peer: str, origin: str) -> None:
        """Joins ``peer`` to ``origin``, beyond that origin's degree if need be."""
        self._cut.discard(pair(origin, peer))
        if peer in self._racks and peer not in self._neighbours[origin]:
            self._join(origin, peer)

    def behind(self, peer: str, paces: dict[str, float], *, all: bool) -> None:
        if self._routes is not None:
            self._route(keep=self._routes.behind(peer, paces, all=all))

    # -- edges

    def _route(self, *, keep: bool = True) -> None:
        """Takes over what has changed of the routes, or gives them up for good."""
        routes = self._routes
        if routes is None:
            return
        changes = routes.take_changes()
        if not keep or any(link is not None and key in self._cut for key, link in changes):
            self._routes = None
            for key in self.links.pairs():
                self.links.route(key, None)
            return
        for key, link in changes:
            if link is not None and key not in self.links:
                self._join(*key)
            if key in self.links:
                self.links.route(key, link)

    def _goals(self) -> tuple[int, int]:
        """How many neighbours a host should have inside its rack and outside."""
        if self._several < 2:
            many = self._widens and len(self._racks) >= MANY
            return (DEGREE_OF_MANY if many else self._degree), 0
        return IN_RACK * self._degree // DEGREE, OUT_OF_RACK * self._degree // DEGREE

    def _mend(self, peers: list[str]) -> None:
        inside, outside = self._goals()
        for peer in peers:
            if peer not in self._origins and peer not in self._done:
                self._connect(peer, max(1, inside // 2), outside // 2)
        self._top_up_origins()

    def _join(self, one: str, other: str) -> None:
        self._flow(one, other)
        self._neighbours[one].add(other)
        self._neighbours[other].add(one)
        self._count(one, other)

    def _flow(self, one: str, other: str) -> None:
        """What may go over an edge: everything, but between racks only what each end imports."""
        racks = self._racks.get(one), self._racks.get(other)
        if racks[0] is None or racks[1] is None or racks[0] == racks[1]:
            self.links.join(one, other)
        else:
            one_takes = self._importers.takes(racks[0], one)
            self.links.cross(one, other, one_takes, self._importers.takes(racks[1], other), CLASSES)

    def _reflow(self, peers: list[str]) -> None:
        """The shares of ``peers`` are others now."""
        for peer in peers:
            for other in sorted(self._neighbours[peer]):
                if self._racks.get(other) not in (None, self._racks[peer]):
                    self._flow(peer, other)

    def _part(self, one: str, other: str) -> None:
        self.links.part(one, other)
        self._neighbours[one].discard(other)
        self._neighbours[other].discard(one)
        self._count(one, other)

    def _count(self, *peers: str) -> None:
        """Keeps the books of who is short of neighbours in its rack."""
        inside, _ = self._goals()
        for peer in peers:
            rack = self._racks.get(peer)
            if rack is not None:
                short = self._inside(peer) < inside and peer not in self._done
                (self._short[rack].add if short else self._short[rack].discard)(peer)

    def _inside(self, peer: str) -> int:
        if self._several < 2:
            return len(self._neighbours[peer] - self._origins)
        rack = self._racks[peer]
        return sum(1 for other in self._neighbours[peer] if self._racks.get(other) == rack)

    def _connect(self, peer: str, inside: int, outside: int) -> None:
        """Gives ``peer`` so many neighbours in its rack and outside, while there are hosts to join it to."""
        rack = self._racks[peer]
        has = self._inside(peer)
        missing = inside - has
        self._draw(peer, missing - missing // 2, self._short[rack])
        self._draw(peer, inside - self._inside(peer), self._rack_pools[rack])
        strange = len(self._neighbours[peer] - self._origins) - self._inside(peer)
        self._draw(peer, outside - strange, self._everyone, lambda o: self._racks[o] != rack)
        # A rack too small for all that: whoever there is must do.
        total = inside + outside
        self._draw(peer, total - len(self._neighbours[peer] - self._origins), self._everyone)

    def _draw(
        self,
        peer: str,
        missing: int,
        pool: _Pool,
        suits: Callable[[str], bool] = lambda other: True,
    ) -> None:
        """Joins ``peer`` to ``missing`` more of ``pool`` at random."""
        for _ in range(DRAWS * missing):
            if missing <= 0 or not len(pool):
                break
            other = pool.pick()
            if self._may_join(peer, other, 2 * sum(self._goals())) and suits(other):
                self._join(peer, other)
                missing -= 1
        if missing > 0:
            able = [o for o in pool if self._may_join(peer, o, len(self._racks)) and suits(o)]
            able.sort(key=lambda o: (len(self._neighbours[o]), self._rng.random()))
            for other in able[:missing]:
                self._join(peer, other)

    def _may_join(self, peer: str, other: str, most: int) -> bool:
        theirs = self._neighbours[other]
        free = other != peer and peer not in theirs and len(theirs) < most
        return free and pair(peer, other) not in self._cut

    def _top_up_origins(self) -> None:
        for origin in self._in_turn:
            self._top_up(origin)

    def _top_up(self, origin: str) -> None:
        mine = self._neighbours[origin]
        if len(mine) >= min(ORIGIN_DEGREE, len(self._racks)):
            return
        seen = {self._racks[peer] for peer in mine}
        able = [
            peer for peer in self._racks if peer not in mine and pair(origin, peer) not in self._cut
        ]

        def others(peer: str) -> int:
            return len(self._neighbours[peer] & self._origins)

        able.sort(key=lambda peer: (self._racks[peer] in seen, others(peer)))
        for peer in able[: ORIGIN_DEGREE - len(mine)]:
            self._join(origin, peer)

    def _rack_pool(self, rack: str) -> _Pool:
        return self._rack_pools.setdefault(rack, _Pool(self._rng))

    def _short_pool(self, rack: str) -> _Pool:
        return self._short.setdefault(rack, _Pool(self._rng))


class _Pool:
    """Names to draw from at random, each operation in the same time however many there are."""

    def __init__(self, rng: Rng) -> None:
        self._rng = rng
        self._names: list[str] = []
        self._at: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def add(self, name: str) -> None:
        if name not in self._at:
            self._at[name] = len(self._names)
            self._names.append(name)

    def discard(self, name: str) -> None:
        at = self._at.pop(name, None)
        if at is not None:
            last = self._names.pop()
            if last != name:
                self._names[at] = last
                self._at[last] = at

    def pick(self) -> str:
        """One of them (there are some)."""
        return self._names[int(self._rng.random() * len(self._names))]
