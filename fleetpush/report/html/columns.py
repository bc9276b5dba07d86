"""What every host was doing in each of a fixed number of moments: what all pictures of a run are made of."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING

from fleetpush.deploy.progress import HostPhase
from fleetpush.deploy.results import HostStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fleetpush.deploy.history.course import Course, HostCourse

COLUMNS = 240
LEVELS = 10
"""Steps in which a receiving host's progress is told apart."""


class State(IntEnum):
    """Where hosts share a place, the greatest is shown."""

    DONE = 0
    VERIFYING = 1
    RECEIVING = 2
    PREPARING = 3
    CONNECTING = 4
    WAITING = 5
    UNREACHABLE = 6
    FAILED = 7


_BY_PHASE = {
    HostPhase.WAITING: State.WAITING,
    HostPhase.CONNECTING: State.CONNECTING,
    HostPhase.BOOTSTRAPPING: State.PREPARING,
    HostPhase.SCANNING: State.PREPARING,
    HostPhase.EXCHANGING: State.RECEIVING,
    HostPhase.VERIFYING: State.VERIFYING,
    HostPhase.DONE: State.VERIFYING,
}
_BY_STATUS = {
    HostStatus.VERIFIED: State.DONE,
    HostStatus.ALREADY_PRESENT: State.DONE,
    HostStatus.FAILED: State.FAILED,
    HostStatus.UNREACHABLE: State.UNREACHABLE,
}


@dataclass(frozen=True, slots=True)
class HostColumns:
    """One host. ``fractions``: of the content that it had verified, 0 to 1; ``reused`` before the run."""

    host: HostCourse
    reused: float
    states: Sequence[State]
    fractions: Sequence[float]


class Columns:
    """``times`` are the columns' moments, in seconds from the run's start; the last is ``end``, a little
    after the last that happened to a host."""

    def __init__(self, course: Course, reused: Mapping[str, int]) -> None:
        """``reused``: bytes that hosts held when the run began."""
        self.size = course.source.size if course.source else 0
        self.end = _last(course) * 1.02
        self.times = [self.end * (column + 1) / COLUMNS for column in range(COLUMNS)]
        self.hosts = [
            self._host(host, min(reused.get(host.name, 0), self.size))
            for host in course.hosts.values()
        ]

    def _host(self, host: HostCourse, reused: int) -> HostColumns:
        entered = [at for at, _ in host.phases]
        states = [self._state(host, entered, at) for at in self.times]
        fractions = self._fractions(host, reused)
        return HostColumns(host, reused / self.size if self.size else 0.0, states, fractions)

    def _state(self, host: HostCourse, entered: list[float], at: float) -> State:
        if host.status is not None and host.ended is not None and host.ended <= at:
            return _BY_STATUS[host.status]
        seen = bisect_right(entered, at)
        return _BY_PHASE[host.phases[seen - 1][1]] if seen else State.WAITING

    def _fractions(self, host: HostCourse, reused: int) -> list[float]:
        if host.status is HostStatus.ALREADY_PRESENT and host.ended is not None:
            return [1.0 if host.ended <= at else 0.0 for at in self.times]
        points = _growth(host, reused, self.size)
        if not points or not self.size:
            return [0.0] * COLUMNS
        at_point = [at for at, _ in points]
        return [_between(points, bisect_right(at_point, at), at) / self.size for at in self.times]

    @cached_property
    def counts(self) -> list[list[int]]:
        """For each column how many hosts were in each state."""
        found = [[0] * len(State) for _ in range(COLUMNS)]
        for host in self.hosts:
            for column, state in enumerate(host.states):
                found[column][state] += 1
        return found

    @cached_property
    def bytes_done(self) -> list[float]:
        """What all hosts together had, what some had from the beginning included."""
        sums = [0.0] * COLUMNS
        for host in self.hosts:
            for column, fraction in enumerate(host.fractions):
                sums[column] += fraction
        return [total * self.size for total in sums]

    @cached_property
    def rates(self) -> list[float]:
        """Bytes a second that arrived at all hosts together, between each column and the one before."""
        moved = [0.0] * COLUMNS
        for host in self.hosts:
            if host.host.status is HostStatus.ALREADY_PRESENT:
                continue
            before = host.reused
            for column, fraction in enumerate(host.fractions):
                moved[column] += max(0.0, fraction - before)
                before = max(before, fraction)
        step = self.end / COLUMNS
        return [fraction * self.size / step if step else 0.0 for fraction in moved]


def _last(course: Course) -> float:
    """The last that happened to a host."""
    last = max((host.ended or 0.0 for host in course.hosts.values()), default=0.0)
    points = course.done.points()
    return max(last, points[-1][0] if points else 0.0) or course.at


def _growth(host: HostCourse, reused: int, size: int) -> list[tuple[float, float]]:
    """Its progress, from what it held when it began to receive to all when it had all."""
    points = host.done.points()
    began = next((at for at, phase in host.phases if phase is HostPhase.EXCHANGING), None)
    if began is not None and (not points or began < points[0][0]):
        points.insert(0, (began, float(reused)))
    if host.status is not None and host.status.good and points:
        whole = next((at for at, phase in host.phases if phase is HostPhase.VERIFYING), host.ended)
        points = [point for point in points if point[0] < (whole or 0.0)]
        points.append((whole or 0.0, float(size)))
    return points


def _between(points: list[tuple[float, float]], after: int, at: float) -> float:
    """The value at ``at``; ``after`` is the first point behind it."""
    if after == 0:
        return 0.0
    if after == len(points):
        return points[-1][1]
    (t0, v0), (t1, v1) = points[after - 1], points[after]
    return v0 + (v1 - v0) * (at - t0) / (t1 - t0) if t1 > t0 else v1
