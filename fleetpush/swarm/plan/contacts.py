"""The contacts that a run hands out where peers find each other by gossip: all that it ever tells them.

Every newcomer is given four that came before it: some of them those that were named least, the others at
random. For the first ones the origin is among them, which hands the content out to them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetpush.swarm.picker import Rng

CONTACTS = 4
ORIGIN_CONTACTS = 16
"""So many hosts are given the origin."""


class Contacts:
    """``rng`` decides all that is random, so that a seed replays a run."""

    def __init__(self, origin: str, rng: Rng) -> None:
        self._origin = origin
        self._rng = rng
        self._came: list[str] = []
        self._next = 0
        """Of those that came, the one that was named least."""
        self._with_origin = 0

    def join(self, peer: str) -> list[str]:
        """Whom ``peer``, who is new, is to dial: peers that joined earlier, and are to expect it."""
        named: dict[str, None] = {}
        if self._with_origin < ORIGIN_CONTACTS:
            self._with_origin += 1
            named[self._origin] = None
        while self._next < len(self._came) and len(named) < CONTACTS // 2:
            named[self._came[self._next]] = None
            self._next += 1
        strangers = [other for other in self._came if other not in named]
        while strangers and len(named) < CONTACTS:
            index = int(self._rng.random() * len(strangers))
            named[strangers[index]] = None
            strangers[index] = strangers[-1]
            strangers.pop()
        self._came.append(peer)
        return list(named)

    def leave(self, peer: str) -> None:
        """It is no contact any more."""
        if peer in self._came:
            index = self._came.index(peer)
            del self._came[index]
            self._next -= index < self._next
