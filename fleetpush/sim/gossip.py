"""Peers that find each other by gossip, in virtual time.

The run hands every host that arrives its contacts, and does nothing else. Gossip goes over the links by which
peers trade, and some of it gets lost if the scenario says so.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING

from fleetpush.sim.fleet import ORIGIN, Fleet
from fleetpush.swarm import contact, events, gossip, tracker, wire
from fleetpush.swarm.gossip import Gossip
from fleetpush.swarm.plan.contacts import Contacts
from fleetpush.swarm.seat import NOWHERE, Seat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleetpush.sim.machine import Machine, Way
    from fleetpush.sim.scenario import HostDraw, Scenario
    from fleetpush.swarm.wire import Frame

_EDGE = events.Edge()


class GossipFleet(Fleet):
    """All machines of ``scenario``, each with its own table of the others."""

    def __init__(self, scenario: Scenario) -> None:
        self.talkers: dict[str, Gossip] = {}
        self._contacts = Contacts(ORIGIN, Random(f"contacts of {scenario.seed}"))
        self._losses = Random(f"losses of {scenario.seed}")
        super().__init__(scenario)
        self._seats = _seats(self.drawn)

    # -- coming and going

    def _joins(self, drawn: HostDraw | None, _: object = None) -> None:
        machine = self._machine(drawn)
        name = machine.name
        self.machines[name] = machine
        self.talkers[name] = Gossip(
            name,
            name,
            machine.peer,
            Random(self._rng.getrandbits(64)),
            origin=ORIGIN,
            chunks=self.scenario.chunks,
            peers=self.scenario.hosts + 1,
            seat=self._seats[name] if drawn and len(self.racks) > 1 else NOWHERE,
        )
        self.clock.at(self.clock.now + gossip.PERIOD * self._rng.random(), self._talk, machine)
        if drawn is None:
            return
        there = self.clock.now + self.scenario.latency
        for other in self._contacts.join(name):
            # Who is called hears of it first, as an agent's answer to the run takes its time, too.
            self.clock.at(there, self._hand, self.machines[other], (name, False))
            self.clock.at(there, self._hand, machine, (other, True))

    def _hand(self, machine: Machine, named: tuple[str, bool]) -> None:
        other, dial = named
        if machine.alive:
            self._advise(machine, contact.Contact(other, other, dial))

    def _tick(self, *_: object) -> None:
        """There is no tracker."""

    def tell_tracker(self, event: tracker.Event, _: object = None) -> None:
        """The run only watches; what is of dials is for the peer itself."""
        if isinstance(event, tracker.DialFailed):
            machine = self.machines[event.peer]
            if machine.alive:
                self._advise(machine, contact.DialFailed(event.other))
        elif isinstance(event, tracker.Finished):
            self.tracker_told += 1
        elif isinstance(event, tracker.Left):
            self.tracker_told += 1
            self._contacts.leave(event.peer)

    def admits(self, machine: Machine, caller: str) -> events.Edge | None:
        return _EDGE if self.talkers[machine.name].admitted(caller) else None

    # -- gossip

    def feed(self, machine: Machine, event: events.Event) -> None:
        super().feed(machine, event)
        if isinstance(event, (events.LinkUp, events.LinkDown)):
            self._advise(machine, event)

    def _frame(self, way: Way, frame: Frame) -> None:
        if not isinstance(frame, wire.Gossip):
            super()._frame(way, frame)
        elif way.is_open and self._losses.random() >= self.scenario.loss:
            self._advise(way.receiver, events.FrameReceived(way.sender.name, frame))

    def _perform(self, machine: Machine, effect: events.Effect) -> None:
        super()._perform(machine, effect)
        if isinstance(effect, events.DropPeer):
            self._advise(machine, contact.Barred(effect.peer))

    def _talk(self, machine: Machine, _: object = None) -> None:
        """Its moment has come."""
        if machine.alive:
            self._advise(machine, events.TimerFired())
            self.clock.at(self.talkers[machine.name].wakeup, self._talk, machine)

    def _advise(self, machine: Machine, event: gossip.Event) -> None:
        """Tells its table what happened and performs what it asks for."""
        self.told += 1
        now = self.clock.now
        for effect in self.talkers[machine.name].handle(event, now):
            if isinstance(effect, events.Send):
                way = machine.ways.get(effect.peer)
                if way is not None:
                    self.tally.add(effect.frame)
                    self.clock.at(now + way.latency, self._take_frame, way, effect.frame)
            elif isinstance(effect, contact.Open):
                self._links.introduce(machine, effect.peer, _EDGE, dial=True)
            elif isinstance(effect, contact.Close):
                self._links.part(machine, effect.peer)
            elif isinstance(effect, contact.Flow):
                self.feed(machine, events.EdgeChanged(effect.peer, effect.edge))
            elif isinstance(effect, events.DropPeer):
                self.dropped.append((machine.name, effect.peer, effect.reason))
                self._links.ban(machine, effect.peer)


def _seats(drawn: Sequence[HostDraw]) -> dict[str, Seat]:
    """Of all hosts, by name."""
    size = Counter(host.rack for host in drawn)
    taken: Counter[int] = Counter()
    seats = {}
    for host in drawn:
        seats[host.name] = Seat(host.rack + 1, taken[host.rack], size[host.rack])
        taken[host.rack] += 1
    return seats
