"""Tree: interior-disjoint striped push (SplitStream, Castro et al. 2003), grown as hosts arrive.

Chunk ``c`` belongs to stripe ``c mod m``; each stripe has a tree of its own. A host is *interior* in one
tree, where it feeds up to ``m`` children, and a leaf in the others: so it uploads about one copy. The
origin has one child a tree and uploads one copy. A newcomer takes the shallowest free place; where an
interior host finds only leaves in its way, it takes the place of the shallowest one, which becomes its
child: that keeps the trees balanced however the hosts arrive.

``stripes=1`` with a ``fanout`` for hosts and root alike is the plain N-ary tree.

With several racks each tree is in rack order: a newcomer goes below a host of its own rack, if need be in the
place of one of another rack, which goes elsewhere. Only a rack's first host has its parent in another rack,
and it keeps one place for the next rack's first host, so that the way from rack to rack is short. Each move
joins one host more to its rack, so that moves come to an end.
"""

from __future__ import annotations

from collections import Counter, deque

from fleetpush.swarm.plan.link import Links, pair

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


GATHERED = 4
"""Hosts less one that are tried to be brought below their rack when one of it comes that may feed them."""


class _Stripe:
    """One tree: parents and children by name. ``interior`` tells who may have children here."""

    def __init__(
        self, number: int, origin: str, fanout: int, root_fanout: int, links: Links
    ) -> None:
        self.number = number
        self.origin = origin
        self.fanout = fanout
        self.root_fanout = root_fanout
        self.children: dict[str, list[str]] = {origin: []}
        self.parent: dict[str, str] = {}
        self.interior: set[str] = {origin}
        self.racks: dict[str, str] = {}
        self.feeding: Counter[str] = Counter()
        """How many interior hosts each rack has here."""
        self.idle: set[str] = set()
        """Those that feed nobody in any tree, because they are slow: they take next to nothing."""
        self.beyond: list[str] = []
        """Those that became a child too many."""
        self._links = links

    def room(self, peer: str) -> int:
        if peer not in self.interior:
            return 0
        limit = self.root_fanout if peer == self.origin else self.fanout
        return limit - sum(1 for child in self.children[peer] if child not in self.idle)

    def is_first(self, peer: str) -> bool:
        """Its parent is of another rack, or the origin."""
        return self.racks.get(self.parent.get(peer, "")) != self.racks[peer]

    def strangers(self, peer: str) -> list[str]:
        """Its children of other racks."""
        rack = self.racks[peer]
        return [child for child in self.children[peer] if self.racks[child] != rack]

    def room_for_own(self, peer: str) -> int:
        """As ``room``, for hosts of its rack: a rack's first host keeps a place for the next rack."""
        kept = self._kept(peer) and not self.strangers(peer)
        return self.room(peer) - kept

    def in_the_way(self, peer: str) -> str | None:
        """A child of another rack that has a place which hosts of this rack could have."""
        strangers = self.strangers(peer)
        return strangers[-1] if len(strangers) > self._kept(peer) else None

    def _kept(self, peer: str) -> bool:
        return self.fanout > 1 and self.is_first(peer)

    def from_root(self) -> Iterator[str]:
        """Everyone attached, shallowest first."""
        queue = deque([self.origin])
        while queue:
            peer = queue.popleft()
            yield peer
            queue.extend(self.children[peer])

    def last_interior(self) -> str:
        """The host that feeds the fewest others, as far from the origin as any (there is one)."""
        hosts = [p for p in self.from_root() if p in self.interior and p != self.origin]
        return min(reversed(hosts), key=lambda peer: len(self.children[peer]))

    def deepest_interior(self, other_than: str) -> str | None:
        """A host that feeds others, as far from the origin as any: all its children are leaves.

        One of the rack of ``other_than``, if there is one.
        """
        hosts = [
            p for p in self.from_root() if p in self.interior and p not in (self.origin, other_than)
        ]
        rack = self.racks[other_than]
        for peer in reversed(hosts):
            if self.racks[peer] == rack and self.interior.isdisjoint(self.children[peer]):
                return peer
        return hosts[-1] if hosts else None

    def attach(self, peer: str, parent: str) -> None:
        self.parent[peer] = parent
        self.children[parent].append(peer)
        self._links.add(parent, peer, self.number)

    def detach(self, peer: str) -> None:
        parent = self.parent.pop(peer, None)
        if parent is not None:
            self.children[parent].remove(peer)
            self._links.remove(parent, peer, self.number)


class Tree:
    """``stripes`` is m; an interior host feeds ``fanout`` children (default m) of its own stripe."""

    def __init__(self, origin: str, *, stripes: int = 2, fanout: int | None = None) -> None:
        self._origin = origin
        self._racks: set[str] = set()
        """All that there have been."""
        self._cut: set[tuple[str, str]] = set()
        self.links = Links(stripes)
        self.stripes = stripes
        self._trees = [
            _Stripe(number, origin, fanout or stripes, fanout or 1, self.links)
            for number in range(stripes)
        ]

    def join(self, peer: str, rack: str, *, feeds: bool = True) -> None:
        """``feeds``: it may have children; else it takes no room of those that may."""
        if peer in self._trees[0].children:
            return
        # As many in each tree, or there is too little room in one; then as many of each rack.
        self._racks.add(rack)
        least = min(self._trees, key=lambda tree: (len(tree.interior), tree.feeding[rack]))
        for tree in self._trees:
            tree.children[peer] = []
            tree.racks[peer] = rack
            if not feeds:
                tree.idle.add(peer)
            elif tree is least:
                tree.interior.add(peer)
                tree.feeding[rack] += 1
            self._place(tree, peer)
        self._relieve(least)
        if len(self._racks) > 1:
            self._gather(least, rack)

    def leave(self, peer: str) -> None:
        if peer == self._origin:
            return
        self._cut = {p for p in self._cut if peer not in p}
        for tree in self._trees:
            if peer not in tree.children:
                continue
            orphans = list(tree.children[peer])
            heir = tree.deepest_interior(peer) if tree.interior.intersection(orphans) else None
            if heir is not None:
                # As in a heap, the last one takes the empty place: the tree stays as shallow as it was.
                orphans = [o for o in orphans if o != heir] + tree.children[heir]
                tree.detach(heir)
            parent = tree.parent.get(peer, self._origin)
            tree.detach(peer)
            for orphan in orphans:
                tree.detach(orphan)
            tree.feeding[tree.racks[peer]] -= peer in tree.interior
            del tree.children[peer], tree.racks[peer]
            tree.interior.discard(peer)
            tree.idle.discard(peer)
            if heir is not None and pair(parent, heir) not in self._cut:
                tree.attach(heir, parent)
            elif heir is not None:
                self._place(tree, heir)
            # Interior orphans first: they bring the room that the others need.
            for orphan in sorted(orphans, key=lambda o: o not in tree.interior):
                self._place(tree, orphan)
        self._even_out()

    def retire(self, peer: str) -> None:
        """From now on ``peer`` feeds nobody, and takes no place that others may have."""
        cut, rack = self._cut, self._trees[0].racks[peer]
        self.leave(peer)
        self._cut = cut
        self.join(peer, rack, feeds=False)

    def _even_out(self) -> None:
        """As many feed others in each tree, or there is too little room in one."""
        most = max(self._trees, key=lambda tree: len(tree.interior))
        least = min(self._trees, key=lambda tree: len(tree.interior))
        while len(most.interior) > len(least.interior) + 1:
            peer = most.last_interior()
            orphans = list(most.children[peer])
            for orphan in orphans:
                most.detach(orphan)
            most.interior.discard(peer)
            most.feeding[most.racks[peer]] -= 1
            for orphan in orphans:
                self._place(most, orphan)
            least.interior.add(peer)
            least.feeding[least.racks[peer]] += 1
            self._relieve(least)

    def unreachable(self, one: str, other: str) -> None:
        self._cut.add(pair(one, other))
        for tree in self._trees:
            for child, parent in ((one, other), (other, one)):
                if tree.parent.get(child) == parent:
                    tree.detach(child)
                    self._place(tree, child)

    def settle(self) -> None:
        """Everyone has its place from the start."""

    def tick(self) -> None:
        """Nothing changes with time."""

    def finished(self, peer: str) -> list[str]:
        """Everyone stays: a place in a tree is not given up without tearing others from theirs."""
        return []

    def behind(self, peer: str, paces: dict[str, float], *, all: bool) -> None:
        """Nobody is fed by a route beside others."""

    def adopt(self, peer: str, origin: str) -> None:
        """Hangs ``peer`` on the origin in every tree, beyond the origin's one child if need be."""
        self._cut.discard(pair(self._origin, peer))
        for tree in self._trees:
            if peer in tree.children and tree.parent.get(peer) != self._origin:
                tree.detach(peer)
                tree.attach(peer, self._origin)

    def _place(self, tree: _Stripe, peer: str) -> None:
        """Attaches ``peer`` (with what hangs below it) at the shallowest place that it can reach."""
        if len(self._racks) > 1 and self._place_among_racks(tree, peer):
            return
        if peer in tree.idle and self._place_idle(tree, peer):
            return
        takes_children = tree.room(peer) > 0
        spare: list[str] = []
        for candidate in list(tree.from_root()):
            if pair(candidate, peer) in self._cut:
                continue
            if tree.room(candidate) > 0:
                tree.attach(peer, candidate)
                return
            if candidate in tree.interior:
                spare.append(candidate)
            elif takes_children and self._displace(tree, candidate, peer):
                return
        # Everyone is full (an interior host died): one more child for whoever has the fewest, the origin
        # only if it must.
        hosts = [s for s in spare if s != self._origin]
        tree.attach(peer, min(hosts, key=lambda s: len(tree.children[s]), default=self._origin))
        tree.beyond.append(peer)

    def _place_idle(self, tree: _Stripe, peer: str) -> bool:
        """Where it does the least harm: with whoever feeds the fewest, as far from the origin as any."""
        able = [
            other
            for other in tree.from_root()
            if other in tree.interior
            and other != self._origin
            and pair(other, peer) not in self._cut
        ]
        if able:
            tree.attach(peer, min(reversed(able), key=lambda other: len(tree.children[other])))
        return bool(able)

    def _relieve(self, tree: _Stripe) -> None:
        """Somebody came who may feed others: for who is one child too many there may be room now."""
        while tree.beyond:
            peer = tree.beyond.pop()
            parent = tree.parent.get(peer)
            if parent is not None and parent != self._origin and tree.room(parent) < 0:
                tree.detach(peer)
                self._place(tree, peer)
                return

    def _place_among_racks(self, tree: _Stripe, peer: str) -> bool:
        """As ``_place``, below its own rack if that can be; False where there is no room at all."""
        if self._place_in_rack(tree, peer):
            return True
        for candidate in tree.from_root():
            if tree.room(candidate) > 0 and pair(candidate, peer) not in self._cut:
                tree.attach(peer, candidate)
                return True
        return peer in tree.interior and self._oust(tree, peer)

    def _place_in_rack(self, tree: _Stripe, peer: str) -> bool:
        """Attaches ``peer`` below a host of its own rack, if there is one that can have it."""
        rack = tree.racks[peer]
        takes_children = tree.room(peer) > 0
        full: list[str] = []
        for candidate in list(tree.from_root()):
            if tree.racks.get(candidate) != rack or pair(candidate, peer) in self._cut:
                continue
            if tree.room_for_own(candidate) > 0:
                tree.attach(peer, candidate)
                return True
            if candidate in tree.interior:
                full.append(candidate)
            elif takes_children and self._displace(tree, candidate, peer):
                return True
        for candidate in full:
            stranger = tree.in_the_way(candidate)
            if stranger is not None:
                tree.detach(stranger)
                tree.attach(peer, candidate)
                self._place(tree, stranger)
                return True
        return False

    def _gather(self, tree: _Stripe, rack: str) -> None:
        """There may be room now for those of ``rack`` that had to go below other racks."""
        firsts = [peer for peer, own in tree.racks.items() if own == rack and tree.is_first(peer)]
        for peer in firsts[:-GATHERED:-1]:
            parent = tree.parent[peer]
            tree.detach(peer)
            if not self._place_in_rack(tree, peer):
                tree.attach(peer, parent)

    def _oust(self, tree: _Stripe, peer: str) -> bool:
        """``peer``, below which there may be room, takes the place of a leaf that is no child of its rack."""
        for leaf in list(tree.from_root()):
            if leaf in tree.interior or not tree.is_first(leaf):
                continue
            parent = tree.parent[leaf]
            if pair(parent, peer) not in self._cut:
                tree.detach(leaf)
                tree.attach(peer, parent)
                self._place(tree, leaf)
                return True
        return False

    def _displace(self, tree: _Stripe, leaf: str, peer: str) -> bool:
        """``peer`` takes the place of ``leaf``, which becomes its child."""
        parent = tree.parent[leaf]
        if leaf in tree.idle or pair(parent, peer) in self._cut:
            return False
        tree.detach(leaf)
        tree.attach(peer, parent)
        tree.attach(leaf, peer)
        return True
