"""Which chunk to offer next, and to whom: one small policy for each way of sending.

- ``Rarest``: every peer of a mesh. Two random choices, keep the neighbour that has less (the power of two
  choices), rarest chunk first, ties broken at random. What another rack lacks goes first.
- ``HandOut``: the origin of a mesh. Every chunk goes out once before any goes twice; then the origin keeps
  still and serves only who asks (*frugal*), and goes on serving those whom nobody else gives anything.
- ``Push``: a parent in a tree or a star. Each child in turn gets the lowest chunk it lacks.
"""

from __future__ import annotations

from fleetpush.swarm import bitfield
from fleetpush.swarm.wire import MAX_OFFER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from fleetpush.swarm.neighbour import Availability, Neighbour

    class Rng(Protocol):
        """The part of ``random.Random`` that the cores use."""

        def random(self) -> float:
            """Uniform in [0, 1)."""

    class Holdings(Protocol):
        """What a policy may look at."""

        have: int
        partial: int
        slots: int
        chunks: int
        bundle: int
        now: float
        late_after: float
        availability: Availability
        neighbours: dict[str, Neighbour]
        rng: Rng

    class Policy(Protocol):
        """``next_offer`` is asked while upload slots are free."""

        watches: bool
        """It wants to ``look`` also while it has nothing to offer."""

        ahead: bool
        """What is on its way here may be offered before any of it came."""

        def next_offer(self, peer: Holdings, room: int) -> tuple[Neighbour, list[int], int] | None:
            """A neighbour with credit, chunks it lacks and we have, the best first, and how many of them it
            may take, at most ``room``; None if there is nothing to offer.

            Only to a neighbour that has answered its last offer.
            """

        def slots(self, peer: Holdings) -> int:
            """How many uploads may be offered or under way at once."""

        def lost(self, peer: Holdings, gone: Neighbour) -> None:
            """The link to ``gone`` went down."""

        def held(self, mask: int) -> None:
            """Somebody in the swarm holds ``mask``."""

        def inherited(self, mask: int) -> None:
            """An origin that is gone would have handed out ``mask``."""

        def look(self, peer: Holdings) -> bool:
            """Asked now and then; whether it wants to be asked again."""

        def asked(self, n: Neighbour, chunk: int) -> None:
            """``n`` made no progress for a while and wants ``chunk`` of us."""


SPARE = 3
"""Chunks that an offer names beyond those that may be taken: others send the receiver some of them already,
and each round of saying so costs both ends more than the names do."""


FEW = 4
"""The word of one in so many neighbours proves nothing: of one alone, where there are fewer."""


LEAD = 3
"""Bundles for each child that are agreed on or under way before it is known how long that takes."""


class Rarest:
    """The mesh's default. Small chunks go in bundles."""

    watches = False
    ahead = False

    def slots(self, peer: Holdings) -> int:
        return peer.slots

    def next_offer(self, peer: Holdings, room: int) -> tuple[Neighbour, list[int], int] | None:
        # A chunk still arriving is passed on block by block like any other: it is rare, and waiting until it
        # is whole would cost its time once more on every hop.
        mine = peer.have | peer.partial
        useful = self._two_of(peer, mine)
        if not useful:
            return None
        chosen = min(useful, key=lambda n: n.count)
        limit = min(room, peer.bundle)
        chunks = _rarest(peer, mine & ~chosen.taken & chosen.flow, limit + SPARE)
        return chosen, chunks, min(limit, len(chunks))

    def _two_of(self, peer: Holdings, mine: int) -> list[Neighbour]:
        """At most two random neighbours with credit that lack something of ``mine``."""
        late = peer.late_after
        open_to = [
            n
            for n in peer.neighbours.values()
            if n.credit
            and not n.held
            and mine & ~n.taken & n.flow
            and n.greeted
            and not (n.started and n.is_late(late, peer.now))
        ]
        # A rack gets a chunk by one host, and then has it: that comes before what spreads inside ours.
        abroad = [n for n in open_to if not n.local and not n.busy]
        if abroad:
            return abroad[:2]
        found: list[Neighbour] = []
        while open_to and len(found) < 2:
            found.append(open_to.pop(int(peer.rng.random() * len(open_to))))
        # A neighbour that we are sending to already comes second to one that we are not.
        idle = [n for n in found if not n.busy]
        return idle or found

    def lost(self, peer: Holdings, gone: Neighbour) -> None:
        """Nothing is bound to a neighbour: nothing to mend."""

    def held(self, mask: int) -> None:
        """The neighbours' bitfields tell it all."""

    def inherited(self, mask: int) -> None:
        """Nobody waits for a turn: whoever lacks it is offered it."""

    def look(self, peer: Holdings) -> bool:
        return False

    def asked(self, n: Neighbour, chunk: int) -> None:
        """It is offered what it lacks anyway."""


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
        return peer.slots

    def next_offer(self, peer: Holdings, room: int) -> tuple[Neighbour, list[int], int] | None:
        ring = list(peer.neighbours.values())
        under_way = late = 0
        slow = {n.id for n in ring if n.is_slow(peer.late_after, peer.now)}
        if all(n.id in slow for n in ring if n.greeted):
            slow = set()
        if self._doubted:
            alone, claims = self._unproven(peer)
            self._doubted &= alone & ~self._spread(claims)
        for n in ring:
            self.todo &= ~((n.has | n.refused) & ~self._doubted | n.sent)
            if not n.stuck:
                under_way |= n.offered | n.asked | n.sending
                late |= n.sending if n.id in slow else 0
        # What only a slow one is getting would be late everywhere: in the end it goes to another one, too.
        free = self.todo & ~under_way or self.todo & late
        if not free:
            if not self._alone:
                self._look_around(peer)
            return None if self.todo else self._next_again(peer)
        for step in range(len(ring)):
            n = ring[(self._turn + step) % len(ring)]
            if n.id not in slow and _is_open(n, peer, peer.bundle) and free & n.flow & ~n.taken:
                self._turn = (self._turn + step + 1) % len(ring)
                return _lowest(n, free & n.flow & ~n.taken, min(room, peer.bundle - n.busy))
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


class Push:
    """A parent pushes to its children in order: to each one bundle at a time, or its share of the uploads
    that it takes to keep the line busy while offers travel."""

    watches = False
    ahead = True
    """What a child accepts while its parent still waits for it costs no time later. Each chunk has one way
    down, so no two can wait for each other."""

    def __init__(self) -> None:
        self._turn = 0

    def slots(self, peer: Holdings) -> int:
        return max(peer.slots, LEAD * peer.bundle * _children(peer))

    def next_offer(self, peer: Holdings, room: int) -> tuple[Neighbour, list[int], int] | None:
        ring = list(peer.neighbours.values())
        share = max(peer.bundle, -(-self.slots(peer) // _children(peer)))
        for step in range(len(ring)):
            n = ring[(self._turn + step) % len(ring)]
            wanted = n.flow & ~n.taken
            mine = wanted & peer.have or wanted & peer.partial
            if mine and _is_open(n, peer, share):
                self._turn = (self._turn + step + 1) % len(ring)
                return _lowest(n, mine, min(room, share - n.busy, MAX_OFFER))
        return None

    def lost(self, peer: Holdings, gone: Neighbour) -> None:
        """The tracker gives the orphans another parent."""

    def held(self, mask: int) -> None:
        """A child's bitfield says what it lacks."""

    def inherited(self, mask: int) -> None:
        """It pushes all there is anyway."""

    def look(self, peer: Holdings) -> bool:
        return False

    def asked(self, n: Neighbour, chunk: int) -> None:
        """It is sent what it lacks anyway."""


def _children(peer: Holdings) -> int:
    """To how many neighbours it pushes; 1 if to none."""
    return max(1, sum(1 for n in peer.neighbours.values() if n.edge.send))


def _is_open(n: Neighbour, peer: Holdings, share: int) -> bool:
    """Whether ``n``, which may be getting ``share`` chunks at once, can be offered half a bundle at least."""
    return n.greeted and n.credit and not n.held and n.busy <= share - (peer.bundle + 1) // 2


def _lowest(n: Neighbour, mask: int, room: int) -> tuple[Neighbour, list[int], int]:
    """An offer to ``n`` of the lowest in ``mask``, at most ``room``."""
    chunks: list[int] = []
    while mask and len(chunks) < room:
        chunks.append(bitfield.lowest(mask))
        mask ^= 1 << chunks[-1]
    return n, chunks, len(chunks)


def _rarest(peer: Holdings, mask: int, count: int) -> list[int]:
    """The ``count`` rarest of ``mask``, ties broken at random."""
    chunks: list[int] = []
    while mask and len(chunks) < count:
        level = peer.availability.rarest(mask)
        start = int(peer.rng.random() * peer.chunks)
        while level and len(chunks) < count:
            chunk = bitfield.from_rotation(level, start)
            chunks.append(chunk)
            level ^= 1 << chunk
            mask ^= 1 << chunk
    return chunks
