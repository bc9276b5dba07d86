"""Whether those that a peer has routes to and from keep up with it.

Who takes or gives less than it is due holds up everybody below it in that tree. A child is *behind* when it
has fallen so far behind what is here as a healthy one never does. If all children are, the line that feeds
them all may be to blame: this peer's own. A parent is, when it has much that another parent would have
brought by now.
"""

from __future__ import annotations

from fleetpush.swarm import bitfield
from fleetpush.swarm.events import Behind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetpush.swarm.state import State

LOOK_EVERY = 0.02
"""Seconds between two looks."""

CONFIRMED = 3
"""Who is behind, and still is when so many chunks more are here, is reported: machines schedule coarsely."""

AGAIN = 32
"""Chunks until the same child is reported again, if nothing was done about it."""

LEAST, SHARE = 3, 64
"""Chunks that a child may fall behind: one in so many of all, but not fewer than so many."""

SLOW, MUCH = 0.25, 2
"""Who takes more than this share of its due may be caught up in something that passes: it may fall behind so
many times as far."""

ENOUGH = 0.8
"""Who takes so much of its due has the rest at the end, when others are done."""

UNSAID = 4
"""So many times as many may have gone to a child that has not said it has them: HAVEs come in batches."""


class _Way:
    """To a child, or from a parent. ``behind``: by how many chunks it was at least, when ``at`` chunks were
    here. Who is new here may lack much."""

    __slots__ = ("at", "behind", "due")

    def __init__(self, behind: int, at: int) -> None:
        self.behind = behind
        self.at = at
        self.due: int | None = None
        """With how many chunks here it will be reported; None while it keeps up."""

    def pace(self, behind: int, here: int, most: int) -> float | None:
        """The share of its due that it carries, now that it is ``behind`` so many chunks of those ``here``;
        None if it keeps up."""
        if behind <= self.behind:
            self.behind, self.at = behind, here
        fell = behind - self.behind
        if fell <= most:
            return None
        pace = max(0.0, 1 - fell / max(1, here - self.at))
        return pace if pace <= SLOW or (fell > MUCH * most and pace < ENOUGH) else None

    def is_due(self, pace: float | None, here: int) -> bool:
        """Whether to report it now."""
        if pace is None:
            self.due = None
        elif self.due is None:
            self.due = here + CONFIRMED
        elif here >= self.due:
            self.due = here + AGAIN
            return True
        return False


class Lag:
    """Looks at all routes at once; cheap enough for the end of every stream."""

    def __init__(self) -> None:
        self._looked_at = 0.0
        self._down: dict[str, _Way] = {}
        self._up: dict[tuple[str, int], _Way] = {}
        """By parent, and what it is to bring."""

    def forget(self, peer: str) -> None:
        """It is no neighbour any more, or has another route."""
        self._down.pop(peer, None)
        self._up.clear()  # they are measured by each other

    def look(self, state: State) -> None:
        """Reports those that are behind."""
        if state.now - self._looked_at < LOOK_EVERY or not (state.children or state.parents):
            return
        self._looked_at = state.now
        most = max(LEAST, state.chunks // SHARE)
        self._look_down(state, most)
        if not state.complete:
            self._look_up(state, most)

    def _look_down(self, state: State, most: int) -> None:
        fed = [n for n in state.children if n.greeted]
        behind, due = {}, False
        for n in fed:
            here = bitfield.count(n.route & state.have)
            lacks = bitfield.count(n.route & state.have & ~(n.has | n.sent))
            way = self._down.setdefault(n.id, _Way(lacks, here))
            pace = way.pace(lacks, here, most)
            if bitfield.count(n.route & n.sent & ~n.has) > UNSAID * most:
                pace = 0.0
            n.pace = 1.0 if pace is None else pace
            if pace is not None:
                behind[n.id] = pace
            due = way.is_due(pace, here) or due
        if due:
            state.out.append(Behind(behind, all=len(behind) == len(fed)))

    def _look_up(self, state: State, most: int) -> None:
        """A parent that has much of what it is to bring, and brings less of it than another does."""
        parents = [n for n in state.parents if n.greeted]
        got = {n.id: bitfield.count(n.brings & state.have) for n in parents}
        here = max(got.values(), default=0)
        for n in parents:
            way = self._up.setdefault((n.id, n.brings), _Way(here - got[n.id], here))
            pace = way.pace(here - got[n.id], here, most)
            if bitfield.count(n.brings & n.has & ~state.have) <= most:
                pace = None  # it has not got more itself
            if way.is_due(pace, here) and pace is not None:
                state.out.append(Behind({n.id: pace}, all=False))
