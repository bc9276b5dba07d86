"""Links in virtual time: dialling as the tracker says, breaking, dialling again."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from fleetpush.sim.machine import Session, joined
from fleetpush.swarm import tracker
from fleetpush.swarm.events import EdgeChanged, LinkDown, LinkUp
from fleetpush.swarm.manifest import BLOCK

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleetpush.sim.clock import Clock
    from fleetpush.sim.machine import Machine, Way
    from fleetpush.sim.scenario import Scenario
    from fleetpush.swarm.events import Edge, Event

DIALS = 3
FIRST_RETRY = 0.15
"""Seconds; four times as long each further time. As ``fleetpush.net.edges`` has it."""

HANDSHAKE = 4
"""One-way latencies until both ends of a new link may speak: TCP's and TLS 1.3's round trip."""

REPORT_AFTER = 0.25
"""Seconds from a change of its links until a host tells the tracker how many it has."""

BEYOND_PATH = 2
"""Blocks that may be under way on a link beside those that its round trip holds."""


class Links:
    """Of ``machines``; ``tell`` and ``tell_tracker`` hear what peers and tracker are to know of links."""

    def __init__(
        self,
        clock: Clock,
        scenario: Scenario,
        machines: dict[str, Machine],
        tell: Callable[[Machine, Event], None],
        tell_tracker: Callable[[tracker.Event], None],
        *,
        admits: Callable[[Machine, str], Edge | None],
    ) -> None:
        """``admits(machine, caller)``: what may flow to a caller that ``machine`` was not told of, if it lets
        it in."""
        self._admits = admits
        self._clock = clock
        self._scenario = scenario
        self._machines = machines
        self._tell = tell
        self._tell_tracker = tell_tracker

    def introduce(self, machine: Machine, other: str, edge: Edge, *, dial: bool) -> None:
        """A new or changed edge of ``machine``."""
        session = machine.sessions.get(other)
        if session is None:
            session = machine.sessions[other] = Session(edge, dials=dial)
        session.edge, session.dials = edge, dial
        if other in machine.ways:
            self._tell(machine, EdgeChanged(other, edge))
        elif dial:
            session.failures = 0
            self._dial(machine, other)

    def part(self, machine: Machine, other: str) -> None:
        """The edge is no more."""
        machine.sessions.pop(other, None)
        way = machine.ways.get(other)
        if way is not None:
            self._sever(way)
            self._down(machine, way)

    def ban(self, machine: Machine, other: str) -> None:
        """``other`` broke the protocol: no link to it any more."""
        machine.sessions[other].banned = True
        way = machine.ways[other]
        self._sever(way)
        self._down(machine, way)

    def vanish(self, machine: Machine) -> None:
        """``machine`` dies, or leaves: its links break at once."""
        machine.alive = False
        for way in machine.ways.values():
            self._sever(way)
        machine.ways = {}
        machine.sessions = {}
        machine.turn.clear()

    # -- dialling

    def _dial(self, machine: Machine, other: str) -> None:
        latency = self._latency(machine, self._machines[other])
        self._clock.at(self._clock.now + HANDSHAKE * latency, self._answered, machine, other)

    def _answered(self, machine: Machine, other: str) -> None:
        session = machine.sessions.get(other)
        if session is None or other in machine.ways or not session.dials or session.banned:
            return
        remote = self._machines[other]
        theirs = remote.sessions.get(machine.name)
        if theirs is None and remote.alive:
            edge = self._admits(remote, machine.name)
            if edge is not None:
                theirs = remote.sessions[machine.name] = Session(edge, dials=False)
        if theirs is None or theirs.banned or machine.name in remote.ways or not remote.alive:
            self._dial_again(machine, other, session)
            return
        latency = self._latency(machine, remote)
        in_path = 2 * latency * self._scenario.rate / BLOCK
        joined(machine, remote, latency, BEYOND_PATH + ceil(in_path))
        for one, its, whom in ((machine, session, other), (remote, theirs, machine.name)):
            its.failures = 0
            self._tell(one, LinkUp(whom, its.edge))
            self._count_soon(one)

    def _dial_again(self, machine: Machine, other: str, session: Session) -> None:
        session.failures += 1
        if session.failures < DIALS:
            when = self._clock.now + FIRST_RETRY * 4 ** (session.failures - 1)
            self._clock.at(when, self._answered, machine, other)
        else:
            self._tell_tracker(tracker.DialFailed(machine.name, other))

    def _latency(self, one: Machine, other: Machine) -> float:
        """One way, in seconds: a rack's two links are hops, too; the origin is between the racks."""
        if one.rack is other.rack or self._scenario.racks == 1:
            return self._scenario.latency
        hops = 1 + (one.rack is not None) + (other.rack is not None)
        return hops * self._scenario.latency

    # -- breaking

    def _sever(self, way: Way) -> None:
        """Nothing arrives any more, either way; the other end notices after the latency."""
        if way.is_open:
            way.is_open = way.back.is_open = False
            self._clock.at(self._clock.now + way.latency, self._noticed, way.back)

    def _noticed(self, way: Way, _: object) -> None:
        """``way.sender`` learns that the link is gone."""
        machine, other = way.sender, way.receiver.name
        if machine.alive and machine.ways.get(other) is way:
            self._down(machine, way)
            session = machine.sessions.get(other)
            if session is not None and session.dials and not session.banned:
                self._dial_again(machine, other, session)

    def _down(self, machine: Machine, way: Way) -> None:
        del machine.ways[way.receiver.name]
        way.streams.clear()  # what is still on the uplink is no stream of the next link to that machine
        self._tell(machine, LinkDown(way.receiver.name))
        self._count_soon(machine)

    def _count_soon(self, machine: Machine) -> None:
        if not machine.counting:
            machine.counting = True
            self._clock.at(self._clock.now + REPORT_AFTER, self._count, machine)

    def _count(self, machine: Machine, _: object) -> None:
        machine.counting = False
        if machine.alive:
            count = len(machine.ways)
            self._tell_tracker(tracker.LinksCounted(machine.name, count))
