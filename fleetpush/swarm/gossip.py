"""Discovery without a tracker, as a pure state machine: events and ``now`` in, effects out.

A peer is given a few contacts at start and learns the rest from peers. Over the links that it trades by, it
tells a few neighbours at a time what is newest in its table (``members``): itself, who came, who is
suspected, who has more; and a few entries at random, so that what got lost is told again. From that table it
chooses whom to be linked to: half of them at random, which keeps the swarm in one piece, half because they
have much that it lacks. Now and then a link is given up for another one, so that the view of the swarm
changes.

A link that breaks is dialled again; a peer that does not answer then is suspected, and everybody hears of it.
"""

from __future__ import annotations

from fleetpush.errors import RemoteProtocolError
from fleetpush.record import Record
from fleetpush.swarm import bitfield, events, wire
from fleetpush.swarm import rumour as rumours
from fleetpush.swarm.members import ALIVE, Members
from fleetpush.swarm.rumour import Cells
from fleetpush.swarm.telling import Teller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol, Union

    from fleetpush.swarm.members import Member
    from fleetpush.swarm.picker import Rng

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

LINKS = 16
"""Links that it looks for while it lacks something and its neighbours have some of it."""

FEW_LINKS = 4
"""When it is complete."""

PERIOD, IDLE_PERIOD = 0.1, 0.3
"""Seconds between messages; the longer one when it is complete and there is no news."""

TOLD_AT_ONCE = 2
"""Neighbours that hear from it in a period."""

DRAWS = 6
"""Members that are looked at for one to be linked to."""

RESHUFFLE = 5.0
"""Seconds after which a link is given up for another."""

SILENCE = 15.0
"""Seconds without a word over a standing link, after which a peer is suspected: it may be frozen."""

AVOID = 5.0
"""Seconds before somebody that could not be dialled is dialled again."""

PROBE_WITHIN = 0.3
"""Seconds in which a link that broke is dialled again, at random: both ends do."""

OPEN_WITHIN = 20.0
"""Seconds after which a dial whose end nobody told is taken for failed."""


class Contact(Record):
    """The run names ``peer`` at ``address``, to ``dial`` it or to await its call."""

    __slots__ = ("peer", "address", "dial")

    def __init__(self, peer: str, address: str, dial: bool) -> None:
        self.peer = peer
        self.address = address
        self.dial = dial


class DialFailed(Record):
    """``peer`` could not be reached."""

    __slots__ = ("peer",)

    def __init__(self, peer: str) -> None:
        self.peer = peer


class Barred(Record):
    """``peer`` broke the protocol: no link to it any more."""

    __slots__ = ("peer",)

    def __init__(self, peer: str) -> None:
        self.peer = peer


class Open(Record):
    """Dial ``peer`` at ``address``; report a link or ``DialFailed``."""

    __slots__ = ("peer", "address")

    def __init__(self, peer: str, address: str) -> None:
        self.peer = peer
        self.address = address


class Close(Record):
    """Close the link to ``peer`` if there is one, and do not dial it any more."""

    __slots__ = ("peer",)

    def __init__(self, peer: str) -> None:
        self.peer = peer


if TYPE_CHECKING:
    Event = Union[
        Contact,
        DialFailed,
        Barred,
        events.LinkUp,
        events.LinkDown,
        events.FrameReceived,
        events.TimerFired,
    ]
    Effect = Union[Open, Close, events.Send, events.DropPeer]


class Gossip:
    """Of peer ``me`` at ``address``, in a run of at most ``peers`` peers whose data comes from ``origin``.

    The driver feeds it links, gossip frames and failed dials, calls ``handle(TimerFired())`` at ``wakeup``,
    and lets in only who is ``admitted``.
    """

    def __init__(
        self,
        me: str,
        address: str,
        trade: Trade,
        rng: Rng,
        *,
        origin: str,
        chunks: int,
        peers: int,
    ) -> None:
        self.cells = Cells(chunks)
        self.members = Members(me, self.cells, peers, rng)
        self.wakeup = 0.0
        """When ``TimerFired`` is due next."""
        self._teller = Teller(me, address, trade, self.members, self.cells)
        self._me = me
        self._trade = trade
        self._rng = rng
        self._origin = origin
        self._heard_at: dict[str, float] = {}
        """The standing links, and when something came by each."""
        self._opening: dict[str, float] = {}
        """Whom we are dialling, and since when."""
        self._probes: dict[str, float] = {}
        """Whose link broke, and when to dial it again."""
        self._parting: set[str] = set()
        """Linked, and not for long: one of us said so."""
        self._barred: set[str] = set()
        self._turn: list[str] = []
        """Neighbours that are to hear from us, the last one next."""
        self._reshuffle_at = RESHUFFLE * (1 + rng.random())
        self._out: list[Effect] = []
        self._events: dict[type, Callable[[Any, float], None]] = {
            Contact: self._contact,
            DialFailed: self._dial_failed,
            Barred: self._bar,
            events.LinkUp: self._link_up,
            events.LinkDown: self._link_down,
            events.FrameReceived: self._heard,
            events.TimerFired: self._timer,
        }

    @property
    def links(self) -> list[str]:
        """The peers that it is linked to."""
        return list(self._heard_at)

    def admitted(self, peer: str) -> bool:
        """Whether a call from ``peer``, which has proved its name, is let in."""
        return self.members.get(peer) is not None and peer not in self._barred

    def handle(self, event: Event, now: float) -> list[Effect]:
        """The only way in. The returned effects are to be performed in order."""
        out: list[Effect] = []
        self._out = out
        self._events[type(event)](event, now)
        return out

    # -- links

    def _contact(self, event: Contact, now: float) -> None:
        member = self.members.name(event.peer, event.address)
        if member is not None and event.dial:
            self._open(member, now)

    def _open(self, member: Member, now: float) -> None:
        if member.id not in self._heard_at and member.id not in self._opening:
            self._opening[member.id] = now
            self._out.append(Open(member.id, member.address))

    def _link_up(self, event: events.LinkUp, now: float) -> None:
        peer = event.peer
        self._opening.pop(peer, None)
        self._probes.pop(peer, None)
        member = self.members.get(peer)
        if member is None or peer in self._barred:
            self._out.append(Close(peer))
            return
        self._heard_at[peer] = now
        member.linked = member.met = True
        if member.state != ALIVE:
            self.members.accused[peer] = member.incarnation
        self.members.lives(member)
        self._send(peer)

    def _link_down(self, event: events.LinkDown, now: float) -> None:
        peer = event.peer
        if self._heard_at.pop(peer, None) is None:
            return
        self._out.append(Close(peer))
        member = self.members.get(peer)
        if member is not None:
            member.linked = False
            if peer not in self._parting and peer not in self._barred:
                self._probes[peer] = now + PROBE_WITHIN * self._rng.random()
        self._parting.discard(peer)

    def _dial_failed(self, event: DialFailed, now: float) -> None:
        peer = event.peer
        self._out.append(Close(peer))
        member = self.members.get(peer)
        if self._opening.pop(peer, None) is None or member is None or member.linked:
            return
        member.failures += 1
        member.avoid_until = now + AVOID
        # Who was never met may not have heard of us yet, and not let us in; or it is somebody's invention.
        if member.met or member.failures > 1:
            self.members.suspect(member, now)

    def _bar(self, event: Barred, now: float) -> None:
        self._barred.add(event.peer)
        self._opening.pop(event.peer, None)
        self._probes.pop(event.peer, None)

    # -- what is said

    def _heard(self, event: events.FrameReceived, now: float) -> None:
        peer, frame = event.peer, event.frame
        if peer not in self._heard_at or not isinstance(frame, wire.Gossip):
            return
        try:
            parting, found = rumours.unpacked(frame.payload, self.cells)
        except RemoteProtocolError as error:
            self._bar(Barred(peer), now)
            self._out.append(events.DropPeer(peer, f"sent {error}"))
            return
        self._heard_at[peer] = now
        for said in found:
            self.members.hear(said, peer, now)
        if parting:
            self._parting.add(peer)
            self._out.append(Close(peer))

    def _send(self, peer: str) -> None:
        """Tells ``peer`` what is newest."""
        payload = self._teller.message(peer, parting=peer in self._parting)
        self._out.append(events.Send(peer, wire.Gossip(payload)))

    # -- time

    def _timer(self, event: events.TimerFired, now: float) -> None:
        members = self.members
        members.expire(now)
        self._look_after(now)
        self._shed(now)
        self._seek(now)
        for peer in [peer for peer in members.accused if peer in self._heard_at]:
            self._send(peer)
        for _ in range(min(TOLD_AT_ONCE, len(self._heard_at))):
            self._send(self._next_in_turn())
        busy = members.news or not self._trade.complete
        self.wakeup = now + (PERIOD if busy else IDLE_PERIOD) * (0.9 + 0.2 * self._rng.random())

    def _next_in_turn(self) -> str:
        """Of the neighbours, of which there are some."""
        while True:
            if not self._turn:
                self._turn = sorted(self._heard_at, key=lambda peer: self._rng.random())
            peer = self._turn.pop()
            if peer in self._heard_at:
                return peer

    def _look_after(self, now: float) -> None:
        """Dials again what broke, gives up what hangs."""
        for peer, since in list(self._opening.items()):
            if now - since >= OPEN_WITHIN:
                self._dial_failed(DialFailed(peer), now)
        for peer, due in list(self._probes.items()):
            if now >= due:
                del self._probes[peer]
                member = self.members.get(peer)
                if member is not None:
                    self._open(member, now)
        for peer, heard_at in list(self._heard_at.items()):
            if now - heard_at >= SILENCE:
                self._silent(peer, now)

    def _silent(self, peer: str, now: float) -> None:
        del self._heard_at[peer]
        self._parting.discard(peer)
        self._out.append(Close(peer))
        member = self.members.get(peer)
        if member is not None:
            member.linked = False
            self.members.suspect(member, now)

    def _shed(self, now: float) -> None:
        """Parts with one neighbour: beyond the view, or because it is time for another one."""
        links = len(self._heard_at) - len(self._parting)
        due = now >= self._reshuffle_at and not self._trade.complete
        if due:
            self._reshuffle_at = now + RESHUFFLE
        if links > VIEW or (due and links >= LINKS):
            free = [p for p in self._heard_at if self._may_part(p)]
            if free:
                peer = free[int(self._rng.random() * len(free))]
                self._parting.add(peer)
                self._send(peer)

    def _may_part(self, peer: str) -> bool:
        if self._origin in (peer, self._me) or peer in self._parting:
            return False
        return not self._trade.trades_with(peer)

    def _seek(self, now: float) -> None:
        """Dials some of those that it would like to be linked to."""
        links = len(self._heard_at) - len(self._parting) + len(self._opening)
        for number in range((self._goal() - links + 1) // 2):
            member = self._draw(now, useful=bool(number % 2))
            if member is not None:
                self._open(member, now)

    def _goal(self) -> int:
        """How many links it should have."""
        trade = self._trade
        if self._me == self._origin:
            return LINKS
        if trade.complete:
            return FEW_LINKS
        return LINKS if any(trade.lacks_of(peer) for peer in self._heard_at) else VIEW

    def _draw(self, now: float, *, useful: bool) -> Member | None:
        """Whom to be linked to: who has most of what we lack, of a few, or the next best. The origin only if
        there is nobody else."""
        found = []
        for _ in range(DRAWS):
            member = self.members.draw()
            if member is not None and self._is_free(member, now) and member.id != self._origin:
                found.append(member)
        if not found:
            origin = self.members.get(self._origin)
            alone = not self._heard_at and not self._opening
            return origin if alone and origin is not None and self._is_free(origin, now) else None
        if not useful:
            return found[0]
        lacks = ~self.cells.of(self._trade.have)
        return max(found, key=lambda member: bitfield.count(member.has & lacks))

    def _is_free(self, member: Member, now: float) -> bool:
        linked = member.linked or member.id in self._opening or member.id in self._barred
        return member.state == ALIVE and now >= member.avoid_until and not linked

    def check_invariants(self) -> None:
        """Raises AssertionError when the state contradicts itself; tests and simulations call it."""
        self.members.check_invariants()
        assert self._parting <= set(self._heard_at)
        for peer in self._heard_at:
            member = self.members.get(peer)
            assert member is not None
            assert member.linked
            assert peer not in self._opening
