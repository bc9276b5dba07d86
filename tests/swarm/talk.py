"""Peers that only gossip, in virtual time: nothing is traded, chunks come by themselves.

What is said over a link may get lost, come twice or be overtaken. A broken link is noticed at both ends.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from itertools import count

from fleetpush.swarm import contact, events, gossip, wire
from fleetpush.swarm.plan.contacts import Contacts
from fleetpush.swarm.seat import NOWHERE, Seat

ORIGIN = "origin"
LATENCY = 0.001
DIALS = 0.75
"""Seconds until a dial is given up."""


class Store:
    """As much of a trading peer as gossip asks for."""

    def __init__(self, chunks: int, have: int) -> None:
        self.chunks = chunks
        self.have = have
        self.useful = lambda peer: 1

    @property
    def complete(self) -> bool:
        return self.have == (1 << self.chunks) - 1

    def lacks_of(self, peer: str) -> int:
        return self.useful(peer)

    def trades_with(self, peer: str) -> bool:
        return False


class Talk:
    """``hosts`` peers and the origin; ``join`` and ``run`` make it move. ``now`` is in seconds."""

    def __init__(
        self, hosts: int, *, chunks=20, seed=0, loss=0.0, twice=0.0, delay=0.0, racks=0
    ) -> None:
        self.now = 0.0
        self.rng = random.Random(seed)
        self.loss, self.twice, self.delay = loss, twice, delay
        self.limit, self.chunks, self.racks = hosts + 1, chunks, racks
        self.peers: dict[str, gossip.Gossip] = {}
        self.stores: dict[str, Store] = {}
        self.dead: set[str] = set()
        self.still: dict[str, list] = {}
        """Whose process stands still, and what it will find."""
        self.said: Counter[tuple[str, str]] = Counter()
        """Messages from one to another."""
        self.dropped: list[tuple[str, str]] = []
        self.links: set[tuple[str, str]] = set()
        """Who holds a link to whom: both directions of each."""
        self.flows: dict[tuple[str, str], events.Edge] = {}
        """What may go from one to another where it is not everything."""
        self._contacts = Contacts(ORIGIN, self.rng)
        self._ticket = count()
        self._heap: list = []
        for name in (ORIGIN, *(f"h{number}" for number in range(hosts))):
            self.join(name)

    def at(self, delay, call, *given) -> None:
        heapq.heappush(self._heap, (self.now + delay, next(self._ticket), call, given))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self._heap and self._heap[0][0] <= end:
            self.now, _, call, given = heapq.heappop(self._heap)
            call(*given)
        self.now = end
        for name in self.living:
            self.peers[name].check_invariants()

    @property
    def living(self) -> list[str]:
        return [name for name in self.peers if name not in self.dead]

    def join(self, name: str) -> None:
        store = self.stores[name] = Store(
            self.chunks, (1 << self.chunks) - 1 if name == ORIGIN else 0
        )
        self.peers[name] = gossip.Gossip(
            name,
            f"{name}:1",
            store,
            random.Random(self.rng.random()),
            origin=ORIGIN,
            chunks=self.chunks,
            peers=self.limit,
            seat=self.seat(name),
        )
        self.at(0.1 * self.rng.random(), self._tick, name)
        if name != ORIGIN:
            for other in self._contacts.join(name):
                self.feed(other, contact.Contact(name, f"{name}:1", dial=False))
                self.feed(name, contact.Contact(other, f"{other}:1", dial=True))

    def seat(self, name: str) -> Seat:
        """Racks take turns; the origin is in none."""
        if not self.racks or name == ORIGIN:
            return NOWHERE
        number = int(name[1:])
        return Seat(number % self.racks + 1, number // self.racks, (self.limit - 1) // self.racks)

    def die(self, name: str) -> None:
        self.dead.add(name)
        for other in self.neighbours(name):
            self._sever(name, other)

    def stall(self, name: str, seconds: float) -> None:
        """Its process stands still; what comes meanwhile it finds all at once."""
        if name not in self.still:
            self.still[name] = []
            self.at(seconds, self._goes_on, name)

    def _goes_on(self, name: str) -> None:
        for event in self.still.pop(name):
            self.feed(name, event)

    def neighbours(self, name: str) -> list[str]:
        return sorted(other for one, other in self.links if one == name)

    def say(self, sender: str, receiver: str, payload: bytes) -> None:
        """``payload`` is on the link, if it stands."""
        self.said[sender, receiver] += 1
        frame = events.FrameReceived(sender, wire.Gossip(payload))
        for _ in range(1 + (self.rng.random() < self.twice)):
            if (sender, receiver) in self.links and self.rng.random() >= self.loss:
                self.at(LATENCY + self.delay * self.rng.random(), self._arrive, receiver, frame)

    def feed(self, name: str, event: gossip.Event) -> None:
        if name in self.dead:
            return
        if name in self.still:
            self.still[name].append(event)
            return
        for effect in self.peers[name].handle(event, self.now):
            if isinstance(effect, events.Send):
                self.say(name, effect.peer, effect.frame.payload)
            elif isinstance(effect, contact.Flow):
                self.flows[name, effect.peer] = effect.edge
            elif isinstance(effect, contact.Open):
                self.at(4 * LATENCY, self._dialled, name, effect.peer, effect.address)
            else:
                if isinstance(effect, events.DropPeer):
                    self.dropped.append((name, effect.peer))
                self._sever(name, effect.peer)

    def _arrive(self, name: str, event: events.FrameReceived) -> None:
        if (name, event.peer) in self.links or name in self.still:
            self.feed(name, event)

    def _dialled(self, name: str, other: str, address: str) -> None:
        if (name, other) in self.links or name in self.dead:
            return
        there = self.peers.get(other)
        fine = there is not None and other not in self.dead and address == f"{other}:1"
        fine = fine and other not in self.still and name not in self.still
        if not fine or not there.admitted(name):
            self.at(DIALS, self.feed, name, contact.DialFailed(other))
            return
        self.links |= {(name, other), (other, name)}
        for one, its in ((name, other), (other, name)):
            self.feed(one, events.LinkUp(its, events.Edge()))

    def _sever(self, name: str, other: str) -> None:
        if (name, other) in self.links:
            self.links -= {(name, other), (other, name)}
            self.at(LATENCY, self.feed, other, events.LinkDown(name))
            self.feed(name, events.LinkDown(other))

    def _tick(self, name: str) -> None:
        if name in self.still:
            self.at(0.05, self._tick, name)
        elif name not in self.dead:
            self.feed(name, events.TimerFired())
            self.at(self.peers[name].wakeup - self.now, self._tick, name)

    # -- what the tables say

    def gain(self, name: str) -> None:
        """It has another chunk."""
        self.stores[name].have |= 1 << int(self.rng.random() * self.chunks)

    def unlike(self) -> list[tuple[str, str]]:
        """Of the living: who has not heard that whom lives, or not of all its chunks."""
        found = []
        for one in self.living:
            members = self.peers[one].members
            for other in self.living:
                member = members.get(other)
                good = member is not None and member.state == "alive"
                if one != other and not (good and member.has == self.stores[other].have):
                    found.append((one, other))
        return found

    def believed(self) -> list[tuple[str, str]]:
        """Who believes that whom lives that is dead."""
        return [
            (one, member.id)
            for one in self.living
            for member in self.peers[one].members
            if member.id not in self.living and member.state == "alive"
        ]
