"""The exit code of a run, and the best rate that was seen in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleetpush.deploy.results import HostResult, HostStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleetpush.errors import HostFailure

SOURCE_FAULTS = ("source_changed", "no_peer_port")
"""Failures of the origin's agent that the operator can mend."""

OK, INTERNAL, FAILED, UNREACHABLE, INPUT, THRESHOLD, DEADLINE = 0, 1, 3, 4, 5, 8, 124


def exit_code(
    results: Sequence[HostResult],
    *,
    interrupted: int | None,
    origin_failure: HostFailure | None,
    deadline_passed: bool,
    min_success: float | None,
    held_back: bool = False,
) -> int:
    """The first that matches wins: interruption, the origin, the deadline, the threshold, the hosts.

    ``min_success`` in per cent: met, the failures are only listed; missed, the run is stopped by it.
    ``held_back``: too few verified for any host to switch.
    """
    if interrupted is not None:
        return interrupted
    if origin_failure is not None:
        return INPUT if origin_failure.slug in SOURCE_FAULTS else INTERNAL
    if deadline_passed:
        return DEADLINE
    return _by_hosts(results, min_success, held_back=held_back)


def _by_hosts(results: Sequence[HostResult], min_success: float | None, *, held_back: bool) -> int:
    good = sum(1 for r in results if r.status.good)
    missed = min_success is not None and good * 100 < min_success * len(results)
    if held_back or missed:
        return THRESHOLD
    if min_success is not None:
        return OK
    if any(r.status is HostStatus.FAILED for r in results):
        return FAILED
    return OK if good == len(results) else UNREACHABLE


class RateGauge:
    """The best rate at which any single peer sent or received over at least ``WINDOW`` seconds: what one
    link of this fleet can do, where nobody declared it."""

    WINDOW = 0.5

    def __init__(self) -> None:
        self.best = 0.0
        self._since: dict[str, tuple[float, int]] = {}
        self._last: dict[str, float] = {}

    def add(self, peer: str, total: int, now: float) -> float:
        """``total`` bytes so far at ``now`` seconds; returns the rate of the last whole window.

        What a peer waits for its first byte is in no window.
        """
        if not total:
            return 0.0
        since, base = self._since.setdefault(peer, (now, total))
        if now - since < self.WINDOW:
            return self._last.get(peer, 0.0)
        self._since[peer] = (now, total)
        rate = self._last[peer] = (total - base) / (now - since)
        self.best = max(self.best, rate)
        return rate
