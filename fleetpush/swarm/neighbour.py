"""What a peer knows of one neighbour, and of its neighbourhood as a whole."""

from __future__ import annotations

from fleetpush.swarm import bitfield

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetpush.swarm.events import Edge


class Neighbour:
    """Masks are sets of chunks (see ``bitfield``)."""

    __slots__ = (
        "asked", "brings", "broken", "count", "credit", "distrusted_until", "edge", "ending", "flooded",
        "flow", "frames", "front", "frugal", "gave", "greeted", "has", "held", "id", "local", "met",
        "moved_at", "offered", "offered_at", "pace", "refused", "route", "sending", "sent", "since",
        "started", "stuck", "told", "took",
    )  # fmt: skip

    def __init__(self, peer: str, edge: Edge, chunks: int, now: float = 0.0) -> None:
        self.id = peer
        self.since = now
        """When its link came up."""
        self.flooded = False
        self.frames = 0
        """How many frames came by it."""
        self.met = False
        """Its hello came."""
        self.greeted = False
        """Its hello and its bitfield came: it takes part."""
        self.frugal = False
        self.has = 0
        self.count = 0
        """How many chunks it has; kept beside ``has`` because it is read for every offer."""
        self.told = 0
        """What it was told that we have."""
        self.refused = 0
        """Declined as in flight: not offered again until it gives credit."""
        self.credit = True
        self.offered = 0
        """What the offer that it has not answered names."""
        self.offered_at: float | None = None
        """When that went out, until the first word about it."""
        self.held = 0
        """How many of those it may still take; each holds an upload slot of ours."""
        self.asked = 0
        """What it took of an offer and has not accepted yet: it wants to see the leaves first."""
        self.sending = 0
        self.ending = 0
        """Sends whose last block is on its way out: they hold no slot any more."""
        self.sent = 0
        """What we streamed to it whole."""
        self.started: dict[int, float] = {}
        """When the streams of ``sending`` began, the oldest first."""
        self.gave = 0.0
        """Seconds that the last chunk from it took."""
        self.took = 0.0
        """Seconds that the last stream to it took."""
        self.moved_at = 0.0
        """When it last took something from us or answered."""
        self.broken = 0
        """Chunks in a row that it promised and another sent, while nothing came from it."""
        self.distrusted_until = 0.0
        """Nothing more is taken from it before."""
        self.stuck = False
        """It takes and answers nothing: its offers and streams hold no slot, and it gets no new ones."""
        self.set_edge(edge, chunks)

    def set_edge(self, edge: Edge, chunks: int) -> None:
        self.edge = edge
        self.local = edge.local
        self.flow = _striped(edge.send, edge.stripes, chunks)
        self.route = _striped(edge.route.down, edge.route.trees, chunks)
        """What it gets from us, as its parent, before anything else."""
        self.brings = _striped(edge.route.up, edge.route.trees, chunks)
        """What comes from it, our parent."""
        self.front = 0
        """The next chunk after the last that it promised us as such."""
        self.pace = 1.0
        """What share of its due it takes from us as our child, as far as that is known."""

    @property
    def taken(self) -> int:
        """Chunks that need no offer: it has them, gets them, or said no."""
        return self.has | self.refused | self.offered | self.asked | self.sending

    @property
    def busy(self) -> int:
        """How many upload slots of ours it holds."""
        # Asked, ending and sending: the first is none of the last, the second are all of them.
        count = self.held + len(self.started)
        if self.asked:
            count += bitfield.count(self.asked)
        return count - bitfield.count(self.ending) if self.ending else count

    def withdraw(self, mask: int) -> None:
        """``mask`` is not on offer to it any more."""
        self.asked &= ~mask
        self.offered &= ~mask
        self.held = min(self.held, bitfield.count(self.offered))

    def take(self, mask: int) -> None:
        """It takes ``mask``, one of the offer if it is on offer; the last that it may take closes that."""
        if self.offered & mask:
            self.offered &= ~mask
            self.held -= 1
            if not self.held:
                self.offered = 0

    def is_slow(self, limit: float, now: float) -> bool:
        """Whether its last stream took more than ``limit`` seconds, or one that is under way does."""
        return self.took > limit or self.is_late(limit, now)

    def is_late(self, limit: float, now: float) -> bool:
        """Whether a stream to it has been under way for more than ``limit`` seconds."""
        for oldest in self.started.values():
            return now - oldest > limit
        return False


def _striped(of: tuple[int, ...], stripes: int, chunks: int) -> int:
    if len(of) == stripes:
        return bitfield.full(chunks)
    return bitfield.of(chunk for first in of for chunk in range(first, chunks, stripes))


class Availability:
    """How many neighbours have each chunk.

    The counts of all chunks at once, a mask for each binary digit of them, lowest first (a bit-sliced, or
    vertical, counter): a neighbour's chunks are added and the rarest found in as many operations as the
    counts have digits, however many the chunks.
    """

    __slots__ = ("_digits",)

    def __init__(self) -> None:
        self._digits: list[int] = []

    def add(self, chunks: int) -> None:
        """One more neighbour has ``chunks``."""
        digits, carry = self._digits, chunks
        for place, digit in enumerate(digits):
            if not carry:
                return
            digits[place] = digit ^ carry
            carry &= digit
        if carry:
            digits.append(carry)

    def remove(self, chunks: int) -> None:
        """One neighbour fewer has ``chunks``; each of them had been added."""
        digits, borrow = self._digits, chunks
        for place, digit in enumerate(digits):
            if not borrow:
                return
            digits[place] = digit ^ borrow
            borrow &= ~digit

    def rarest(self, candidates: int) -> int:
        """Those of ``candidates`` that the fewest neighbours have."""
        for digit in reversed(self._digits):
            candidates = candidates & ~digit or candidates
        return candidates

    def count(self, chunk: int) -> int:
        return sum((digit >> chunk & 1) << place for place, digit in enumerate(self._digits))
