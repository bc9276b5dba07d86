"""The routes of a mesh: the way that each chunk goes while all is well.

A chunk on offer to whoever lacks it finds its way in every fleet, but waits on every hop until an offer has
travelled there and an answer back, which on a busy line takes longer than the chunk itself. So some of the
mesh's edges are those of striped trees (``tree``): what flows over them in the trees' order is promised long
before it comes. The rest of the mesh serves what does not come that way (as in mTreebone, Wang et al. 2007).

Who does not keep up has nobody below it in a tree any more. Where several do not, and take too much to be fed
beside others, or where many do not, there are no routes: offers then suit better.
"""

from __future__ import annotations

from fleetpush.swarm.lag import SLOW
from fleetpush.swarm.plan.link import pair
from fleetpush.swarm.plan.tree import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleetpush.swarm.plan.link import Link

MOST_HOSTS = 100
"""The more there are, the surer one of them is slow, and the more are below it."""

MOST_SLOW = 0.1
"""Of all hosts."""

MOST_HEAVY = 0.02
"""Of all hosts, beyond the first: those that are slow and take more than ``lag.SLOW`` of their due."""


class Routes:
    """From ``origin`` to each host that has joined."""

    def __init__(self, origin: str) -> None:
        self._tree = Tree(origin)
        self._hosts: dict[str, None] = {}
        self._slow: dict[str, float] = {}
        """Those that did not keep up, and what share of their due they took."""

    def __len__(self) -> int:
        return len(self._hosts)

    def join(self, peer: str) -> None:
        self._hosts[peer] = None
        self._tree.join(peer, "")

    def leave(self, peer: str) -> None:
        self._hosts.pop(peer, None)
        self._slow.pop(peer, None)
        self._tree.leave(peer)

    def unreachable(self, one: str, other: str) -> None:
        self._tree.unreachable(one, other)

    def behind(self, peer: str, paces: Mapping[str, float], *, all: bool) -> bool:
        """As ``Plan.behind``. Whether there should be routes any more."""
        if peer in self._slow:
            return True  # all others seem uneven to it
        edges = self._tree.links
        blamed = {p: pace for p, pace in paces.items() if pair(peer, p) in edges}
        news = {p: blamed[p] for p in blamed if p in self._hosts and p not in self._slow}
        if all and len(news) > 1 and peer in self._hosts:
            # All that it feeds: it is not they who are slow.
            news = {peer: max(news.values())}
        self._slow.update(news)
        heavy = sum(pace > SLOW for pace in self._slow.values())
        hosts = len(self._hosts)
        if len(self._slow) > MOST_SLOW * hosts or heavy > 1 + MOST_HEAVY * hosts:
            return False
        for slow in news:
            self._tree.retire(slow)
        return True

    def take_changes(self) -> list[tuple[tuple[str, str], Link | None]]:
        """As ``Links.take_changes``."""
        return self._tree.links.take_changes()
