"""Peers that hold a certificate of the run and mean harm, for the swarm in virtual time."""

from __future__ import annotations

import random
from functools import partial

from fleetpush.swarm import bitfield, events, wire
from fleetpush.swarm.events import FrameReceived, LinkUp, Send, TimerFired
from tests.swarm import network
from tests.swarm.network import Network
from tests.swarm.parts import RUN

EVERY = 0.05
"""Seconds between the turns of one that acts of its own accord."""


class Rogue:
    """In the place of a peer. ``claims``: what it says it has; takes and gives nothing that is real."""

    complete = True
    wakeup: float | None = None

    def __init__(self, manifest, claims: int = 0) -> None:
        self.manifest = manifest
        self.have = claims
        self.rng = random.Random(1)
        self.met: set[str] = set()
        self.state = self
        self.neighbours: dict = {}

    def handle(self, event, now: float) -> list:
        if isinstance(event, LinkUp):
            hello = wire.Hello(wire.VERSION, RUN, self.manifest.digest)
            claims = wire.Bitfield(bitfield.to_bytes(self.have, self.manifest.chunks))
            return [Send(event.peer, hello), Send(event.peer, claims)]
        if isinstance(event, events.LinkDown):
            self.met.discard(event.peer)
        if isinstance(event, TimerFired):
            self.wakeup = now + EVERY
            return [effect for peer in sorted(self.met) for effect in self.turn(peer, now)]
        if isinstance(event, FrameReceived):
            if isinstance(event.frame, wire.Bitfield):
                self.met.add(event.peer)
                if self.wakeup is None:
                    self.wakeup = now + EVERY
                return self.turn(event.peer, now)
            return self.answer(event.peer, event.frame)
        return []

    def turn(self, peer: str, now: float) -> list:
        return []

    def answer(self, peer: str, frame) -> list:
        return []

    def expects(self, peer: str, chunk: int) -> bool:
        return False

    asked = expects

    def check_invariants(self) -> None:
        """It keeps no promise, to itself either."""


class EmptyOffers(Rogue):
    """Offers all the time and sends nothing."""

    def turn(self, peer: str, now: float) -> list:
        chunks = self.rng.sample(range(self.manifest.chunks), 8)
        blocks = self.manifest.blocks_in(0)
        others = tuple((chunk, blocks) for chunk in chunks[1:])
        return [Send(peer, wire.Offer(chunks[0], blocks, others, 8))]


class EmptyHaves(Rogue):
    """Says that it has everything, and serves nobody."""


class Hoarder(Rogue):
    """Takes whatever it is offered, and reads nothing of it."""

    def answer(self, peer: str, frame) -> list:
        if isinstance(frame, wire.Offer):
            return [Send(peer, wire.Accept(frame.chunk, 0))]
        return []


class Waverer(Rogue):
    """Declines just before it would count as stuck, and asks anew."""

    def __init__(self, manifest, claims: int = 0) -> None:
        super().__init__(manifest, claims)
        self.owed: dict[str, tuple[float, int]] = {}

    def answer(self, peer: str, frame) -> list:
        if isinstance(frame, wire.Offer):
            self.owed[peer] = (-1.0, frame.chunk)
        return []

    def turn(self, peer: str, now: float) -> list:
        since, chunk = self.owed.get(peer, (0.0, -1))
        if chunk < 0:
            return []
        if since < 0:
            self.owed[peer] = (now, chunk)
            return []
        if now - since < 1.8:
            return []
        del self.owed[peer]
        return [Send(peer, wire.Decline(chunk, wire.INFLIGHT)), Send(peer, wire.Credit())]


class Flood(Rogue):
    """Sends frames as fast as the line takes them."""

    def turn(self, peer: str, now: float) -> list:
        return [Send(peer, wire.Want(self.rng.randrange(self.manifest.chunks), 0))] * 400


class WrongBytes(Rogue):
    """Streams what is asked of it, and not one byte of it is right."""

    def __init__(self, manifest, claims: int = 0) -> None:
        super().__init__(manifest, claims)
        self.begun: set[tuple[str, int]] = set()

    def turn(self, peer: str, now: float) -> list:
        return EmptyOffers.turn(self, peer, now)

    def answer(self, peer: str, frame) -> list:
        if isinstance(frame, (wire.Accept, wire.Want)) and (peer, frame.chunk) not in self.begun:
            self.begun.add((peer, frame.chunk))
            return [events.StartSend(peer, frame.chunk, frame.block, frame.skip)]
        return []


class Drip(Rogue):
    """Says that it has everything, and sends to everybody of as many chunks as are taken from it: what is
    right, block by block, each just before its stream would count as stalled."""

    pause = 0.55
    at_once = 8

    def __init__(self, manifest, claims: int = 0) -> None:
        super().__init__(manifest, claims)
        self.due: dict[tuple[str, int], tuple[float, int]] = {}
        """By peer and chunk: when the next block goes out, and which."""
        self.sent = 0

    def offer(self, peer: str) -> list:
        chunks = self.rng.sample(range(self.manifest.chunks), self.at_once)
        others = tuple((chunk, self.manifest.blocks_in(chunk)) for chunk in chunks[1:])
        blocks = self.manifest.blocks_in(chunks[0])
        return [Send(peer, wire.Offer(chunks[0], blocks, others, self.at_once))]

    def answer(self, peer: str, frame) -> list:
        if isinstance(frame, (wire.Accept, wire.Want)):
            self.due.setdefault((peer, frame.chunk), (0.0, frame.block))
        elif isinstance(frame, wire.Cancel):
            self.due.pop((peer, frame.chunk), None)
        return []

    def turn(self, peer: str, now: float) -> list:
        for (other, chunk), (at, block) in list(self.due.items()):
            if other == peer and now >= at:
                self.drip(peer, chunk, block)
                self.sent += 1
                if block + 1 < self.manifest.blocks_in(chunk):
                    self.due[other, chunk] = now + self.pause, block + 1
                else:
                    del self.due[other, chunk]
        open_streams = sum(other == peer for other, _ in self.due)
        return self.offer(peer) if open_streams < self.at_once else []


class LoneDrip(Drip):
    """The same with one stream a neighbour, so that nothing else tells that it is slow."""

    at_once = 1


class Trickle(Drip):
    """A block now and then, a few bytes a second: too slow to ever end."""

    pause = 10.0


class Sipper(Rogue):
    """Takes whatever it is offered, and reads a block of it now and then."""

    def answer(self, peer: str, frame) -> list:
        return Hoarder.answer(self, peer, frame)


class Hostile(Network):
    """Hosts whose names are in ``rogues`` are what those make of them."""

    def __init__(self, rogues: dict[str, type[Rogue]], chunks: int, **how) -> None:
        super().__init__("mesh", chunks, check_every=97, **how)
        self._rogues = rogues

    def join(self, name: str, **how) -> None:
        super().join(name, **how)
        kind = self._rogues.get(name)
        if kind is None:
            return
        host = self.hosts[name]
        takes = kind in (Hoarder, Waverer, Sipper)
        host.peer = kind(self.manifest, 0 if takes else bitfield.full(self.manifest.chunks))
        host.corrupts = True
        if kind is Hoarder:
            host.slowness = 1e9  # what is sent to it stays on the way
        elif kind is Sipper:
            host.slowness = 0.5 / network.BLOCK_TIME
        elif issubclass(kind, Drip):
            host.peer.drip = partial(self._drip, host)
        for chunk in range(self.manifest.chunks):
            host.store._blocks[chunk] = self.manifest.blocks_in(chunk)

    def _drip(self, host, other: str, chunk: int, block: int) -> None:
        """A block goes from ``host`` to ``other``, past the streams."""
        link = host.sessions[other].link
        if link is not None:
            link.ways[host.name].under_way += 1
            self._carry(host, other, link, 0.0, self._block_in, chunk, block, False)

    def makespan(self) -> float:
        """Seconds until the last honest host had everything."""
        others = [h for h in self.hosts.values() if h.name not in (*self._rogues, "origin")]
        return max(h.completed_at for h in others)
