"""Whom a peer would like to be linked to, and whom it can do without, from its table alone.

Half of its links are at random, which keeps the swarm in one piece, half to those that have much that it
lacks. Where there are racks most are inside its own, and some lead out of it.
"""

from __future__ import annotations

from math import ceil, log2

from fleetpush.swarm import bitfield
from fleetpush.swarm.members import ALIVE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Container
    from typing import Protocol

    from fleetpush.swarm.members import Member, Members
    from fleetpush.swarm.picker import Rng
    from fleetpush.swarm.rumour import Cells
    from fleetpush.swarm.seat import Seat

    class Trade(Protocol):
        """What gossip asks of the peer that trades (``peer.Peer``)."""

        @property
        def have(self) -> int: ...

        @property
        def complete(self) -> bool: ...

        def lacks_of(self, peer: str) -> int: ...

        def trades_with(self, peer: str) -> bool: ...


VIEW = 32
"""Links that a peer keeps at most."""

LINKS, FEWEST = 16, 10
"""Links that it looks for while it lacks something; fewer in a small swarm, as each costs messages. It looks
for more when its neighbours have nothing for it."""

FEW_LINKS = 4
"""When it is complete."""

INSIDE, OUTSIDE = 12, 8
"""Instead of ``LINKS``, where there are racks: inside its own, and out of it."""

DRAWS, TRIES = 6, 48
"""Members that are looked at for one to be linked to, and that are drawn for that at most."""


class Choice:
    """Of peer ``me``, which sits at ``seat``. ``taken``: whom it is not to be linked to anew."""

    def __init__(
        self,
        me: str,
        seat: Seat,
        trade: Trade,
        members: Members,
        rng: Rng,
        *,
        origin: str,
        cells: Cells,
        taken: tuple[Container[str], ...],
    ) -> None:
        self._me = me
        self._origin = origin
        self._seat = seat
        self._trade = trade
        self._members = members
        self._cells = cells
        self._rng = rng
        self._taken = taken
        usual = max(FEWEST, min(LINKS, 2 * ceil(log2(members.limit))))
        self.links = INSIDE + OUTSIDE if seat.rack else usual
        """How many it should have, as a rule."""

    def goal(self, *, starving: bool) -> int:
        """How many links it should have; more if it is ``starving``."""
        if self._me == self._origin:
            return LINKS
        if self._trade.complete:
            return FEW_LINKS
        return VIEW if starving else self.links

    def next(self, links: Collection[str], now: float, *, useful: bool) -> Member | None:
        """Whom to be linked to beside ``links`` (dials under way included): who has most of what we lack, of
        a few, or the next best. The origin only if there is nobody else."""
        found = self._some(self._side(links), now)
        if not found and len(links) < LINKS // 2:
            found = self._some(None, now)  # whoever there is must do
        if not found:
            origin = self._members.get(self._origin)
            alone = not links and origin is not None and self._is_free(origin, now)
            return origin if alone else None
        if not useful:
            return found[0]
        lacks = ~self._cells.of(self._trade.have)
        return max(found, key=lambda member: bitfield.count(member.has & lacks))

    def _side(self, links: Collection[str]) -> bool | None:
        """Whether it should be one of our rack; None if there are no racks."""
        if not self._seat.rack:
            return None
        outside = sum(not self.is_near(peer) for peer in links)
        return outside * self.links >= OUTSIDE * (len(links) + 1)

    def is_near(self, peer: str) -> bool:
        """Whether it is in our rack."""
        member = self._members.get(peer)
        return member is not None and member.seat.rack == self._seat.rack

    def _some(self, near: bool | None, now: float) -> list[Member]:
        """A few that are free, of our rack or of others if that matters."""
        found: list[Member] = []
        for _ in range(DRAWS if near is None else TRIES):
            member = self._members.draw()
            if member is None or member.id == self._origin or not self._is_free(member, now):
                continue
            if near is None or near is (member.seat.rack == self._seat.rack):
                found.append(member)
                if len(found) == DRAWS:
                    break
        return found

    def _is_free(self, member: Member, now: float) -> bool:
        if member.linked or any(member.id in those for those in self._taken):
            return False
        return member.state == ALIVE and now >= member.avoid_until

    def spare(self, links: Collection[str], parting: Container[str]) -> str | None:
        """One of ``links`` that may go: no chunk is on its way over it."""
        if self._me == self._origin:
            return None
        trade = self._trade
        free = [
            peer
            for peer in links
            if peer != self._origin and peer not in parting and not trade.trades_with(peer)
        ]
        return free[int(self._rng.random() * len(free))] if free else None
