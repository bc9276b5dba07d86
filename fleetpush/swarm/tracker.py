"""The tracker as a pure state machine: who is in the swarm, who talks to whom, who cannot be reached.

It lives in the CLI process and never decides a single chunk. Edges come from the plan; the tracker turns
them into introductions, tries the other direction when a dial fails, asks for a relay through SSH when
neither works with the origin, and lets the plan find another neighbour otherwise. Where that leaves hosts
without any way to the content (a firewall between sites, a host nobody reaches), it joins them to an origin.

There may be several origins, each with a part of the content or all of it (``plan.shares``).
"""

from __future__ import annotations

from fleetpush.swarm.events import Edge
from fleetpush.swarm.plan.link import Link, pair
from fleetpush.swarm.tracking import (
    DialFailed,
    Effect,
    Event,
    FellBehind,
    Finished,
    HandOver,
    Introduce,
    Isolated,
    Joined,
    Left,
    LinksCounted,
    Part,
    Relay,
    RelayFailed,
    Release,
    Settled,
    TellHeld,
    Tick,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from fleetpush.swarm.plan import Plan
    from fleetpush.swarm.plan.shares import Shares

LINK_WITHIN = 10.0
"""Seconds after joining in which a host must have a link, else it is served over SSH."""

MAX_FAILED_EDGES = 6
"""A host without any link after so many failed edges is joined to the origin."""

BRIDGES = 4
"""Links that the origin gets to hosts which are cut off together."""

MAX_FAILED_BRIDGES = 16
"""After so many refusals to forward, the rest of those hosts is not asked."""

__all__ = (
    "LINK_WITHIN",
    "DialFailed",
    "Effect",
    "Event",
    "FellBehind",
    "Finished",
    "HandOver",
    "Introduce",
    "Isolated",
    "Joined",
    "Left",
    "LinksCounted",
    "Part",
    "Relay",
    "RelayFailed",
    "Release",
    "Settled",
    "TellHeld",
    "Tick",
    "Tracker",
)


class _Member:
    __slots__ = (
        "failed_edges",
        "finished",
        "isolated",
        "joined_at",
        "links",
        "rack",
        "refused",
        "relayed",
    )

    def __init__(self, rack: str, now: float) -> None:
        self.rack = rack
        self.joined_at = now
        self.links = 0
        self.failed_edges = 0
        self.relayed = False
        self.finished = False
        self.refused: dict[str, str] = {}
        """The origins that it can have no link to, and why."""
        self.isolated = False
        """Reported as such."""


class Tracker:
    """``origin`` joins like any peer, with everything it has; ``shares`` has them all if there are several.

    ``relays``: the origin is where the connections are, and may be linked through them.
    """

    def __init__(
        self, plan: Plan, origin: str, shares: Shares | None = None, *, relays: bool = True
    ) -> None:
        self._plan = plan
        self._origin = origin
        self._shares = shares
        self._origins = (origin,) if shares is None else shares.origins
        self._relays = relays
        self._members: dict[str, _Member] = {}
        self._dialed: dict[tuple[str, str], list[str]] = {}
        """Standing introductions: who was told to dial, in order of trial."""
        self._of: dict[str, dict[tuple[str, str], None]] = {}
        """Their pairs by each peer of them."""
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
            FellBehind: self._fell_behind,
            RelayFailed: self._relay_failed,
            Settled: self._settled,
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
        if event.peer not in self._origins:
            self._held |= event.have
        fresh = self._held if event.peer in self._origins else event.have
        if fresh and self._present():
            self._out.append(TellHeld(fresh))
        self._announce(newcomer=event.peer)

    def _present(self) -> list[str]:
        return [origin for origin in self._origins if origin in self._members]

    def _left(self, event: Left, now: float) -> None:
        if self._shares is not None:
            for other, mask in self._shares.leave(event.peer).items():
                self._out.append(HandOver(other, mask))
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
        if member is None or event.peer in self._origins:
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
        if newcomer in self._origins:
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
        origin = self._origin_in(key)
        if origin:
            return origin
        return newcomer if newcomer in key and newcomer is not None else key[1]

    def _origin_in(self, key: tuple[str, str]) -> str:
        """ "" where both are hosts."""
        return next((peer for peer in key if peer in self._origins), "")

    def _introduce(self, key: tuple[str, str], link: Link, dialer: str) -> None:
        a, b = key
        local = self._members[a].rack == self._members[b].rack
        for peer, other in ((a, b), (b, a)):
            edge = link.edge(first=peer == a, local=local)
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
        origin = self._origin_in(key)
        if origin:
            host = key[0] if key[1] == origin else key[1]
            if not self._relays:
                self._refuse(
                    host, origin, "no link runs through SSH where the sources are on hosts"
                )
            elif self._members[host].relayed:
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
                self._reach(peer, now)

    def _reach(self, peer: str, now: float) -> None:
        """``peer`` has no link that stands: one to an origin must do."""
        member = self._members[peer]
        if member.refused.keys() >= set(self._origins):
            self._isolate(peer, next(iter(member.refused.values())))
            return
        untried = [origin for origin in self._present() if origin not in member.refused]
        asked = [origin for origin in untried if pair(peer, origin) in self._dialed]
        if asked and self._relays:
            self._relay(peer)
        elif asked:
            self._refuse(peer, asked[0], f"no link came about within {LINK_WITHIN:.0f} s")
        elif untried:
            self._adopt(peer, untried[0], now)

    def _adopt(self, peer: str, origin: str, now: float) -> None:
        """Joins ``peer`` to ``origin``, which dials it first as ever."""
        member = self._members[peer]
        if pair(peer, origin) in self._dialed or member.relayed or origin not in self._members:
            return
        member.joined_at = now
        self._plan.adopt(peer, origin)
        self._announce()

    def _bridge(self, now: float) -> None:
        """Gives the origins a few links to each set of hosts that their data has no way to."""
        self._torn = False
        hosts = [peer for peer in self._members if peer not in self._origins]
        for part in self._plan.links.parts(hosts):
            if any(self._members[p].finished for p in part):
                continue
            wanted = self._lacked(part)
            for origin in self._present() if wanted else ():
                if self._holds(origin) & wanted and self._join_some(sorted(part), origin, now):
                    wanted &= ~self._holds(origin)
            reasons = [why for p in sorted(part) for why in self._members[p].refused.values()]
            for peer in sorted(part) if wanted and reasons else ():
                self._isolate(peer, reasons[0])

    def _holds(self, origin: str) -> int:
        return 1 if self._shares is None else self._shares.holds(origin)

    def _lacked(self, part: set[str]) -> int:
        """What origins have that no origin next to ``part`` has."""
        lacked = near = 0
        for origin in self._present():
            lacked |= self._holds(origin)
            if any(pair(origin, peer) in self._plan.links for peer in part):
                near |= self._holds(origin)
        return lacked & ~near

    def _join_some(self, island: list[str], origin: str, now: float) -> bool:
        """Whether any of them may have a link to ``origin``; a few are given one then."""
        untried = [p for p in island if origin not in self._members[p].refused]
        if not untried or len(island) - len(untried) >= MAX_FAILED_BRIDGES:
            return False
        for peer in untried[:BRIDGES]:
            self._adopt(peer, origin, now)
        return True

    def _relay(self, peer: str) -> None:
        member = self._members[peer]
        if member.relayed or self._origin not in self._members:
            return
        member.relayed = True
        key = pair(peer, self._origin)
        if key not in self._plan.links:
            self._plan.adopt(peer, self._origin)
        link = self._plan.links.get(key)
        if link is None:
            return
        self._dial(key, [peer, self._origin])
        self._announce(relayed=key)
        sends, takes = link.a_sends, link.b_sends
        if key[1] == self._origin:
            sends, takes = takes, sends
        self._out.append(
            Introduce(peer, self._origin, Edge(takes, link.stripes, local=False), dial=False)
        )
        self._out.append(Relay(peer, Edge(sends, link.stripes, local=False)))

    def _fell_behind(self, event: FellBehind, now: float) -> None:
        self._plan.behind(event.peer, event.paces, all=event.all)
        self._announce()

    def _relay_failed(self, event: RelayFailed, now: float) -> None:
        if event.peer in self._members:
            self._refuse(event.peer, self._origin, event.reason)

    def _refuse(self, peer: str, origin: str, reason: str) -> None:
        """There is no link between these two, and will be none."""
        refused = self._members[peer].refused
        refused[origin] = reason
        self._torn = True
        self._plan.unreachable(origin, peer)
        links = self._plan.links
        stuck = pair(origin, peer) in links or not links.has_any(peer)
        self._announce()
        if stuck and refused.keys() >= set(self._origins):  # else other edges may do: see _tick
            self._isolate(peer, reason)

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

    def _settled(self, event: Settled, now: float) -> None:
        self._plan.settle()
        self._announce()

    def _tick(self, event: Tick, now: float) -> None:
        for peer, member in list(self._members.items()):
            late = not member.links and now - member.joined_at > LINK_WITHIN
            if late and peer not in self._origins:
                self._reach(peer, now)
        if self._torn and self._present():
            self._bridge(now)
        self._plan.tick()
        self._announce()
