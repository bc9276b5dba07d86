"""What a swarm in virtual time is made of: content, stores, links and hosts."""

import random
from collections import Counter, deque
from hashlib import sha256
from typing import TYPE_CHECKING

from fleetpush.swarm import events
from fleetpush.swarm.hand_out import HandOut
from fleetpush.swarm.manifest import BLOCK, File, Manifest
from fleetpush.swarm.peer import Peer
from fleetpush.swarm.picker import Push, Rarest
from fleetpush.swarm.plan import Shape

if TYPE_CHECKING:
    from fleetpush.net.outgoing import Outgoing

ORIGIN = "origin"
RUN = b"r" * 16


def manifest_of(chunks: int, blocks: int = 4) -> Manifest:
    """``chunks`` chunks of ``blocks`` blocks each, the last one shorter if it can be."""
    size = max(0, chunks * blocks * BLOCK - (BLOCK + 7 if blocks > 1 else 7)) if chunks else 0
    digests = [sha256(b"%d" % c).digest() for c in range(chunks)]
    return Manifest([File("f", size)], blocks * BLOCK, digests)


class Store:
    """Counts blocks instead of keeping them. ``old``: by chunk, the set of blocks of it that older content
    will turn out to hold."""

    def __init__(self, manifest: Manifest, have: int, old: dict[int, int] | None = None) -> None:
        self._manifest = manifest
        self._old = {c: held for c, held in (old or {}).items() if not have >> c & 1}
        self._unknown = set(self._old)
        self._blocks = [
            manifest.blocks_in(c) if have >> c & 1 else 0 for c in range(manifest.chunks)
        ]

    def progress(self, chunk: int) -> int:
        return self._blocks[chunk]

    def put(self, chunk: int, block: int) -> bool | None:
        """Whether ``chunk`` is whole now; None for a block that was not wanted."""
        if block != self._blocks[chunk]:
            return None
        self._blocks[chunk] += 1
        return self._step_over(chunk)

    def sifts(self, chunk: int) -> bool:
        return chunk in self._unknown

    def skips(self, chunk: int) -> int:
        if chunk in self._unknown:
            return 0
        return self._old.get(chunk, 0) >> self._blocks[chunk] << self._blocks[chunk]

    def learn(self, chunk: int) -> bool:
        """Its leaves came: whether it is whole now."""
        self._unknown.discard(chunk)
        return self._step_over(chunk)

    def _step_over(self, chunk: int) -> bool:
        while self._old.get(chunk, 0) >> self._blocks[chunk] & 1:
            self._blocks[chunk] += 1
        return self._blocks[chunk] == self._manifest.blocks_in(chunk)


class Way:
    """One direction of a link."""

    def __init__(self) -> None:
        self.streams: list[Outgoing] = []
        self.under_way = 0
        self.last_arrival = 0.0


class Link:
    """``ways[name]`` is the direction in which ``name`` sends."""

    def __init__(self, one: str, other: str) -> None:
        self.ways = {one: Way(), other: Way()}
        self.up = True


class Session:
    """What one host knows of an edge."""

    def __init__(self, edge: events.Edge) -> None:
        self.edge = edge
        self.dial = self.banned = self.relayed = False
        self.failures = 0
        self.link: Link | None = None


class Host:
    """A peer and what its driver keeps beside it."""

    def __init__(
        self,
        name: str,
        manifest: Manifest,
        shape: Shape,
        have: int,
        *,
        seed: object,
        share: int | None = None,
        old: dict[int, int] | None = None,
    ) -> None:
        origin = name.startswith(ORIGIN)
        self.name = name
        self.store = Store(manifest, have, old)
        policy = Push() if shape.push else Rarest()
        if origin and shape.frugal_origin:
            policy = HandOut(manifest.chunks, share)
        self.peer = Peer(
            manifest,
            RUN,
            policy,
            random.Random(f"{seed} {name}"),
            have=have,
            progress=self.store.progress,
            slots=shape.slots,
            bundle=shape.bundle,
            credit=shape.credit,
            frugal=origin and shape.frugal_origin,
            sifts=self.store.sifts,
            skips=self.store.skips,
        )
        self.sessions: dict[str, Session] = {}
        self.turn: deque[str] = deque()
        self.up_busy = False
        self.down_free = 0.0
        self.slowness = 1.0
        self.alive = True
        self.frozen: list | None = None
        """What waits until it thaws."""
        self.corrupts = False
        self.sent = 0
        self.received: Counter[tuple[int, int]] = Counter()
        self.timer_at: float | None = None
        self.completed_at: float | None = None
