"""A small swarm in virtual time: real peers, tracker and plan; links, rates, deaths and dials are modelled.

Every host has one uplink and one downlink that all its links share. A block occupies the sender's uplink,
travels for the latency and occupies the receiver's downlink; at most ``WINDOW`` blocks of a link are under
way at once, so a host that does not read holds its senders up, as TCP does. Nothing overtakes on a link,
and what is under way when a link breaks is lost.
"""

import heapq
import random
from collections import deque
from itertools import count

from fleetpush.net.outgoing import Outgoing
from fleetpush.swarm import bitfield, events, tracker, wire
from fleetpush.swarm.plan import plan_for, shape_of
from fleetpush.swarm.plan.shares import Shares
from tests.swarm.parts import ORIGIN, Host, Link, Session, manifest_of

LATENCY = 0.0005
BLOCK_TIME = 0.001
"""Seconds that a block occupies an up- or downlink."""

WINDOW = 4
REDIALS = (0.15, 0.6, 2.4)
WAITS_FOR_EDGE = 5.0


class Network:
    """``run`` plays what was scheduled with ``at``; time is ``now``, in seconds."""

    def __init__(
        self,
        topology: str,
        chunks: int,
        *,
        seed=0,
        blocks=4,
        fanout=None,
        check_every=1,
        holdings=None,
    ) -> None:
        """``holdings``: of several origins, ORIGIN first, what each has."""
        self.now = 0.0
        self.seed = seed
        self.manifest = manifest_of(chunks, blocks)
        self.shape = shape_of(topology, self.manifest.chunk_size)
        rng = random.Random(seed)
        self.shares = Shares(holdings) if holdings else None
        others = list(holdings or [ORIGIN])[1:]
        self.plan = plan_for(topology, ORIGIN, rng, *others, chunks=max(chunks, 1), fanout=fanout)
        self.tracker = tracker.Tracker(self.plan, ORIGIN, self.shares, relays=not holdings)
        self.hosts: dict[str, Host] = {}
        self.blocked: set[tuple[str, str]] = set()
        """(who dials, whom) that never succeeds."""
        self.relays = True
        self.dropped: list[tuple[str, str, str]] = []
        self.isolated: list[str] = []
        self.released: list[str] = []
        self._heap: list = []
        self._ticket = count()
        self._to_come = 0
        """Joins that are scheduled."""
        self._check_every = check_every
        self._handled = 0
        self.at(1.0, self._tick)

    # -- what a test does

    def at(self, when: float, call, *args) -> None:
        heapq.heappush(self._heap, (when, next(self._ticket), call, args))

    def join_at(self, when: float, name: str, **how) -> None:
        self._to_come += 1
        self.at(when, self._joins, name, how)

    def _joins(self, name: str, how: dict) -> None:
        self._to_come -= 1
        self.join(name, **how)

    def join(self, name: str, *, have=0, rack="", old: dict[int, int] | None = None) -> None:
        share = None
        if self.shares is not None and name.startswith(ORIGIN):
            have, share = self.shares.holds(name), self.shares.of(name)
        elif name == ORIGIN:
            have = bitfield.full(self.manifest.chunks)
        host = self.hosts[name] = Host(
            name, self.manifest, self.shape, have, seed=self.seed, share=share, old=old
        )
        if host.peer.complete:
            host.completed_at = self.now
        self._tell(tracker.Joined(name, rack, 0 if name.startswith(ORIGIN) else have))

    def die(self, name: str, *, noticed: float = 0.05) -> None:
        """Its links break at once; the tracker hears of it later."""
        host = self.hosts.get(name)
        if host is None or not host.alive:
            return
        host.alive = False
        for session in list(host.sessions.values()):
            self._break(session.link)
        host.sessions.clear()
        self.at(self.now + noticed, self._tell, tracker.Left(name))

    def cut(self, one: str, other: str) -> None:
        """The link breaks; it may be dialled again."""
        session = self.hosts[one].sessions.get(other) if one in self.hosts else None
        if session is not None:
            self._break(session.link)

    def freeze(self, name: str) -> None:
        if self.hosts[name].frozen is None:
            self.hosts[name].frozen = []

    def thaw(self, name: str) -> None:
        host = self.hosts[name]
        held, host.frozen = host.frozen or [], None
        for call, args in held:
            call(*args)
        self._pump(host)

    def run(self, seconds: float = 120.0, *, steps: int = 2_000_000, settle: float = 1.0) -> None:
        """Until every living host that is not frozen is complete and ``settle`` seconds more;
        AssertionError with the state of those that are not, if that takes longer or more steps."""
        end, last = self.now + seconds, None
        while self._heap:
            when = self._heap[0][0]
            if last is None and not self._to_come and self._finished():
                last = self.now + settle
            if when > (end if last is None else last):
                break
            steps -= 1
            assert steps, f"still busy\n{self.dump()}"
            self.now, _, call, args = heapq.heappop(self._heap)
            call(*args)
        assert last is not None, f"not complete after {self.now:.1f} s\n{self.dump()}"
        for host in self.hosts.values():
            host.peer.check_invariants()

    @property
    def living(self) -> list[Host]:
        return [h for h in self.hosts.values() if h.alive]

    @property
    def served(self) -> list[Host]:
        """Those that live, and those that were let go because nobody needed them."""
        return [*self.living, *(self.hosts[name] for name in self.released)]

    def _finished(self) -> bool:
        return not self._unfinished()

    def _unfinished(self) -> list[Host]:
        return [
            h
            for h in self.living
            if h.frozen is None and not h.peer.complete and not h.name.startswith(ORIGIN)
        ]

    def copies(self) -> float:
        """How many times the content left the origins."""
        sent = sum(h.sent for h in self.hosts.values() if h.name.startswith(ORIGIN))
        return sent / self.manifest.size if self.manifest.size else 0.0

    def dump(self) -> str:
        """Who lacks what, and what it waits for."""
        lines = []
        for host in self._unfinished():
            missing = host.peer.state.every & ~host.peer.have
            coming = [(i.chunk, i.peer) for i in host.peer._receiver.inbound]
            lines.append(f"{host.name} lacks {list(bitfield.chunks(missing))}, coming: {coming}")
            for n in host.peer.state.neighbours.values():
                other = self.hosts[n.id].peer.state.neighbours.get(host.name)
                lines.append(
                    f"    {n.id}: {bitfield.count(n.has & missing)} useful, greeted {n.greeted}"
                    + (f", owes it {other.credit=} {other.offered=:x} {other.sending=:x}"
                       f" {other.refused=:x} {other.flow=:x}" if other else "")
                )  # fmt: skip
            if not host.peer.state.neighbours:
                lines.append(f"    no neighbours; sessions {list(host.sessions)}")
        return "\n".join(lines[:60])

    # -- the tracker

    def _tick(self) -> None:
        self._tell(tracker.Tick())
        self.at(self.now + 1.0, self._tick)

    def _tell(self, event) -> None:
        for effect in self.tracker.handle(event, self.now):
            self.at(self.now + 2 * LATENCY, self._obey, effect)

    def _obey(self, effect) -> None:
        match effect:
            case tracker.Introduce(peer, other, edge, dial):
                self._for_host(peer, self._announce, peer, other, edge, dial)
            case tracker.Part(peer, other):
                self._for_host(peer, self._part, peer, other)
            case tracker.TellHeld(mask):
                for name in [n for n in self.hosts if n.startswith(ORIGIN)]:
                    self._for_host(name, self._feed, self.hosts[name], events.ChunksHeld(mask))
            case tracker.HandOver(peer, mask):
                inherited = events.ChunksInherited(mask)
                self._for_host(peer, lambda: self._feed(self.hosts[peer], inherited))
            case tracker.Relay(peer, edge):
                if self.relays:
                    self._for_host(ORIGIN, self._announce, ORIGIN, peer, edge, True, True)
                else:
                    self._tell(tracker.RelayFailed(peer, "forbidden"))
            case tracker.Release(peer):
                self._check_release(peer)
                self.die(peer, noticed=0.0)
            case tracker.Isolated(peer, _):
                self.isolated.append(peer)
                self.die(peer, noticed=0.0)

    def _check_release(self, name: str) -> None:
        """Nobody who still needs something was joined to it when the tracker let it go."""
        self.released.append(name)
        assert self.hosts[name].peer.complete
        for other, session in self.hosts[name].sessions.items():
            needs = self.hosts[other].alive and not self.hosts[other].peer.complete
            assert session.link is None or not needs, f"{other} still trades with {name}"

    def _for_host(self, name: str, call, *args) -> None:
        host = self.hosts.get(name)
        if host is None or not host.alive:
            return
        if host.frozen is not None:
            host.frozen.append((self._for_host, (name, call, *args)))
        else:
            call(*args)

    # -- links

    def _announce(self, name, other, edge, dial, relayed=False) -> None:
        sessions = self.hosts[name].sessions
        session = sessions.get(other)
        if session is None:
            session = sessions[other] = Session(edge)
        session.edge, session.dial = edge, dial
        # A link through SSH stays one when its edge changes.
        session.relayed = session.relayed or relayed
        if session.link is not None:
            self._feed(self.hosts[name], events.EdgeChanged(other, edge))
        elif dial and session.banned:
            self._tell(tracker.DialFailed(name, other))
        elif dial:
            session.failures = 0
            self.at(self.now + 3 * LATENCY, self._for_host, name, self._dial, name, other, self.now)

    def _part(self, name, other) -> None:
        session = self.hosts[name].sessions.pop(other, None)
        if session is not None:
            self._break(session.link)
            if session.link is not None:
                self._feed(self.hosts[name], events.LinkDown(other))

    def _dial(self, name, other, since) -> None:
        host, remote = self.hosts[name], self.hosts[other]
        session = host.sessions.get(other)
        if session is None or session.link is not None or not session.dial or session.banned:
            return
        blocked = (name, other) in self.blocked and not session.relayed
        theirs = remote.sessions.get(name)
        awaited = remote.alive and not blocked and (theirs is None or remote.frozen is not None)
        if awaited and self.now - since < WAITS_FOR_EDGE:
            self.at(self.now + 0.05, self._for_host, name, self._dial, name, other, since)
        elif not remote.alive or blocked or theirs is None or theirs.link or theirs.banned:
            self._redial(name, other, session)
        else:
            session.link = theirs.link = Link(name, other)
            for one, its, whom in ((host, session, other), (remote, theirs, name)):
                its.failures = 0
                self._feed(one, events.LinkUp(whom, its.edge))

    def _redial(self, name, other, session) -> None:
        if not session.dial or session.banned:
            return
        session.failures += 1
        if session.failures >= 3:
            self._tell(tracker.DialFailed(name, other))
            return
        when = self.now + REDIALS[session.failures - 1]
        self.at(when, self._for_host, name, self._dial, name, other, when)

    def _break(self, link: Link | None) -> None:
        if link is not None and link.up:
            link.up = False
            for name in link.ways:
                other = next(n for n in link.ways if n != name)
                self.at(self.now + LATENCY, self._for_host, name, self._broken, name, other, link)

    def _broken(self, name, other, link) -> None:
        session = self.hosts[name].sessions.get(other)
        if session is not None and session.link is link:
            session.link = None
            self._feed(self.hosts[name], events.LinkDown(other))
            self._redial(name, other, session)
            self._count_links(name)

    def _count_links(self, name) -> None:
        standing = sum(s.link is not None for s in self.hosts[name].sessions.values())
        self._tell(tracker.LinksCounted(name, standing))

    # -- the peer's driver

    def _feed(self, host: Host, event) -> None:
        if not host.alive:
            return
        effects = host.peer.handle(event, self.now)
        self._handled += 1
        if self._handled % self._check_every == 0:
            host.peer.check_invariants()
        for effect in effects:
            self._perform(host, effect)
        if isinstance(event, events.LinkUp):
            self._count_links(host.name)
        at = host.peer.wakeup
        if at is not None and at != host.timer_at:
            host.timer_at = at
            self.at(at, self._for_host, host.name, self._timer, host, at)
        self._pump(host)

    def _timer(self, host: Host, at: float) -> None:
        if host.timer_at == at:
            host.timer_at = None
            self._feed(host, events.TimerFired())

    def _perform(self, host: Host, effect) -> None:
        if isinstance(effect, events.Completed):
            assert host.completed_at is None, "complete twice"
            host.completed_at = self.now
            self.at(self.now + LATENCY, self._tell, tracker.Finished(host.name))
            return
        if isinstance(effect, events.Behind):
            word = tracker.FellBehind(host.name, effect.paces, effect.all)
            self.at(self.now + 2 * LATENCY, self._tell, word)
            return
        session = host.sessions.get(effect.peer)
        if session is None or session.link is None:
            return
        way = session.link.ways[host.name]
        if isinstance(effect, events.Send):
            self._carry(host, effect.peer, session.link, 0.0, self._frame_in, effect.frame)
        elif isinstance(effect, events.StartSend):
            assert effect.chunk not in (s.chunk for s in way.streams), "streams a chunk twice"
            blocks = self.manifest.blocks_in(effect.chunk)
            way.streams.append(Outgoing(effect.chunk, effect.block, blocks, effect.skip))
        elif isinstance(effect, events.SendLeaves):
            self._carry(host, effect.peer, session.link, 0.0, self._leaves_in, effect.chunk)
        elif isinstance(effect, events.StopSend):
            way.streams[:] = [s for s in way.streams if s.chunk != effect.chunk]
        else:
            self.dropped.append((host.name, effect.peer, effect.reason))
            session.banned = True
            link, session.link = session.link, None
            self._break(link)
            self._feed(host, events.LinkDown(effect.peer))
            if session.dial:
                self._tell(tracker.DialFailed(host.name, effect.peer))

    def _carry(self, host, other, link, duration, deliver, *what) -> None:
        """Puts something on the link behind all that is on it."""
        way, remote = link.ways[host.name], self.hosts[other]
        arrival = max(self.now + LATENCY, way.last_arrival)
        if duration:
            arrival = max(arrival, remote.down_free + duration * remote.slowness)
            remote.down_free = arrival
        way.last_arrival = arrival
        self.at(
            arrival, self._for_host, other, self._arrive, host.name, other, link, deliver, *what
        )

    def _arrive(self, name, other, link, deliver, *what) -> None:
        if link.up:
            deliver(self.hosts[other], name, link, *what)

    def _frame_in(self, host, sender, link, frame) -> None:
        if isinstance(frame, (wire.Data, wire.Leaves)):
            raise AssertionError("blocks do not go through the core")
        self._feed(host, events.FrameReceived(sender, frame))

    def _pump(self, host: Host) -> None:
        """Takes the next block of the next stream to the uplink, if that is free."""
        if host.up_busy or host.frozen is not None or not host.alive:
            return
        order = [*(o for o in host.turn if o in host.sessions)]
        order += [o for o in host.sessions if o not in order]
        for other in order:
            session = host.sessions.get(other)
            block = self._next_block(host, session.link) if session and session.link else None
            if block is not None:
                host.turn = deque([*(o for o in order if o != other), other])
                self._transmit(host, other, session.link, *block)
                return

    def _next_block(self, host, link) -> tuple[Outgoing, int] | None:
        way = link.ways[host.name]
        if way.under_way >= WINDOW or not link.up:
            return None
        for stream in way.streams:
            block = stream.block
            if not stream.ending and block < host.store.progress(stream.chunk):
                stream.took()
                return stream, block
        return None

    def _transmit(self, host, other, link, stream, block) -> None:
        chunk = stream.chunk
        host.up_busy = True
        link.ways[host.name].under_way += 1
        host.sent += self.manifest.block_length(chunk, block)
        self.at(self.now + BLOCK_TIME * host.slowness, self._sent, host, other, link, stream, block)
        if stream.ending:
            self._feed(host, events.SendEnding(other, chunk))

    def _sent(self, host, other, link, stream, block) -> None:
        host.up_busy = False
        chunk = stream.chunk
        if link.up and host.alive:
            self._carry(host, other, link, BLOCK_TIME, self._block_in, chunk, block, host.corrupts)
            way = link.ways[host.name]
            if block == stream.last and stream in way.streams:
                way.streams.remove(stream)
                self._feed(host, events.SendEnded(other, chunk))
        self._pump(host)

    def _leaves_in(self, host, sender, link, chunk) -> None:
        if host.peer.expects(sender, chunk) and host.peer.asked(sender, chunk):
            self._feed(host, events.LeavesStored(sender, chunk, host.store.learn(chunk)))

    def _block_in(self, host, sender, link, chunk, block, corrupt) -> None:
        link.ways[sender].under_way -= 1
        host.received[chunk, block] += 1
        if host.peer.expects(sender, chunk):
            if corrupt and block == host.store.progress(chunk):
                self._feed(host, events.ContentCorrupt(sender, chunk))
            else:
                whole = host.store.put(chunk, block)
                if whole is not None:
                    self._feed(host, events.BlockStored(sender, chunk, whole))
        self._pump(self.hosts[sender])
