"""The tracker as a pure state machine: who is in the swarm, who talks to whom, who cannot be reached.

It lives in the CLI process and never decides a single chunk. Edges come from the plan; the tracker turns
them into introductions, tries the other direction when a dial fails, asks for a relay through SSH when
neither works with the origin, and lets the plan find another neighbour otherwise. Where that leaves hosts
without any way to the origin (a firewall between sites, a host nobody reaches), it joins them to it.
"""

from __future__ import annotations

from typing import NamedTuple, Union

from fleetpush.swarm.events import Edge
from fleetpush.swarm.plan.link import Link, pair

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from fleetpush.swarm.plan import Plan

LINK_WITHIN = 10.0
"""Seconds after joining in which a host must have a link, else it is served over SSH."""

MAX_FAILED_EDGES = 6
"""A host without any link after so many failed edges is joined to the origin."""

BRIDGES = 4
"""Links that the origin gets to hosts which are cut off together."""

MAX_FAILED_BRIDGES = 16
"""After so many refusals to forward, the rest of those hosts is not asked."""


class Joined(NamedTuple):
    """``peer`` is ready to trade and holds ``have`` (a set of chunks) already."""

    peer: str
    rack: str
    have: int


class Left(NamedTuple):
    """``peer`` is gone."""

    peer: str


class DialFailed(NamedTuple):
    """``peer`` could not reach ``other``, or not any more."""

    peer: str
    other: str


class LinksCounted(NamedTuple):
    """``peer`` has ``links`` standing links."""

    peer: str
    links: int


class Finished(NamedTuple):
    """``peer`` has everything and has done all it was asked to: it stays only to serve others."""

    peer: str


class RelayFailed(NamedTuple):
    """No channel through SSH to ``peer`` either."""

    peer: str
    reason: str


class Tick(NamedTuple):
    """Time has passed; wanted about once a second."""


Event = Union[Joined, Left, DialFailed, LinksCounted, Finished, RelayFailed, Tick]


class Introduce(NamedTuple):
    """Tell ``peer`` of its neighbour ``other``: to ``dial`` it or to await its call."""

    peer: str
    other: str
    edge: Edge
    dial: bool


class Part(NamedTuple):
    """Tell ``peer`` that ``other`` is its neighbour no more."""

    peer: str
    other: str


class Relay(NamedTuple):
    """Open a channel through SSH from the origin to ``peer``."""

    peer: str
    edge: Edge


class TellHeld(NamedTuple):
    """Tell the origin which chunks some host holds already."""

    mask: int


class Release(NamedTuple):
    """``peer`` is of no more use to anybody: it may leave now."""

    peer: str


class Isolated(NamedTuple):
    """Nobody who has the content reaches ``peer``: it fails, by name."""

    peer: str
    reason: str


Effect = Union[Introduce, Part, Relay, TellHeld, Release, Isolated]


class _Member:
    __slots__ = (
        "failed_edges",
        "finished",
        "isolated",
        "joined_at",
        "links",
        "rack",
        "relay_failed",
        "relayed",
    )

    def __init__(self, rack: str, now: float) -> None:
        self.rack = rack
        self.joined_at = now
        self.links = 0
        self.failed_edges = 0
        self.relayed = False
        self.finished = False
        self.relay_failed = ""
        """Why, if it did."""
        self.isolated = False
        """Reported as such."""


class Tracker:
    """``origin`` joins like any peer, with everything it has."""

    def __init__(self, plan: Plan, origin: str) -> None:
        self._plan = plan
        self._origin = origin
        self._members: dict[str, _Member] = {}
        self._dialed: dict[tuple[str, str], list[str]] = {}
        """Standing introductions: who was told to dial, in order of trial."""
        self._of: dict[str, dict[tuple[str, str], None]] = {}
        """Their pairs by each peer of them: whoever leaves must not be looked for among all."""
        self._held = 0
        """What hosts had when they joined."""
        self._torn = False
        """Edges were given up: somebody may have no way to the origin any more."""
        self._out: list[Effect] = []
        self._events: dict[type, Callable[[Any, float], None]] = {
            Joined: self._joined,
            Left: self._left,
            DialFailed: self._dial_failed,
            LinksCounted: self._links_counted,
            Finished: self._finished,
            RelayFailed: self._relay_failed,
            Tick: self._tick,
        }

    @property
    def members(self) -> list[str]:
        return list(self._members)

    def handle(self, event: Event, now: float) -> list[Effect]:
        """The only way in. The returned effects are to be performed in order."""
        out: list[Effect] = []
        self._out = out
        self._events[type(event)](event, now)
        return out

    def _joined(self, event: Joined, now: float) -> None:
        if event.peer in self._members:
            self._left(Left(event.peer), now)
        self._members[event.peer] = _Member(event.rack, now)
        self._plan.join(event.peer, event.rack)
        if event.peer != self._origin:
            self._held |= event.have
        fresh = self._held if event.peer == self._origin else event.have
        if fresh and self._origin in self._members:
            self._out.append(TellHeld(fresh))
        self._announce(newcomer=event.peer)

    def _left(self, event: Left, now: float) -> None:
        if self._members.pop(event.peer, None) is None:
            return
        self._plan.leave(event.peer)
        self._torn = True
        # The plan keeps its origin, but who has left has no edges.
        for key in list(self._of.pop(event.peer, ())):
            self._part(key)
        self._announce()

    def _finished(self, event: Finished, now: float) -> None:
        member = self._members.get(event.peer)
        if member is None or event.peer == self._origin:
            return
        member.finished = True
        for peer in self._plan.finished(event.peer):
            self._out.append(Release(peer))
            self._left(Left(peer), now)

    def _announce(
        self, newcomer: str | None = None, relayed: tuple[str, str] | None = None
    ) -> None:
        """Makes known what the plan changed; ``relayed`` is introduced otherwise."""
        links = self._plan.links
        changes = dict(links.take_changes())
        if newcomer == self._origin:
            changes.update((key, links.get(key)) for key in links.pairs() if newcomer in key)
        for key, link in changes.items():
            if key == relayed:
                continue
            if link is None:
                self._part(key)
            elif key[0] in self._members and key[1] in self._members:
                trials = self._dialed.get(key)
                if trials is None:
                    trials = self._dial(key, [self._first_dialer(key, newcomer)])
                self._introduce(key, link, trials[-1])

    def _first_dialer(self, key: tuple[str, str], newcomer: str | None) -> str:
        """The origin dials; among hosts the newcomer does, so that its peers are ready for it."""
        if self._origin in key:
            return self._origin
        return newcomer if newcomer in key and newcomer is not None else key[1]

    def _introduce(self, key: tuple[str, str], link: Link, dialer: str) -> None:
        a, b = key
        local = self._members[a].rack == self._members[b].rack
        for peer, other, sends in ((a, b, link.a_sends), (b, a, link.b_sends)):
            edge = Edge(sends, link.stripes, local, link.between_racks)
            self._out.append(Introduce(peer, other, edge, dial=peer == dialer))

    def _dial(self, key: tuple[str, str], trials: list[str]) -> list[str]:
        self._dialed[key] = trials
        for peer in key:
            self._of.setdefault(peer, {})[key] = None
        return trials

    def _part(self, key: tuple[str, str]) -> None:
        if self._dialed.pop(key, None) is None:
            return
        for peer, other in (key, key[::-1]):
            self._of.get(peer, {}).pop(key, None)
            if peer in self._members:
                self._out.append(Part(peer, other))

    def _dial_failed(self, event: DialFailed, now: float) -> None:
        key = pair(event.peer, event.other)
        trials = self._dialed.get(key)
        link = self._plan.links.get(key)
        if trials is None or link is None or trials[-1] != event.peer:
            return
        if event.other not in trials:
            trials.append(event.other)
            self._introduce(key, link, event.other)
            return
        for peer in key:
            self._members[peer].failed_edges += 1
        if self._origin in key:
            host = key[0] if key[1] == self._origin else key[1]
            if self._members[host].relayed:
                self._relay_failed(RelayFailed(host, "the link through SSH broke"), now)
            else:
                self._relay(host)
            return
        self._torn = True
        self._plan.unreachable(*key)
        self._announce()
        for peer in key:
            member = self._members[peer]
            if not member.links and member.failed_edges >= MAX_FAILED_EDGES:
                self._adopt(peer, now)

    def _adopt(self, peer: str, now: float) -> None:
        """Joins ``peer`` to the origin, which dials it first as ever."""
        key = pair(peer, self._origin)
        member = self._members[peer]
        if key in self._dialed or member.relayed or self._origin not in self._members:
            return
        member.joined_at = now
        self._plan.adopt(peer)
        self._announce()

    def _bridge(self, now: float) -> None:
        """Gives the origin a few links to each set of hosts that its data has no way to."""
        self._torn = False
        for part in self._plan.links.parts(self._members):
            if self._origin in part or any(self._members[p].finished for p in part):
                continue
            island = sorted(part)
            untried = [p for p in island if not self._members[p].relay_failed]
            refused = len(island) - len(untried)
            if untried and refused < MAX_FAILED_BRIDGES:
                for peer in untried[:BRIDGES]:
                    self._adopt(peer, now)
                continue
            reasons = [self._members[p].relay_failed for p in island]
            for peer in island:
                self._isolate(peer, next(filter(None, reasons)))

    def _relay(self, peer: str) -> None:
        member = self._members[peer]
        if member.relayed or self._origin not in self._members:
            return
        member.relayed = True
        key = pair(peer, self._origin)
        if key not in self._plan.links:
            self._plan.adopt(peer)
        link = self._plan.links.get(key)
        if link is None:
            return
        self._dial(key, [peer, self._origin])
        self._announce(relayed=key)
        sends, takes = (
            (link.a_sends, link.b_sends) if key[0] == self._origin else (link.b_sends, link.a_sends)
        )
        self._out.append(
            Introduce(peer, self._origin, Edge(takes, link.stripes, local=False), dial=False)
        )
        self._out.append(Relay(peer, Edge(sends, link.stripes, local=False)))

    def _relay_failed(self, event: RelayFailed, now: float) -> None:
        member = self._members.get(event.peer)
        if member is None:
            return
        member.relay_failed = event.reason
        self._torn = True
        self._plan.unreachable(self._origin, event.peer)
        links = self._plan.links
        stuck = pair(self._origin, event.peer) in links or not links.has_any(event.peer)
        self._announce()
        if stuck:  # else its other edges may do: see _tick
            self._isolate(event.peer, event.reason)

    def _isolate(self, peer: str, reason: str) -> None:
        if not self._members[peer].isolated:
            self._members[peer].isolated = True
            self._out.append(Isolated(peer, reason))

    def _links_counted(self, event: LinksCounted, now: float) -> None:
        member = self._members.get(event.peer)
        if member is not None:
            if member.links and not event.links:
                member.joined_at = now
            member.links = event.links

    def _tick(self, event: Tick, now: float) -> None:
        for peer, member in list(self._members.items()):
            if peer == self._origin or member.links or now - member.joined_at <= LINK_WITHIN:
                continue
            if member.relay_failed:
                self._isolate(peer, member.relay_failed)
            elif pair(peer, self._origin) in self._dialed:
                self._relay(peer)
            else:
                self._adopt(peer, now)
        if self._torn and self._origin in self._members:
            self._bridge(now)
        self._plan.tick()
        self._announce()
