"""What the two halves of a peer share: chunks, neighbours, and the effects asked for so far."""

from __future__ import annotations

from math import inf

from fleetpush.swarm import bitfield, wire
from fleetpush.swarm.events import DropPeer, Send
from fleetpush.swarm.neighbour import Availability, Neighbour

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from fleetpush.swarm.events import Effect
    from fleetpush.swarm.picker import Rng
    from fleetpush.swarm.wire import Frame


class State:
    """``have`` and ``partial`` are sets of chunks; ``progress(chunk)`` counts its verified blocks."""

    def __init__(
        self,
        chunks: int,
        have: int,
        progress: Callable[[int], int],
        rng: Rng,
        *,
        slots: int,
        bundle: int,
        sifts: Callable[[int], bool],
        skips: Callable[[int], int],
        ahead: bool,
    ) -> None:
        self.chunks = chunks
        self.every = bitfield.full(chunks)
        self.have = have
        self.partial = 0
        """Chunks that are still arriving and have some blocks."""
        self.coming = 0
        """Chunks of which nothing is here yet, and which may be offered all the same."""
        self.strays = 0
        """Chunks that an origin gave us outside of their route: who is above us there has them from us."""
        self.slots = slots
        """u: uploads offered or under way at once."""
        self.bundle = bundle
        """How many of them may go to one neighbour on purpose."""
        self.late_after = inf
        """Seconds after which a stream of ours is late: several times what the last ones took."""
        self.progress = progress
        self.sifts = sifts
        self.skips = skips
        self.ahead = ahead
        """What is on its way here may be offered before any of it came."""
        self.rng = rng
        self.now = 0.0
        """When the event that is being handled happened."""
        self.availability = Availability()
        self.neighbours: dict[str, Neighbour] = {}
        self.children: list[Neighbour] = []
        self.parents: list[Neighbour] = []
        """Those of the neighbours with a route from us, and to us."""
        self.out: list[Effect] = []

    def find_routes(self) -> None:
        """The neighbours, or their edges, are others now."""
        around = self.neighbours.values()
        self.children = [n for n in around if n.route]
        self.parents = [n for n in around if n.brings]

    @property
    def mine(self) -> int:
        """What may be offered to somebody."""
        return self.have | self.partial | self.coming

    @property
    def complete(self) -> bool:
        return self.have == self.every

    def send(self, peer: str, frame: Frame) -> None:
        self.out.append(Send(peer, frame))

    def tell_news(self, n: Neighbour) -> None:
        """What we have got since ``n`` was told last. Beside another frame to it, this costs next to nothing
        and saves offers in vain."""
        news = self.have & ~n.told
        if news:
            n.told |= news
            for frame in wire.have_frames(list(bitfield.chunks(news))):
                self.out.append(Send(n.id, frame))

    def fault(self, n: Neighbour, reason: str) -> None:
        """``n`` broke the protocol."""
        self.out.append(DropPeer(n.id, reason))

    def now_has(self, n: Neighbour, mask: int) -> None:
        """``n`` has the chunks of ``mask``, too."""
        fresh = mask & ~n.has
        n.has |= fresh
        n.withdraw(fresh)
        n.count += bitfield.count(fresh)
        self.availability.add(fresh)

    def pick(self, mask: int) -> int:
        """A random one of the chunks in ``mask`` (not empty)."""
        return bitfield.from_rotation(mask, int(self.rng.random() * self.chunks))
