"""The mesh's origin: every chunk goes out once before any goes twice; then the origin keeps still and serves
only who asks (*frugal*), and goes on serving those whom nobody else gives anything. What has a route goes by
it, as long as whoever is first on it keeps up.
"""

from __future__ import annotations

from fleetpush.swarm import bitfield
from fleetpush.swarm.picker import Fed, is_open, lowest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetpush.swarm.neighbour import Neighbour
    from fleetpush.swarm.picker import Holdings

FEW = 4
"""The word of one in so many neighbours proves nothing: of one alone, where there are fewer."""


class HandOut:
    """The mesh's origin: ``todo`` holds the chunks that nobody is known to have.

    Of several origins each has a ``share`` of the chunks. One that is done with its own takes half of what is
    left of a slower one's: from the far end, so that they meet.
    """

    watches = True
    ahead = False

    def __init__(self, chunks: int, share: int | None = None) -> None:
        self._shares = share is not None
        self._idle = False
        """It was when it looked last."""
        self.todo = bitfield.full(chunks) if share is None else share
        self._mine = self.todo
        self._given = 0
        """What went out whole to anybody."""
        self._alone = self._doubted = 0
        """What others have by the word of few, and not from us; and what has stayed with those."""
        self._claims: list[int] = []
        """How many had it then: what one had, what two had, and so on."""
        self._turn = 0
        self._cut_off: dict[str, int] = {}
        """Neighbours that had to ask, and what they had then. They may have no link but ours, or stand with
        others on the far side of a firewall."""
        self._again = 0
        """What went out to those."""

    def slots(self, peer: Holdings) -> int:
        return peer.slots + Fed(peer).slots

    def next_offer(self, peer: Holdings, room: int) -> tuple[Neighbour, list[int], int] | None:
        ring = list(peer.neighbours.values())
        under_way = late = refused = 0
        slow = {n.id for n in ring if n.is_slow(peer.late_after, peer.now)}
        if all(n.id in slow for n in ring if n.greeted):
            slow = set()
        if self._doubted:
            alone, claims = self._unproven(peer)
            self._doubted &= alone & ~self._spread(claims)
        for n in ring:
            self.todo &= ~(n.has & ~self._doubted | n.sent)
            refused |= n.refused & ~self._doubted
            if not n.stuck:
                under_way |= n.offered | n.asked | n.sending
                late |= n.sending if n.id in slow else 0
        # What only a slow one is getting would be late everywhere: in the end it goes to another one, too.
        free = self.todo & ~under_way or self.todo & late
        if not free:
            if not self._alone:
                self._look_around(peer)
            return None if self.todo else self._next_again(peer)
        return self._offer(peer, free, refused, slow, room)

    def _offer(
        self, peer: Holdings, free: int, refused: int, slow: set[str], room: int
    ) -> tuple[Neighbour, list[int], int] | None:
        """Of ``free``, by its route if it has one, else to whoever is next, unless somebody ``refused`` it:
        then it is in flight, or about to come by its route."""
        fed = Fed(peer)
        fed.children = [n for n in fed.children if n.greeted and not n.stuck and n.id not in slow]
        offer = fed.offer(peer, free)
        if offer is not None:
            return offer
        free &= ~refused
        for n in fed.children:
            free &= ~n.route
        room -= fed.slots
        if not free or room < max(1, peer.bundle // 2):
            return None
        ring = list(peer.neighbours.values())
        for step in range(len(ring)):
            n = ring[(self._turn + step) % len(ring)]
            if n.id not in slow and is_open(n, peer, peer.bundle) and free & n.flow & ~n.taken:
                self._turn = (self._turn + step + 1) % len(ring)
                return lowest(n, free & n.flow & ~n.taken, min(room, peer.bundle - n.busy))
        return None

    def _next_again(self, peer: Holdings) -> tuple[Neighbour, list[int], int] | None:
        """For one of those cut off; what none of them was given comes first, as they may trade it."""
        for name, had in list(self._cut_off.items()):
            n = peer.neighbours.get(name)
            if n is None or n.has & ~(had | n.sent | n.sending | self._again):
                del self._cut_off[name]  # gone, or somebody serves it after all
                continue
            lacks = peer.have & ~n.taken & n.flow
            if lacks and n.credit and not n.held and n.busy < peer.bundle:
                wanted = peer.availability.rarest(lacks & ~self._again or lacks)
                chunk = bitfield.from_rotation(wanted, int(peer.rng.random() * peer.chunks))
                self._again |= 1 << chunk
                self._cut_off[name] = self._cut_off.pop(name)  # the others first next time
                return n, [chunk], 1
        return None

    def asked(self, n: Neighbour, chunk: int) -> None:
        self._cut_off[n.id] = n.has
        self._again |= 1 << chunk

    def lost(self, peer: Holdings, gone: Neighbour) -> None:
        """What only ``gone`` is known to have had goes out again, first."""
        elsewhere = 0
        for n in peer.neighbours.values():
            elsewhere |= n.has
        # What few others have may be nowhere, if it took it and told nobody.
        self._given &= ~gone.sent
        alone, _ = self._unproven(peer)
        self._given |= gone.sent & ~alone
        had = gone.sent | gone.sending | gone.offered | gone.asked | gone.has
        self.todo |= had & peer.have & ~elsewhere

    def held(self, mask: int) -> None:
        self.todo &= ~mask

    def inherited(self, mask: int) -> None:
        """What neighbours have of it leaves ``todo`` at the next offer."""
        self.todo |= mask
        self._mine |= mask

    def returned(self, chunk: int) -> None:
        self.todo |= 1 << chunk

    def _unproven(self, peer: Holdings) -> tuple[int, list[int]]:
        """What few neighbours have, and nobody from us; of that, what one at least has, two, and so on."""
        ring = peer.neighbours.values()
        for n in ring:
            self._given |= n.sent
        rest = self._mine & peer.have & ~self._given
        few = max(1, len(ring) // FEW)
        have = [rest, *[0] * (few + 1)]
        for n in ring if rest else ():
            for count in range(few, -1, -1):
                have[count + 1] |= have[count] & n.has
        return rest & ~have[-1], have[1:]

    def _spread(self, claims: list[int]) -> int:
        """What more have than when we looked last."""
        spread = 0
        for now, before in zip(claims, self._claims):
            spread |= now & ~before
        return spread

    def _look_around(self, peer: Holdings) -> int:
        """What has stayed with few since we looked last."""
        alone, claims = self._unproven(peer)
        kept = alone & self._alone & ~self._spread(claims)
        self._alone, self._claims = alone, claims
        return kept

    def look(self, peer: Holdings) -> bool:
        kept = self._look_around(peer)
        if kept and not self.todo:
            # Whoever has it gives it to nobody, or too slowly: it may be slow itself, or lie.
            self._doubted |= kept
            self.todo |= kept
        return self._help_others(peer) or bool(self._alone)

    def _help_others(self, peer: Holdings) -> bool:
        """Takes half of what is left of another origin's share; whether it is to look again."""
        if not self._shares:
            return False
        left, busy = peer.have, False
        for n in peer.neighbours.values():
            left &= ~(n.has | n.sent)
            busy = busy or bool(n.busy)
        busy = busy or bool(self.todo & left)
        if not left:
            return False
        # What another has just sent is on its way through the swarm: it is no news yet, and not left.
        if not busy and self._idle and peer.neighbours:
            count = bitfield.count(left)
            self.todo |= bitfield.of(list(bitfield.chunks(left))[count // 2 :])
        else:
            self._idle = not busy
        return True
