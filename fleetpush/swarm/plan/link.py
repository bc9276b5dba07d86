"""The edges of a plan: what may flow over each, and which changed since one last looked."""

from __future__ import annotations

from typing import NamedTuple

from fleetpush.swarm.events import Edge, Route

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Link(NamedTuple):
    """Between ``a`` and ``b`` (``a < b``): which of ``stripes`` stripes each may send to the other."""

    a_sends: tuple[int, ...]
    b_sends: tuple[int, ...]
    stripes: int = 1
    between_racks: bool = False
    """Of a plan in which racks pass on inside what they have."""
    a_routes: tuple[int, ...] = ()
    """Of ``trees`` stripes, those that go from ``a`` to ``b`` while all is well."""
    b_routes: tuple[int, ...] = ()
    trees: int = 1

    def edge(self, *, first: bool, local: bool) -> Edge:
        """As ``a``, the ``first``, is told of it, or ``b``."""
        sends, down, up = self.a_sends, self.a_routes, self.b_routes
        if not first:
            sends, down, up = self.b_sends, up, down
        route = Route(down, up, self.trees)
        return Edge(sends, self.stripes, local, self.between_racks, route)


def pair(one: str, other: str) -> tuple[str, str]:
    """The key of an edge."""
    return (one, other) if one < other else (other, one)


class Links:
    """All edges; an edge exists while anything flows over it in either direction.

    ``stripes`` is what ``add`` and ``remove`` count by.
    """

    def __init__(self, stripes: int = 1) -> None:
        self._stripes = stripes
        self._links: dict[tuple[str, str], Link] = {}
        self._changed: dict[tuple[str, str], None] = {}

    def __len__(self) -> int:
        return len(self._links)

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key in self._links

    def pairs(self) -> list[tuple[str, str]]:
        return list(self._links)

    def has_any(self, peer: str) -> bool:
        return any(peer in key for key in self._links)

    def parts(self, peers: Iterable[str]) -> list[set[str]]:
        """The sets of ``peers`` that hang together."""
        around: dict[str, list[str]] = {peer: [] for peer in peers}
        for one, other in self._links:
            if one in around and other in around:
                around[one].append(other)
                around[other].append(one)
        found: list[set[str]] = []
        while around:
            part: set[str] = set()
            reached = [next(iter(around))]
            while reached:
                peer = reached.pop()
                part.add(peer)
                reached += [other for other in around.pop(peer, ()) if other not in part]
            found.append(part)
        return found

    def get(self, key: tuple[str, str]) -> Link | None:
        return self._links.get(key)

    def add(self, sender: str, receiver: str, stripe: int) -> None:
        """``sender`` pushes ``stripe`` to ``receiver`` from now on."""
        key = pair(sender, receiver)
        old = self._links.get(key, Link((), (), self._stripes))
        if sender == key[0]:
            self._set(key, old._replace(a_sends=(*old.a_sends, stripe)))
        else:
            self._set(key, old._replace(b_sends=(*old.b_sends, stripe)))

    def remove(self, sender: str, receiver: str, stripe: int) -> None:
        """The reverse of ``add``."""
        key = pair(sender, receiver)
        old = self._links[key]
        if sender == key[0]:
            self._set(key, old._replace(a_sends=tuple(s for s in old.a_sends if s != stripe)))
        else:
            self._set(key, old._replace(b_sends=tuple(s for s in old.b_sends if s != stripe)))

    def join(self, one: str, other: str) -> None:
        """Everything flows both ways (a mesh edge)."""
        self._set(pair(one, other), Link((0,), (0,)))

    def cross(
        self,
        one: str,
        other: str,
        one_takes: tuple[int, ...],
        other_takes: tuple[int, ...],
        of: int,
    ) -> None:
        """Each takes from the other so many of ``of`` stripes (a mesh edge between racks)."""
        first = one < other
        sends = (other_takes, one_takes) if first else (one_takes, other_takes)
        self._set(pair(one, other), Link(*sends, of, between_racks=True))

    def route(self, key: tuple[str, str], by: Link | None) -> None:
        """What of the edge ``key``, which there is, goes its way as in the tree whose link is ``by``."""
        old = self._links[key]
        if by is None:
            self._set(key, old._replace(a_routes=(), b_routes=(), trees=1))
        else:
            self._set(key, old._replace(a_routes=by.a_sends, b_routes=by.b_sends, trees=by.stripes))

    def part(self, one: str, other: str) -> None:
        self._set(pair(one, other), Link((), ()))

    def take_changes(self) -> list[tuple[tuple[str, str], Link | None]]:
        """The edges changed since the last call, with what they are now (None: gone)."""
        changed, self._changed = self._changed, {}
        return [(key, self._links.get(key)) for key in changed]

    def _set(self, key: tuple[str, str], link: Link) -> None:
        if self._links.get(key) == link:
            return
        self._changed[key] = None
        if link.a_sends or link.b_sends:
            self._links[key] = link
        else:
            self._links.pop(key, None)
