"""What a run looks like right now, folded from its events; the printers only read it.

An event costs a constant time. Times in seconds from the run's start, sizes in bytes.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from fleetpush.deploy.progress import (
    ActivationDecided,
    HostFinished,
    HostPhase,
    HostPhaseChanged,
    HostProgress,
    Notice,
    RunFinished,
    RunStarted,
    SourceHashing,
    SourceReady,
)
from fleetpush.deploy.results import HostStatus
from fleetpush.report.failures import FailureGroups
from fleetpush.report.quantities import hosts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleetpush.deploy.progress import Event
    from fleetpush.deploy.results import RunReport

STALLED_AFTER = 10.0
"""Seconds without a new byte after which a receiving host is shown as stalled."""

_BEFORE_EXCHANGE = (
    HostPhase.WAITING,
    HostPhase.CONNECTING,
    HostPhase.BOOTSTRAPPING,
    HostPhase.SCANNING,
)


class RunPhase(StrEnum):
    """Where the run as a whole is, in the order it gets there."""

    STARTING = "starting"
    HASHING = "hashing the source"
    CONNECTING = "connecting"
    RECEIVING = "receiving"
    VERIFYING = "verifying"
    LEAVING = "leaving"
    DONE = "done"

    @property
    def rank(self) -> int:
        return _RANKS[self]


_RANKS = {phase: rank for rank, phase in enumerate(RunPhase)}


@dataclass(slots=True)
class HostView:
    """One host as it stands. ``moved_at``: when its bytes last grew or its phase changed."""

    name: str
    phase: HostPhase = HostPhase.WAITING
    status: HostStatus | None = None
    bytes_done: int = 0
    bytes_reused: int = 0
    bytes_total: int = 0
    rate_in: float = 0.0
    rate_out: float = 0.0
    reason: str = ""
    moved_at: float = 0.0
    first_at: float | None = None
    first_bytes: int = 0
    slug: str = ""
    message: str = ""

    @property
    def lost(self) -> bool:
        return self.status is not None and not self.status.good

    @property
    def fraction(self) -> float:
        """Of the content that it has, 0 to 1."""
        return min(1.0, self.bytes_done / self.bytes_total) if self.bytes_total else 0.0

    def time_left(self, now: float) -> float | None:
        """Seconds to its last byte at the better of its present and its average rate; None if unknown.

        The better one, so that a host that pauses for a moment does not foretell hours.
        """
        if self.status is not None or self.first_at is None or self.stalled(now):
            return None
        elapsed = max(now - self.first_at, 1e-3)
        rate = max(self.rate_in, (self.bytes_done - self.first_bytes) / elapsed)
        return (self.bytes_total - self.bytes_done) / rate if rate > 1.0 else None

    def stalled(self, now: float) -> bool:
        receiving = self.status is None and self.phase is HostPhase.EXCHANGING
        return receiving and now - self.moved_at >= STALLED_AFTER


def switching(names: Sequence[str]) -> str:
    """What is about to happen to these hosts."""
    return f"switching {hosts(len(names))} together"


class RunState:
    """Folds events. Events about hosts that the run did not start with are left out."""

    def __init__(self) -> None:
        self.started: RunStarted | None = None
        self.source: SourceReady | None = None
        self.hashing: SourceHashing | None = None
        self.report: RunReport | None = None
        self.hosts: dict[str, HostView] = {}
        self.phases: Counter[HostPhase] = Counter()
        self.statuses: Counter[HostStatus] = Counter()
        self.failures = FailureGroups()
        self.notices: deque[Notice] = deque(maxlen=8)
        self.bytes_done = 0
        self.bytes_reused = 0
        """What of it need not be sent: hosts held it before."""
        self.rate = 0.0
        self.at = 0.0
        self._exchange_seen = False

    def fold(self, event: Event) -> None:
        """Takes one event, in the order they happened."""
        self.at = max(self.at, event.at)
        match event:
            case HostProgress():
                self._progress(event)
            case HostPhaseChanged():
                self._phase_changed(event)
            case HostFinished():
                self._finished(event)
            case RunStarted():
                self._run_started(event)
            case SourceHashing():
                self.hashing = event
            case SourceReady():
                self.source = event
            case Notice():
                self.notices.append(event)
            case ActivationDecided(at, names):
                self.notices.append(Notice(at, "info", switching(names)))
            case RunFinished():
                self.report = event.report

    def _run_started(self, event: RunStarted) -> None:
        self.started = event
        self.hosts = {name: HostView(name, moved_at=event.at) for name in event.hosts}
        self.phases = Counter({HostPhase.WAITING: len(self.hosts)})

    def _enter(self, host: HostView, phase: HostPhase, at: float) -> None:
        self.phases[host.phase] -= 1
        self.phases[phase] += 1
        host.phase = phase
        host.moved_at = at
        self._exchange_seen = self._exchange_seen or phase is HostPhase.EXCHANGING

    def _phase_changed(self, event: HostPhaseChanged) -> None:
        host = self.hosts.get(event.host)
        if host is not None and host.status is None:
            self._enter(host, event.phase, event.at)

    def _progress(self, event: HostProgress) -> None:
        host = self.hosts.get(event.host)
        if host is None or host.status is not None:
            return
        if host.first_at is None:
            host.first_at, host.first_bytes = event.at, event.bytes_done
        if event.bytes_done > host.bytes_done:
            host.moved_at = event.at
        self.bytes_done += event.bytes_done - host.bytes_done
        self.rate += event.rate_in - host.rate_in
        host.bytes_done, host.bytes_total = event.bytes_done, event.bytes_total
        host.rate_in, host.rate_out, host.reason = event.rate_in, event.rate_out, event.reason
        self.bytes_reused += event.bytes_reused - host.bytes_reused
        host.bytes_reused = event.bytes_reused

    def _finished(self, event: HostFinished) -> None:
        host = self.hosts.get(event.host)
        if host is None or host.status is not None:
            return
        self._enter(host, HostPhase.DONE, event.at)
        host.status, host.slug, host.message = event.status, event.slug, event.message
        self.statuses[event.status] += 1
        self.rate -= host.rate_in
        host.rate_in = host.rate_out = 0.0
        if host.lost:
            # What a lost host had no longer counts towards what the others still need.
            self.bytes_done -= host.bytes_done
            self.bytes_reused -= host.bytes_reused
            unreachable = event.status is HostStatus.UNREACHABLE
            self.failures.add(event.host, event.slug, event.message, unreachable=unreachable)
        elif self.source is not None:
            self.bytes_done += self.source.size - host.bytes_done
            host.bytes_done = host.bytes_total = self.source.size

    @property
    def lost(self) -> int:
        """Hosts that failed or were never reached."""
        return self.statuses[HostStatus.FAILED] + self.statuses[HostStatus.UNREACHABLE]

    @property
    def good(self) -> int:
        """Hosts that have proved the content."""
        return self.statuses[HostStatus.VERIFIED] + self.statuses[HostStatus.ALREADY_PRESENT]

    @property
    def bytes_total(self) -> int:
        """What all hosts that are not lost must have in the end; 0 until the source is known."""
        return self.source.size * (len(self.hosts) - self.lost) if self.source else 0

    def time_left(self, now: float) -> float | None:
        """Seconds until the last host that moves has its last byte; None while nothing moves."""
        left = self.bytes_total - self.bytes_done
        if left <= 0 or self.rate <= 1.0:
            return None
        slowest = max((h.time_left(now) or 0.0 for h in self.hosts.values()), default=0.0)
        return max(left / self.rate, slowest)

    def unfinished(self) -> list[str]:
        """The hosts that the run still waits for."""
        return [name for name, host in self.hosts.items() if host.status is None]

    @property
    def phase(self) -> RunPhase:
        if self.report is not None:
            return RunPhase.DONE
        before = sum(self.phases[phase] for phase in _BEFORE_EXCHANGE)
        if self.phases[HostPhase.EXCHANGING] or (before and self._exchange_seen):
            return RunPhase.RECEIVING
        if self.hashing is not None and self.source is None:
            return RunPhase.HASHING
        if before:
            idle = self.phases[HostPhase.WAITING] == len(self.hosts)
            return RunPhase.STARTING if idle else RunPhase.CONNECTING
        if self.phases[HostPhase.DONE] < len(self.hosts):
            return RunPhase.VERIFYING
        return RunPhase.LEAVING if self.hosts else RunPhase.STARTING
