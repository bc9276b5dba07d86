"""Which chunk to offer next, and to whom: one small policy for each way of sending.

- ``Rarest``: every peer of a mesh. Two random choices, keep the neighbour that has less (the power of two
  choices), rarest chunk first, ties broken at random. What another rack lacks goes first.
  Where the plan gives chunks routes, those come before all that.
- ``HandOut``: the origin of a mesh (``hand_out``).
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
        coming: int
        strays: int
        children: list[Neighbour]
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

        def returned(self, chunk: int) -> None:
            """``chunk`` went out in vain: whom it went to did not want it any more."""

        def asked(self, n: Neighbour, chunk: int) -> None:
            """``n`` made no progress for a while and wants ``chunk`` of us."""


SPARE = 3
"""Chunks that an offer names beyond those that may be taken: others send the receiver some of them already,
and each round of saying so costs both ends more than the names do."""

LEAD = 3
"""Bundles for each child that are agreed on or under way before it is known how long that takes."""


class Rarest:
    """The mesh's default. Small chunks go in bundles."""

    watches = False
    ahead = False

    def slots(self, peer: Holdings) -> int:
        return peer.slots + (Fed(peer).slots if peer.children else 0)

    def next_offer(self, peer: Holdings, room: int) -> tuple[Neighbour, list[int], int] | None:
        # A chunk still arriving is passed on block by block like any other: it is rare, and waiting until it
        # is whole would cost its time once more on every hop.
        mine = peer.have | peer.partial
        if peer.children:
            fed = Fed(peer)
            offer = fed.offer(peer, mine | peer.coming)
            if offer is not None:
                return offer
            least, spare = max(1, peer.bundle // 2), fed.spare(peer)
            if spare < least:
                # What came outside of its route has nobody else to bring it to those above us.
                mine &= peer.strays
                spare = min(0, spare) + peer.bundle
            room = min(room - fed.slots, spare)
            if room < least:
                return None
        useful = self._two_of(peer, mine)
        if not useful:
            return None
        chosen = min(useful, key=lambda n: n.count)
        limit = min(room, peer.bundle)
        chunks = rarest(peer, mine & ~chosen.taken & chosen.flow, limit + SPARE)
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

    def returned(self, chunk: int) -> None:
        """Whoever lacks it is offered it anyway."""

    def look(self, peer: Holdings) -> bool:
        return False

    def asked(self, n: Neighbour, chunk: int) -> None:
        """It is offered what it lacks anyway."""


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
            mine = wanted & peer.have or wanted & (peer.partial | peer.coming)
            if mine and is_open(n, peer, share):
                self._turn = (self._turn + step + 1) % len(ring)
                return lowest(n, mine, min(room, share - n.busy, MAX_OFFER))
        return None

    def lost(self, peer: Holdings, gone: Neighbour) -> None:
        """The tracker gives the orphans another parent."""

    def held(self, mask: int) -> None:
        """A child's bitfield says what it lacks."""

    def inherited(self, mask: int) -> None:
        """It pushes all there is anyway."""

    def returned(self, chunk: int) -> None:
        """Whoever lacks it is offered it anyway."""

    def look(self, peer: Holdings) -> bool:
        return False

    def asked(self, n: Neighbour, chunk: int) -> None:
        """It is sent what it lacks anyway."""


def _children(peer: Holdings) -> int:
    """To how many neighbours it pushes; 1 if to none."""
    return max(1, sum(1 for n in peer.neighbours.values() if n.edge.send))


def is_open(n: Neighbour, peer: Holdings, share: int) -> bool:
    """Whether ``n``, which may be getting ``share`` chunks at once, can be offered half a bundle at least."""
    return n.greeted and n.credit and not n.held and n.busy <= share - (peer.bundle + 1) // 2


def lowest(n: Neighbour, mask: int, room: int) -> tuple[Neighbour, list[int], int]:
    """An offer to ``n`` of the lowest in ``mask``, at most ``room``."""
    chunks: list[int] = []
    while mask and len(chunks) < room:
        chunks.append(bitfield.lowest(mask))
        mask ^= 1 << chunks[-1]
    return n, chunks, len(chunks)


def rarest(peer: Holdings, mask: int, count: int) -> list[int]:
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


class Fed:
    """The neighbours that ``peer`` brings chunks by their routes, and how many each may get at once."""

    __slots__ = ("children", "share")

    def __init__(self, peer: Holdings) -> None:
        self.children = list(peer.children)
        self.share = max(LEAD * peer.bundle, -(-peer.slots // max(1, len(self.children))))

    @property
    def slots(self) -> int:
        """Uploads that are kept for them."""
        return self.share * len(self.children)

    def offer(self, peer: Holdings, mask: int) -> tuple[Neighbour, list[int], int] | None:
        """Of ``mask``, to the child that is getting the least; what is only on its way here will do."""
        for n in sorted(self.children, key=lambda n: n.busy):
            wanted = mask & n.route & ~n.taken
            if wanted and is_open(n, peer, self.share):
                return lowest(n, wanted, min(self.share - n.busy, MAX_OFFER))
        return None

    def spare(self, peer: Holdings) -> int:
        """Uploads that the line has room for beside what the children are due; below 0 if there are more."""
        due, used = 0.0, 0
        for n in peer.neighbours.values():
            if n.route & ~n.has:
                due += n.pace / n.edge.route.trees
            elif n.busy and not (n.stuck or n.is_late(peer.late_after, peer.now)):
                used += n.busy
        return int(peer.slots * max(0.0, 1 - due) + 0.5) - used
