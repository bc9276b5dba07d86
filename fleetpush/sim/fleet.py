"""The driver in virtual time: the shipped peers and tracker, fed by a network that is only calculated.

It does what ``fleetpush/net`` does with sockets: performs the effects of the cores, tells them what
happened, dials, and dials again. Control frames take latency only and stay in order.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from fleetpush.sim import traffic
from fleetpush.sim.clock import Clock
from fleetpush.sim.curve import Curve
from fleetpush.sim.links import Links
from fleetpush.sim.machine import NEVER, Machine, Rack
from fleetpush.sim.scenario import Draw
from fleetpush.sim.transport import Transport
from fleetpush.swarm import bitfield, events, tracker
from fleetpush.swarm.hand_out import HandOut
from fleetpush.swarm.manifest import BLOCK, DIGEST, File, Manifest
from fleetpush.swarm.peer import Peer
from fleetpush.swarm.picker import Push, Rarest
from fleetpush.swarm.plan import plan_for, shape_of
from fleetpush.swarm.plan.shares import Shares
from fleetpush.swarm.tracking import SETTLED_AFTER

if TYPE_CHECKING:
    from fleetpush.sim.machine import Way
    from fleetpush.sim.scenario import HostDraw, Scenario
    from fleetpush.swarm.picker import Policy
    from fleetpush.swarm.plan import Shape
    from fleetpush.swarm.wire import Frame

ORIGIN = "origin"
RUN = bytes(16)
DEATH_NOTICED = 0.05
"""Seconds until the tracker hears that a host died: its SSH connection broke."""

TICK = 1.0


class Fleet:
    """All machines of ``scenario``. ``run`` plays it to its end."""

    def __init__(self, scenario: Scenario) -> None:
        self.clock = Clock()
        self.scenario = scenario
        self.machines: dict[str, Machine] = {}
        """The origin, and the hosts that have arrived, the dead included."""
        self._joined_at = 0.0
        self.told = 0
        """How many events the peers' cores were given."""
        self.tracker_told = 0
        self.tally = traffic.Tally()
        self.dropped: list[tuple[str, str, str]] = []
        """Who dropped whom for a breach of the protocol, and why: a defect of the cores."""
        self.transport = Transport(self.clock, scenario, self.feed)
        rate = scenario.rate * scenario.hosts / scenario.racks / scenario.oversubscription
        self.racks = [Rack(BLOCK / rate) for _ in range(scenario.racks)]
        self.drawn = Draw(scenario).hosts
        self._awaited = sum(drawn.dies_at is None for drawn in self.drawn)
        """Hosts that live to see the end, and have not."""
        self._manifest = Manifest(
            [File("content", scenario.size)], scenario.chunk_size, [bytes(DIGEST)] * scenario.chunks
        )
        self._shape = _shape(scenario)
        self._rng = Random(f"peers of {scenario.seed}")
        everything = bitfield.full(scenario.chunks)
        names = [ORIGIN, *(f"{ORIGIN}{number}" for number in range(2, scenario.origins + 1))]
        self._shares = Shares(dict.fromkeys(names, everything))
        plan = plan_for(
            scenario.topology,
            ORIGIN,
            Random(f"plan of {scenario.seed}"),
            *names[1:],
            chunks=scenario.chunks,
            degree=scenario.degree,
        )
        self._tracker = tracker.Tracker(plan, ORIGIN, self._shares)
        self._links = Links(
            self.clock,
            scenario,
            self.machines,
            self.feed,
            self.tell_tracker,
            admits=self.admits,
        )
        self.curve = Curve(scenario, self.drawn, self.machines)
        self._take_frame = self._frame_waits if scenario.cpu_per_message else self._frame

    @property
    def hosts(self) -> list[Machine]:
        """Those that arrived, without the origins."""
        return [m for m in self.machines.values() if m.drawn is not None]

    @property
    def origins(self) -> list[Machine]:
        return [m for m in self.machines.values() if m.drawn is None]

    def run(self) -> None:
        """Until every host that lives is complete, or the scenario's patience is over."""
        clock = self.clock
        self._joins(None)
        for name in self._shares.origins[1:]:
            self._begins(name)
        for drawn in self.drawn:
            clock.at(drawn.arrives_at, self._joins, drawn)
            if drawn.dies_at is not None:
                clock.at(drawn.dies_at, self._dies, drawn.name)
        clock.at(TICK, self._tick)
        self._sample()
        clock.run(self.scenario.patience)

        self.curve.take(clock.now)

    def _sample(self, *_: object) -> None:
        self.curve.take(self.clock.now)
        self.clock.at(self.clock.now + self.curve.interval, self._sample)

    # -- coming and going

    def _joins(self, drawn: HostDraw | None, _: object = None) -> None:
        machine = self._machine(drawn)
        self.machines[machine.name] = machine
        rack = f"rack{drawn.rack}" if drawn is not None and len(self.racks) > 1 else ""
        self.tell_tracker(tracker.Joined(machine.name, rack, 0))
        self._joined_at = self.clock.now
        self.clock.at(self.clock.now + SETTLED_AFTER, self._settles, self._joined_at)

    def _begins(self, name: str) -> None:
        """One more origin."""
        self.machines[name] = self._machine(None, name)
        self.tell_tracker(tracker.Joined(name, "", 0))

    def _machine(self, drawn: HostDraw | None, name: str = ORIGIN) -> Machine:
        scenario = self.scenario
        origin = drawn is None
        stored = [scenario.blocks if origin else 0] * scenario.chunks
        machine = Machine(
            drawn.name if drawn else name,
            drawn,
            self.racks[drawn.rack] if drawn else None,
            BLOCK / scenario.rate * (drawn.slowness if drawn else 1.0),
            stored,
        )
        machine.peer = Peer(
            self._manifest,
            RUN,
            self._policy(name, origin=origin),
            Random(self._rng.getrandbits(64)),
            have=bitfield.full(scenario.chunks) if origin else 0,
            progress=stored.__getitem__,
            slots=self._shape.slots,
            credit=self._shape.credit,
            bundle=self._shape.bundle,
            frugal=origin and self._shape.frugal_origin,
        )
        machine.handle = machine.peer.handle
        return machine

    def _policy(self, name: str, *, origin: bool) -> Policy:
        if self._shape.push:
            return Push()
        if origin and self._shape.frugal_origin:
            return HandOut(self.scenario.chunks, self._shares.of(name))
        return Rarest()

    def _dies(self, name: str, _: object = None) -> None:
        machine = self.machines.get(name)
        if machine is not None and machine.alive:
            self._links.vanish(machine)
            self.clock.at(self.clock.now + DEATH_NOTICED, self.tell_tracker, tracker.Left(name))

    def admits(self, machine: Machine, caller: str) -> events.Edge | None:
        """With a tracker nobody calls that it has not announced."""
        return None

    # -- the tracker

    def _tick(self, *_: object) -> None:
        self.tell_tracker(tracker.Tick())
        self.clock.at(self.clock.now + TICK, self._tick)

    def _settles(self, since: float, _: object = None) -> None:
        if since == self._joined_at:
            self.tell_tracker(tracker.Settled())

    def tell_tracker(self, event: tracker.Event, _: object = None) -> None:
        self.tracker_told += 1
        clock = self.clock
        there = clock.now + self.scenario.latency
        for effect in self._tracker.handle(event, clock.now):
            clock.at(there, self._obey, effect)

    def _obey(self, effect: tracker.Effect, _: object) -> None:
        machine = self.machines.get(getattr(effect, "peer", ORIGIN))
        if machine is None or not machine.alive:
            return
        match effect:
            case tracker.Introduce(_, other, edge, dial):
                self._links.introduce(machine, other, edge, dial=dial)
            case tracker.Part(_, other):
                self._links.part(machine, other)
            case tracker.TellHeld(mask):
                for origin in self.origins:
                    self.feed(origin, events.ChunksHeld(mask))
            case tracker.HandOver(_, mask):
                self.feed(machine, events.ChunksInherited(mask))
            case tracker.Relay(peer, _):
                self.tell_tracker(tracker.RelayFailed(peer, "no SSH is simulated"))
            case tracker.Release():
                self._links.vanish(machine)
            case tracker.Isolated():
                self._links.vanish(machine)
                self._expect_one_less(machine)

    def _expect_one_less(self, machine: Machine) -> None:
        if machine.drawn is not None and machine.drawn.dies_at is None:
            self._awaited -= 1
            if not self._awaited:
                self.clock.stop()

    # -- the peers

    def feed(self, machine: Machine, event: events.Event) -> None:
        """Tells the core what happened and performs what it asks for."""
        self.told += 1
        clock = self.clock
        now = clock.now
        for effect in machine.handle(event, now):
            if isinstance(effect, events.Send):
                way = machine.ways.get(effect.peer)
                if way is not None:
                    self.tally.add(effect.frame)
                    clock.at(now + way.latency, self._take_frame, way, effect.frame)
            else:
                self._perform(machine, effect)
        if machine.turn and not machine.sends:
            self.transport.pump(machine)
        wakeup = machine.peer.wakeup
        if wakeup is not None and wakeup < machine.timer_at:
            machine.timer_at = wakeup
            clock.at(wakeup, self._timer, machine, wakeup)

    def _perform(self, machine: Machine, effect: events.Effect) -> None:
        if isinstance(effect, events.Completed):
            machine.completed_at = self.clock.now
            there = self.clock.now + self.scenario.latency
            self.clock.at(there, self.tell_tracker, tracker.Finished(machine.name))
            self._expect_one_less(machine)
            return
        if isinstance(effect, events.Behind):
            word = tracker.FellBehind(machine.name, effect.paces, effect.all)
            self.clock.at(self.clock.now + self.scenario.latency, self.tell_tracker, word)
            return
        way = machine.ways.get(effect.peer)
        if way is None:
            return
        if isinstance(effect, events.StartSend):
            self.tally.streams += 1
            self.transport.start(way, effect.chunk, effect.block)
        elif isinstance(effect, events.StopSend):
            self.transport.stop(way, effect.chunk)
        elif isinstance(effect, events.DropPeer):
            self.dropped.append((machine.name, effect.peer, effect.reason))
            self._links.ban(machine, effect.peer)

    def _frame_waits(self, way: Way, frame: Frame) -> None:
        machine, clock = way.receiver, self.clock
        machine.busy_until = max(machine.busy_until, clock.now) + self.scenario.cpu_per_message
        clock.at(machine.busy_until, self._frame, way, frame)

    def _frame(self, way: Way, frame: Frame) -> None:
        if way.is_open:
            self.feed(way.receiver, events.FrameReceived(way.sender.name, frame))

    def _timer(self, machine: Machine, at: float) -> None:
        if machine.timer_at != at:
            return
        machine.timer_at = NEVER
        if machine.alive:
            self.feed(machine, events.TimerFired())


def _shape(scenario: Scenario) -> Shape:
    shape = shape_of(scenario.topology, scenario.chunk_size)
    if scenario.slots is not None:
        shape = shape._replace(slots=scenario.slots * shape.bundle)
    if scenario.credit is not None:
        shape = shape._replace(credit=scenario.credit * shape.bundle)
    return shape
