"""Tree: interior-disjoint striped push (SplitStream, Castro et al. 2003), grown as hosts arrive.

Chunk ``c`` belongs to stripe ``c mod m``; each stripe has a tree of its own. A host is *interior* in one
tree, where it feeds up to ``m`` children, and a leaf in the others: so it uploads about one copy. The
origin has one child a tree and uploads one copy. A newcomer takes the shallowest free place; where an
interior host finds only leaves in its way, it takes the place of the shallowest one, which becomes its
child: that keeps the trees balanced however the hosts arrive.

``stripes=1`` with a ``fanout`` for hosts and root alike is the plain N-ary tree.
"""

from __future__ import annotations

from collections import deque

from fleetpush.swarm.plan.link import Links, pair

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


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
        self._links = links

    def room(self, peer: str) -> int:
        if peer not in self.interior:
            return 0
        limit = self.root_fanout if peer == self.origin else self.fanout
        return limit - len(self.children[peer])

    def from_root(self) -> Iterator[str]:
        """Everyone attached, shallowest first."""
        queue = deque([self.origin])
        while queue:
            peer = queue.popleft()
            yield peer
            queue.extend(self.children[peer])

    def deepest_interior(self, other_than: str) -> str | None:
        """A host that feeds others, as far from the origin as any: all its children are leaves."""
        hosts = [
            p for p in self.from_root() if p in self.interior and p not in (self.origin, other_than)
        ]
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
        self._joined = 0
        self._cut: set[tuple[str, str]] = set()
        self.links = Links(stripes)
        self.stripes = stripes
        self._trees = [
            _Stripe(number, origin, fanout or stripes, fanout or 1, self.links)
            for number in range(stripes)
        ]

    def join(self, peer: str, rack: str) -> None:
        if peer in self._trees[0].children:
            return
        own = self._joined % self.stripes
        self._joined += 1
        for tree in self._trees:
            tree.children[peer] = []
            if tree.number == own:
                tree.interior.add(peer)
            self._place(tree, peer)

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
            del tree.children[peer]
            tree.interior.discard(peer)
            if heir is not None and pair(parent, heir) not in self._cut:
                tree.attach(heir, parent)
            elif heir is not None:
                self._place(tree, heir)
            # Interior orphans first: they bring the room that the others need.
            for orphan in sorted(orphans, key=lambda o: o not in tree.interior):
                self._place(tree, orphan)

    def unreachable(self, one: str, other: str) -> None:
        self._cut.add(pair(one, other))
        for tree in self._trees:
            for child, parent in ((one, other), (other, one)):
                if tree.parent.get(child) == parent:
                    tree.detach(child)
                    self._place(tree, child)

    def tick(self) -> None:
        """Nothing changes with time."""

    def finished(self, peer: str) -> list[str]:
        """Everyone stays: a place in a tree is not given up without tearing others from theirs."""
        return []

    def adopt(self, peer: str, origin: str) -> None:
        """Hangs ``peer`` on the origin in every tree, beyond the origin's one child if need be."""
        self._cut.discard(pair(self._origin, peer))
        for tree in self._trees:
            if peer in tree.children and tree.parent.get(peer) != self._origin:
                tree.detach(peer)
                tree.attach(peer, self._origin)

    def _place(self, tree: _Stripe, peer: str) -> None:
        """Attaches ``peer`` (with what hangs below it) at the shallowest place that it can reach."""
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

    def _displace(self, tree: _Stripe, leaf: str, peer: str) -> bool:
        """``peer`` takes the place of ``leaf``, which becomes its child."""
        parent = tree.parent[leaf]
        if pair(parent, peer) in self._cut:
            return False
        tree.detach(leaf)
        tree.attach(peer, parent)
        tree.attach(leaf, peer)
        return True
