"""What a peer tells a neighbour: itself, the newest of its table, and some of the rest at random."""

from __future__ import annotations

from itertools import islice
from math import ceil, log2

from fleetpush.swarm import rumour
from fleetpush.swarm.members import DEAD
from fleetpush.swarm.rumour import Rumour

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from fleetpush.swarm.members import Members
    from fleetpush.swarm.rumour import Cells, Mood
    from fleetpush.swarm.seat import Seat

    class Holder(Protocol):
        """Who has chunks."""

        @property
        def have(self) -> int: ...


OF_NEWS, OF_MAPS = 16, 8
"""Rumours in a message at most: of news of peers, of what they have."""

TIMES = 3
"""News is told so many times the binary logarithm of the swarm's size."""


class Teller:
    """For peer ``me`` at ``address``, which sits at ``seat``, from its table ``members``."""

    def __init__(
        self,
        me: str,
        address: str,
        holder: Holder,
        members: Members,
        cells: Cells,
        *,
        seat: Seat,
    ) -> None:
        self._me = me
        self._address = address
        self._seat = seat
        self._holder = holder
        self._members = members
        self._cells = cells

    def message(self, peer: str, mood: Mood) -> bytes:
        """The next one for ``peer``."""
        members = self._members
        has = self._cells.of(self._holder.have)
        mine = Rumour(self._me, self._address, members.incarnation, False, has, seat=self._seat)
        parts = [rumour.packed(mine, self._cells)]
        told = {peer}
        accused = members.accused.pop(peer, None)
        if accused is not None:
            parts.append(rumour.packed(Rumour(peer, "", accused, True, 0), self._cells))
        for books, most in ((members.news, OF_NEWS), (members.maps, OF_MAPS)):
            parts += self._newest(books, most, told)
        for _ in range(rumour.MAX_RUMOURS - len(parts)):
            member = members.draw()
            if member is not None and member.state != DEAD and member.id not in told:
                told.add(member.id)
                parts.append(members.packed(member))
        return rumour.message(parts, mood)

    def _newest(self, books: dict[str, int], most: int, told: set[str]) -> list[bytes]:
        """The newest rumours of ``books`` that are not in ``told`` yet."""
        members = self._members
        times = TIMES * ceil(log2(len(members) + 2))
        parts = []
        for peer in list(islice(reversed(books), most)):
            if peer in told:
                continue
            told.add(peer)
            member = members.get(peer)
            if member is not None:
                parts.append(members.packed(member))
            books[peer] += 1
            if books[peer] >= times:
                del books[peer]
        return parts
