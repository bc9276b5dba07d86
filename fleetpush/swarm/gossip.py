"""Discovery without a tracker, as a pure state machine: events and ``now`` in, effects out.

A peer is given a few contacts at start and learns the rest from peers. Over the links that it trades by, it
tells a few neighbours at a time what is newest in its table (``members``): itself, who came, who is
suspected, who has more; and a few entries at random, so that what got lost is told again. From that table it
chooses whom to be linked to (``choosing``). Now and then a link is given up for another one, so that the view
of the swarm changes.

A link that breaks is dialled again; a peer that does not answer then is suspected, and everybody hears of it.
"""

from __future__ import annotations

from fleetpush.errors import RemoteProtocolError
from fleetpush.swarm import events, wire
from fleetpush.swarm import rumour as rumours
from fleetpush.swarm.allowance import Allowance
from fleetpush.swarm.choosing import VIEW, Choice
from fleetpush.swarm.contact import Barred, Close, Contact, DialFailed, Flow, Open
from fleetpush.swarm.members import ALIVE, Members
from fleetpush.swarm.rumour import Cells
from fleetpush.swarm.seat import NOWHERE, Seat, flow
from fleetpush.swarm.telling import Teller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Union

    from fleetpush.swarm.choosing import Trade
    from fleetpush.swarm.events import Edge
    from fleetpush.swarm.members import Member
    from fleetpush.swarm.picker import Rng


PERIOD, IDLE_PERIOD = 0.2, 0.5
"""Seconds between messages; the longer one when it is complete and there is no news."""

TOLD_AT_ONCE = 2
"""Neighbours that hear from it in a period."""

RESHUFFLE = 5.0
"""Seconds after which a link is given up for another."""

QUIET, SILENCE = 5.0, 15.0
"""Seconds without a word over a standing link, after which a peer is asked for one, and after which it is
suspected: it may be frozen."""

AVOID = 5.0
"""Seconds before somebody that could not be dialled is dialled again."""

PROBE_WITHIN = 0.3
"""Seconds in which a link that broke is dialled again, at random: both ends do."""

STARVING_AFTER = 1.0
"""Seconds in which no neighbour had anything that we lack, until we look for more of them."""

HUNGRY_AFTER = 2.0
"""Seconds in which nobody in our rack had anything that we lack, until we take it from any other."""

OPEN_WITHIN = 20.0
"""Seconds after which a dial whose end nobody told is taken for failed."""


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
    Effect = Union[Open, Close, Flow, events.Send, events.DropPeer]


class Gossip:
    """Of peer ``me`` at ``address``, in a run of at most ``peers`` peers whose data comes from ``origin``.

    ``seat``: where ``me`` sits, if there are racks.

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
        seat: Seat = NOWHERE,
    ) -> None:
        self.cells = Cells(chunks)
        self.members = Members(me, self.cells, peers, rng)
        self.wakeup = 0.0
        """When ``TimerFired`` is due next."""
        self._teller = Teller(me, address, trade, self.members, self.cells, seat=seat)
        self._me = me
        self._trade = trade
        self._rng = rng
        self._seat = seat
        self._heard_at: dict[str, float] = {}
        """The standing links, and when something came by each."""
        self._opening: dict[str, float] = {}
        """Whom we are dialling, and since when."""
        self._probes: dict[str, float] = {}
        """Whose link broke, and when to dial it again."""
        self._parting: set[str] = set()
        """Linked, and not for long: one of us said so."""
        self._edges: dict[str, Edge] = {}
        """What flows over the standing links."""
        self._hungry: set[str] = set()
        """Neighbours whose racks lack what nobody in them brings."""
        self._fed_at = self._useful_at = 0.0
        """When a neighbour in our rack, and when any, last had something that we lack."""
        self._barred: set[str] = set()
        self._allowance = Allowance()
        self._asked: set[str] = set()
        """Neighbours that wait for a word from us."""
        self._turn: list[str] = []
        """Neighbours that are to hear from us, the last one next."""
        self._reshuffle_at = RESHUFFLE * (1 + rng.random())
        taken = (self._opening, self._barred)
        self._choice = Choice(
            me, seat, trade, self.members, rng, origin=origin, cells=self.cells, taken=taken
        )
        self._out: list[Effect] = []
        self._now = 0.0
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
        self._now = now
        self._events[type(event)](event, now)
        return out

    # -- links

    def _contact(self, event: Contact, now: float) -> None:
        member = self.members.name(event.peer, event.address)
        if member is None:
            return
        if event.through:
            # What was tried before is given up: this way is there, whatever became of the others.
            member.through = event.through
            self._opening.pop(event.peer, None)
            self.members.lives(member)
        if event.dial:
            self._open(member, now)

    def _open(self, member: Member, now: float) -> None:
        if member.id not in self._heard_at and member.id not in self._opening:
            self._opening[member.id] = now
            self._out.append(Open(member.id, member.through or member.address))

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
        self._edges[peer] = events.Edge()
        self._reflow(peer)
        self._send(peer)

    def _reflow(self, peer: str) -> None:
        """Makes known what flows to ``peer``, if that is something else now."""
        member = self.members.get(peer)
        if member is None or peer not in self._heard_at:
            return
        edge = flow(self._seat, member.seat, hungry=peer in self._hungry)
        if edge != self._edges[peer]:
            self._edges[peer] = edge
            self._out.append(Flow(peer, edge))

    def _link_down(self, event: events.LinkDown, now: float) -> None:
        peer = event.peer
        if not self._unlink(peer):
            return
        self._out.append(Close(peer))
        member = self.members.get(peer)
        if member is not None:
            member.linked = False
            if peer not in self._parting and peer not in self._barred:
                self._probes[peer] = now + PROBE_WITHIN * self._rng.random()
        self._parting.discard(peer)

    def _unlink(self, peer: str) -> bool:
        """Whether there was a link."""
        self._edges.pop(peer, None)
        self._hungry.discard(peer)
        return self._heard_at.pop(peer, None) is not None

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
        if peer in self._barred:
            return  # its link is on its way down
        try:
            self._allowance.spend(peer, now)
            mood, found = rumours.unpacked(frame.payload, self.cells)
        except RemoteProtocolError as error:
            self._bar(Barred(peer), now)
            self._out.append(events.DropPeer(peer, f"sent {error}"))
            return
        self._heard_at[peer] = now
        for said in found:
            self.members.hear(said, peer, now)
        (self._hungry.add if mood.hungry else self._hungry.discard)(peer)
        self._reflow(peer)
        if mood.asking:
            self._asked.add(peer)
        if mood.parting:
            self._parting.add(peer)
            self._out.append(Close(peer))

    def _send(self, peer: str) -> None:
        """Tells ``peer`` what is newest."""
        now = self._now
        mood = rumours.Mood(
            parting=peer in self._parting,
            hungry=self._fed_at < now - HUNGRY_AFTER and not self._trade.complete,
            asking=self._is_quiet(peer, now),
        )
        self._out.append(events.Send(peer, wire.Gossip(self._teller.message(peer, mood))))

    def _is_quiet(self, peer: str, now: float) -> bool:
        return now - self._heard_at[peer] >= QUIET

    # -- time

    def _timer(self, event: events.TimerFired, now: float) -> None:
        members = self.members
        members.expire(now)
        self._taste(now)
        self._look_after(now)
        self._shed(now)
        self._seek(now)
        for peer in self._in_a_hurry(now):
            self._send(peer)
        for _ in range(min(TOLD_AT_ONCE, len(self._heard_at))):
            self._send(self._next_in_turn())
        busy = members.news or not self._trade.complete
        self.wakeup = now + (PERIOD if busy else IDLE_PERIOD) * (0.9 + 0.2 * self._rng.random())

    def _taste(self, now: float) -> None:
        """Looks whether our neighbours have anything for us, and whether our own rack does."""
        useful = [peer for peer in self._heard_at if self._trade.lacks_of(peer)]
        if useful or not self._heard_at:
            self._useful_at = now
        if not self._seat.rack or any(map(self._choice.is_near, useful)):
            self._fed_at = now

    def _in_a_hurry(self, now: float) -> list[str]:
        """Neighbours that are not to wait for their turn: who is to answer a suspicion, asks us for a word,
        or is to be asked for one. Each of them once a period, whatever it sends."""
        waiting, self._asked = self._asked, set()
        waiting.update(self.members.accused)
        return [peer for peer in self._heard_at if peer in waiting or self._is_quiet(peer, now)]

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
        self._unlink(peer)
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
        if links > VIEW or (due and links >= self._choice.links):
            peer = self._choice.spare(self._heard_at, self._parting)
            if peer is not None:
                self._parting.add(peer)
                self._send(peer)

    def _seek(self, now: float) -> None:
        """Dials some of those that it would like to be linked to."""
        links = [peer for peer in self._heard_at if peer not in self._parting]
        links += self._opening
        missing = self._choice.goal(starving=now - self._useful_at > STARVING_AFTER) - len(links)
        for number in range((missing + 1) // 2):
            member = self._choice.next(links, now, useful=bool(number % 2))
            if member is not None:
                links.append(member.id)
                self._open(member, now)

    def check_invariants(self) -> None:
        """Raises AssertionError when the state contradicts itself; tests and simulations call it."""
        self.members.check_invariants()
        assert self._parting <= set(self._heard_at)
        assert set(self._edges) == set(self._heard_at) >= self._hungry
        for peer in self._heard_at:
            member = self.members.get(peer)
            assert member is not None
            assert member.linked
            assert peer not in self._opening
