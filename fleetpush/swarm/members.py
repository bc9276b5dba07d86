"""A peer's own table of all peers: where each is reached, whether it lives, which cells it has.

What a peer says of itself over its own link is taken as it is. What others say of it is news only in a later
*incarnation*, a number that only the peer itself raises, to answer a suspicion. So nobody can speak for
another for long:

- of a peer whose link stands here, nothing that others say counts;
- a suspicion counts only of an incarnation that the peer was heard to live in, and is a suspicion only: each
  peer waits by itself for the answer before it takes the other for dead;
- an incarnation that is far ahead of the last one heard is not believed.

Cells are only ever gained, so maps are united and older ones change nothing.
"""

from __future__ import annotations

from fleetpush.swarm import rumour
from fleetpush.swarm.seat import NOWHERE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleetpush.swarm.picker import Rng
    from fleetpush.swarm.rumour import Cells, Rumour

ANSWER_WITHIN = 5.0
"""Seconds that a suspected peer has to say that it lives."""

REMEMBERED = 30.0
"""Seconds that a dead peer stays in the table, so that old news does not bring it back."""

JUMP = 64
"""Incarnations that others may be ahead of what was last heard of a peer."""

ALIVE, SUSPECT, DEAD = "alive", "suspect", "dead"


class Member:
    """Another peer. ``met``: a link to it stood, or the run named it; ``since``: when its state began."""

    __slots__ = (
        "address", "avoid_until", "failures", "has", "id", "incarnation", "linked", "met", "named",
        "packed", "seat", "since", "state", "through",
    )  # fmt: skip

    def __init__(self, peer: str, address: str) -> None:
        self.id = peer
        self.address = address
        self.through = ""
        """Where the run carries a link to it, for us alone: never told."""
        self.seat = NOWHERE
        self.incarnation = 0
        self.state = ALIVE
        self.since = 0.0
        self.has = 0
        self.linked = False
        self.met = False
        self.named = False
        """The run said where we reach it; it may not know that itself."""
        self.failures = 0
        """Dials in vain since it was last heard to live."""
        self.avoid_until = 0.0
        """Not to be dialled before."""
        self.packed: bytes | None = None
        """Its rumour, until something changes."""


class Members:
    """At most ``limit``; who was never met makes room for newcomers, at random."""

    def __init__(self, me: str, cells: Cells, limit: int, rng: Rng) -> None:
        self.incarnation = 0
        """Ours."""
        self.news: dict[str, int] = {}
        """Who came, is suspected or lives after all, newest last: how many times that was told."""
        self.maps: dict[str, int] = {}
        """Who has more cells, likewise."""
        self.accused: dict[str, int] = {}
        """Who lives and was suspected, in which incarnation: they are to hear of it and answer."""
        self._me = me
        self._cells = cells
        self.limit = limit
        self._rng = rng
        self._table: dict[str, Member] = {}
        self._order: list[str] = []
        """To draw from; may name some that are gone."""
        self._ailing: dict[str, Member] = {}
        """The suspected and the dead."""

    def __len__(self) -> int:
        return len(self._table)

    def __iter__(self) -> Iterator[Member]:
        return iter(self._table.values())

    def get(self, peer: str) -> Member | None:
        return self._table.get(peer)

    @property
    def living(self) -> int:
        return len(self._table) - len(self._ailing)

    def draw(self) -> Member | None:
        """One at random, now and then none."""
        order = self._order
        if not order:
            return None
        return self._table.get(order[int(self._rng.random() * len(order))])

    def add(self, peer: str, address: str) -> Member | None:
        """The entry of ``peer``, made if need be; None if the table is full of better ones."""
        member = self._table.get(peer)
        if member is None and peer != self._me and self._make_room():
            member = self._table[peer] = Member(peer, address)
            self._order.append(peer)
            self._tell(self.news, member)
        return member

    def name(self, peer: str, address: str) -> Member | None:
        """As ``add``; the run says it, and nobody else is believed about the address."""
        member = self.add(peer, address)
        if member is not None:
            member.address = address
            member.met = member.named = True
            member.packed = None
        return member

    def _make_room(self) -> bool:
        if len(self._order) > 2 * len(self._table) + 8:
            self._order = list(self._table)
        for _ in range(8):
            if len(self._table) < self.limit:
                return True
            member = self.draw()
            if member is not None and not member.met:
                self._forget(member)
        return len(self._table) < self.limit

    def _forget(self, member: Member) -> None:
        del self._table[member.id]
        self._ailing.pop(member.id, None)
        for books in (self.news, self.maps, self.accused):
            books.pop(member.id, None)

    # -- what is said

    def hear(self, said: Rumour, sender: str, now: float) -> None:
        """``sender`` says it."""
        if said.peer == self._me:
            self._answer(said)
            return
        own_word = said.peer == sender
        member = self._table.get(said.peer)
        if member is None:
            if (said.suspect or said.incarnation > JUMP) and not own_word:
                return
            member = self.add(said.peer, said.address)
            if member is None:
                return
            member.incarnation, member.seat = said.incarnation, said.seat
        if own_word:
            self._heard_itself(member, said)
        elif member.linked:
            if said.suspect and said.incarnation >= member.incarnation:
                self.accused[member.id] = said.incarnation
            return
        else:
            self._hearsay(member, said, now)
            if not member.seat.rack and said.seat.rack:
                # Whoever the run named was heard of before it could say where it sits.
                member.seat, member.packed = said.seat, None
        if said.has & ~member.has:
            member.has |= said.has
            member.packed = None
            self._tell(self.maps, member)

    def _answer(self, said: Rumour) -> None:
        """Only we say in which incarnation we live."""
        ahead = said.incarnation - self.incarnation
        if ahead > 0 or (said.suspect and ahead == 0):
            self.incarnation = min(said.incarnation + 1, rumour.MAX_INCARNATION)

    def _heard_itself(self, member: Member, said: Rumour) -> None:
        address = member.address if member.named else said.address
        new = said.incarnation, address, said.seat
        if (member.incarnation, member.address, member.seat) != new:
            member.incarnation, member.address, member.seat = new
            member.packed = None
            self._tell(self.news, member)
        self.lives(member)

    def _hearsay(self, member: Member, said: Rumour, now: float) -> None:
        ahead = said.incarnation - member.incarnation
        if said.suspect:
            if ahead == 0 and member.state == ALIVE:
                self.suspect(member, now)
        elif 0 < ahead <= JUMP:
            member.incarnation, member.seat = said.incarnation, said.seat
            if not member.named:
                member.address = said.address
            member.packed = None
            self._tell(self.news, member)
            self.lives(member)
        elif member.state != ALIVE:
            self._tell(self.news, member)  # who says so has not heard of the suspicion

    # -- who lives

    def lives(self, member: Member) -> None:
        """It was heard of, or a link to it stands."""
        member.failures = 0
        if member.state != ALIVE:
            member.state = ALIVE
            member.packed = None
            member.avoid_until = 0.0
            del self._ailing[member.id]
            self._tell(self.news, member)

    def suspect(self, member: Member, now: float) -> None:
        """It does not answer."""
        if member.state == ALIVE:
            member.state, member.since = SUSPECT, now
            member.packed = None
            self._ailing[member.id] = member
            self._tell(self.news, member)

    def expire(self, now: float) -> None:
        """Who did not answer is dead, and in the end forgotten."""
        for member in list(self._ailing.values()):
            if member.state == SUSPECT and now - member.since >= ANSWER_WITHIN:
                member.state, member.since = DEAD, now
            elif member.state == DEAD and now - member.since >= REMEMBERED:
                self._forget(member)

    # -- what is told

    def _tell(self, books: dict[str, int], member: Member) -> None:
        """It is the newest of ``books``, and was not told yet."""
        books.pop(member.id, None)
        books[member.id] = 0

    def packed(self, member: Member) -> bytes:
        """Its rumour's bytes."""
        if member.packed is None:
            told = rumour.Rumour(
                member.id,
                member.address,
                member.incarnation,
                member.state != ALIVE,
                member.has,
                seat=member.seat,
            )
            member.packed = rumour.packed(told, self._cells)
        return member.packed

    def check_invariants(self) -> None:
        """Raises AssertionError when the table contradicts itself."""
        assert self._me not in self._table
        assert len(self._table) <= self.limit
        assert len(self._order) <= 2 * self.limit + 16
        assert set(self._table) <= set(self._order)
        for peer, member in self._table.items():
            assert (member.state != ALIVE) == (peer in self._ailing)
            assert not member.linked or member.state == ALIVE
        assert set(self._ailing) <= set(self._table)
        for books in (self.news, self.maps, self.accused):
            assert set(books) <= set(self._table)
