"""How far a fleet is, moment by moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleetpush.sim.machine import Machine
    from fleetpush.sim.scenario import HostDraw, Scenario

FINENESS = 200
"""Samples in F/B, at first."""

MOST = 2 * FINENESS
"""A run that takes many times F/B is sampled less often, not more."""


class Point(NamedTuple):
    """At ``at`` virtual seconds, of the hosts that live to the end: shares from 0 to 1."""

    at: float
    delivered: float
    """Of all chunks of all hosts."""
    complete: float
    """Of the hosts."""
    median: float
    """Of the chunks, at the median host."""
    slowest: float


class Curve:
    """``watch``, if set, is called with each point."""

    def __init__(
        self, scenario: Scenario, drawn: list[HostDraw], machines: dict[str, Machine]
    ) -> None:
        self.points: list[Point] = []
        self.interval = scenario.copy_time / FINENESS
        self.watch: Callable[[Point], None] | None = None
        self._chunks = scenario.chunks
        self._names = [host.name for host in drawn if host.dies_at is None]
        self._machines = machines

    def take(self, now: float) -> None:
        """A sample."""
        machines, chunks = self._machines, self._chunks
        had = sorted(
            machines[name].peer.have.bit_count() if name in machines else 0 for name in self._names
        )
        hosts = len(had)
        point = Point(
            at=now,
            delivered=sum(had) / (hosts * chunks),
            complete=had.count(chunks) / hosts,
            median=had[hosts // 2] / chunks,
            slowest=had[0] / chunks,
        )
        self.points.append(point)
        if len(self.points) > MOST:
            del self.points[1::2]
            self.interval *= 2
        if self.watch is not None:
            self.watch(point)
