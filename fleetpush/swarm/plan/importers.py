"""Who brings a chunk into a rack: each rack's hosts share the chunks among them, so that each comes in once.

Chunks fall into ``CLASSES`` classes (chunk modulo ``CLASSES``), a class into the hands of one member of each
rack: its *importer*. Edges between racks carry to a host only the classes that it imports. Shares are dealt
anew whenever a rack has doubled, when a member leaves that was needed, and when nobody has come or gone for a
tick: dealing changes nearly every edge of the rack.
"""

from __future__ import annotations

from fleetpush.swarm.seat import share


class Importers:
    """The shares of all racks' members."""

    def __init__(self) -> None:
        self._racks: dict[str, dict[str, tuple[int, ...]]] = {}
        self._dealt: dict[str, int] = {}
        """How many members each rack had when its shares were dealt."""
        self._stale: dict[str, bool] = {}
        """Racks to deal to anew, and whether they have changed since the last tick."""

    def takes(self, rack: str, peer: str) -> tuple[int, ...]:
        """The classes that ``peer`` imports into ``rack``; none for whoever came since they were dealt."""
        return self._racks[rack][peer]

    def join(self, rack: str, peer: str) -> list[str]:
        """Returns the members whose share is another one now."""
        members = self._racks.setdefault(rack, {})
        members[peer] = ()
        self._stale[rack] = True
        return self._deal(rack) if len(members) >= 2 * self._dealt.get(rack, 0) else []

    def leave(self, rack: str, peer: str, *, needed: bool) -> list[str]:
        """As ``join``; ``needed``: ``peer`` went with its work undone, so others must do it at once."""
        del self._racks[rack][peer]
        self._stale[rack] = True
        return self._deal(rack) if needed else []

    def tick(self) -> list[str]:
        """As ``join``, for racks that have come to rest."""
        quiet = [rack for rack, restless in self._stale.items() if not restless]
        self._stale = dict.fromkeys(self._stale, False)
        return [peer for rack in quiet for peer in self._deal(rack)]

    def _deal(self, rack: str) -> list[str]:
        members = self._racks[rack]
        self._stale.pop(rack, None)
        self._dealt[rack] = count = len(members)
        changed = []
        for place, (peer, old) in enumerate(list(members.items())):
            new = share(place, count)
            if new != old:
                members[peer] = new
                changed.append(peer)
        return changed
