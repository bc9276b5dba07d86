"""Keeps of a run what may tell in the end where its time went: a few numbers a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleetpush.deploy.diagnosis.evidence import Evidence, Passage, Sender
from fleetpush.deploy.member import ORIGIN
from fleetpush.deploy.progress import HostPhase

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fleetpush.deploy.member import Member
    from fleetpush.deploy.said import Spent


class _Growth:
    """A count of bytes that only grows, as it was heard of from time to time."""

    __slots__ = ("last_at", "pause", "pause_from", "total")

    def __init__(self) -> None:
        self.total = 0
        self.last_at = 0.0
        self.pause = self.pause_from = 0.0

    def take(self, total: int, at: float) -> None:
        if total <= self.total:
            return
        if self.total and at - self.last_at > self.pause:
            self.pause, self.pause_from = at - self.last_at, self.last_at
        self.total, self.last_at = total, at


class Witness:
    """Called for everything that agents say: each call costs a few comparisons."""

    def __init__(self) -> None:
        self._phases: dict[str, dict[HostPhase, float]] = {}
        self._received: dict[str, _Growth] = {}
        self._all_received = _Growth()
        self._sent = _Growth()
        self._sent_by: dict[str, int] = {}
        self._whole_at: float | None = None

    def entered(self, member: Member, at: float) -> None:
        """``member`` is in its phase since now."""
        self._phases.setdefault(member.peer, {}).setdefault(member.phase, at)

    def progressed(self, member: Member, at: float, size: int) -> None:
        """It told its counts. ``size`` of the content."""
        if member.is_origin:
            self._take_sent(member, at, size)
            return
        received = member.figures.content_in
        own = self._received.setdefault(member.peer, _Growth())
        more = received - own.total
        own.take(received, at)
        if more > 0:
            self._all_received.take(self._all_received.total + more, at)

    def _take_sent(self, member: Member, at: float, size: int) -> None:
        before, since = self._sent.total, self._sent.last_at
        self._sent_by[member.peer] = member.figures.content_out
        total = sum(self._sent_by.values())
        self._sent.take(total, at)
        if before < size <= total:
            # As if it had sent steadily since it last told of it.
            share = (size - before) / (total - before) if before else 1.0
            self._whole_at = since + share * (at - since) if before else at

    def best_rate(self, fresh: Iterable[Member], began: float, size: int) -> float:
        """Of ``fresh`` hosts, bytes a second from its first moment in the exchange to its last block; 0 where
        there is none to see it of. Of a run that is over at once this is all that there is."""
        passages = (self._passage(member, 0.0, size, 0.0) for member in fresh)
        return max((p.rate(began) or 0.0 for p in passages), default=0.0)

    def evidence(
        self,
        fresh: Iterable[Member],
        origins: Sequence[Member],
        *,
        began: float,
        makespan: float,
        bound: float,
        size: int,
        bwlimit: int | None,
        told_every: float,
    ) -> Evidence:
        """``told_every``: seconds between two words of an agent, which are no pause."""
        everyone = self._all_received
        return Evidence(
            began,
            makespan,
            bound,
            size,
            tuple(
                self._passage(member, member.verified_at, size, told_every)
                for member in fresh
                if member.verified_at is not None
            ),
            Sender(
                self._sent.total,
                self._whole_at,
                self._sent.last_at,
                _busiest(member.figures.spent for member in origins),
                hosts=tuple(m.name for m in origins if m.figures.sent and m.peer != ORIGIN),
                bwlimit=bwlimit,
            ),
            everyone.pause_from,
            max(0.0, everyone.pause - told_every),
        )

    def _passage(self, member: Member, verified: float, size: int, told_every: float) -> Passage:
        phases = self._phases.get(member.peer, {})
        received = self._received.get(member.peer)
        return Passage(
            member.name,
            member.rack,
            verified,
            max(0, size - member.figures.reused),
            calling=phases.get(HostPhase.CONNECTING),
            connected=member.connected_at,
            greeted=phases.get(HostPhase.SCANNING),
            ready=member.ready_at,
            joined=phases.get(HostPhase.EXCHANGING),
            complete=phases.get(HostPhase.VERIFYING),
            pause=max(0.0, received.pause - told_every) if received else 0.0,
            over_ssh=member.over_ssh,
            spent=member.figures.spent,
        )


def _busiest(spent: Iterable[Spent | None]) -> Spent | None:
    known = [each for each in spent if each is not None]
    return max(known, key=lambda each: each.ran + each.queued + each.held, default=None)
