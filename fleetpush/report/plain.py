"""Lines for logs, CI and cron: each with its time, none that needs a terminal.

Driven by events alone: a summary comes with the first event that is five seconds after the last line.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from fleetpush.deploy.progress import (
    ActivationDecided,
    HostFinished,
    Notice,
    RunFinished,
    RunStarted,
    SourceReady,
)
from fleetpush.deploy.results import HostStatus
from fleetpush.inventory.nodeset import fold
from fleetpush.report.exit_status import meaning
from fleetpush.report.printer import Lines, Stream
from fleetpush.report.quantities import duration, hosts, percent, rate, size
from fleetpush.report.sanitise import clean
from fleetpush.report.state import RunPhase, RunState, switching

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleetpush.deploy.progress import Event
    from fleetpush.deploy.results import RunReport

SUMMARY_EVERY = 5.0
"""Seconds between summary lines."""

WAITED_FOR_SHOWN = 10
"""Once no more hosts than these are left, a summary names them."""

ALIKE_SHOWN = 10
"""Failures of one slug that get a line each; the rest are counted and named in the recap."""


def _now() -> datetime:
    return datetime.now().astimezone()


class PlainPrinter:
    """Writes to ``stream``. ``verbose``: a line for every host that finishes, not only those that fail.

    ``mark`` stands behind the time in each line.
    """

    def __init__(
        self,
        stream: Stream,
        *,
        verbose: bool = False,
        mark: str = "",
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._lines = Lines(stream)
        self._verbose = verbose
        self._mark = mark
        self._now = now
        self._epoch: datetime | None = None
        self._state = RunState()
        self._phase = RunPhase.STARTING
        self._summary_at = 0.0
        self._by_slug: Counter[str] = Counter()

    def close(self) -> None:
        """Nothing to undo: every line was flushed."""

    def handle(self, event: Event) -> None:
        if self._epoch is None or isinstance(event, RunStarted):  # what came before has no clock
            self._epoch = self._now() - timedelta(seconds=event.at)
        self._state.fold(event)
        match event:
            case RunStarted():
                self._say(event.at, _opening(event))
            case SourceReady():
                self._say(event.at, _source(event))
            case HostFinished():
                self._finished(event)
            case Notice():
                self._notice(event)
            case ActivationDecided(at, names):
                self._say(at, switching(names))
            case RunFinished():
                self._say(event.at, _ending(event.report))
                return
            case _:
                pass
        self._phase_or_summary(event.at)

    def _say(self, at: float, text: str) -> None:
        when = (self._epoch or self._now()) + timedelta(seconds=at)
        self._lines.write(f"{when.isoformat(timespec='seconds')} {self._mark}{text}")

    def _finished(self, event: HostFinished) -> None:
        host, status = clean(event.host), event.status.value
        if event.status.good:
            if self._verbose:
                self._say(event.at, f"{status.replace('_', ' ')}: {host}")
            return
        self._by_slug[event.slug] += 1
        alike = self._by_slug[event.slug]
        if self._verbose or alike <= ALIKE_SHOWN:
            self._say(event.at, f"{status}: {host}: {clean(event.slug)}: {clean(event.message)}")
        elif alike == ALIKE_SHOWN + 1:
            self._say(event.at, f"{clean(event.slug)}: more hosts; the recap names them all")

    def _notice(self, event: Notice) -> None:
        host = f"{clean(event.host)}: " if event.host else ""
        level = "" if event.level == "info" else f"{event.level}: "
        self._say(event.at, f"{level}{host}{clean(event.message)}")

    def _phase_or_summary(self, at: float) -> None:
        phase = self._state.phase
        if phase.rank > self._phase.rank:
            self._phase = phase
            self._summary_at = at
            self._say(at, phase.value)
        elif at - self._summary_at >= SUMMARY_EVERY:
            self._summary_at = at
            self._say(at, summary(self._state))


def summary(state: RunState) -> str:
    """Where the run is, on one line."""
    parts = [state.phase.value]
    if state.source is None and state.hashing is not None:
        parts[0] += f" {percent(state.hashing.done, state.hashing.total)}"
    if state.phase.rank >= RunPhase.RECEIVING.rank and state.bytes_total:
        parts[0] += f" {percent(state.bytes_done, state.bytes_total)}"
        parts.append(rate(max(0.0, state.rate)))
        left = state.time_left(state.at)
        if left is not None:
            parts.append(f"{duration(left)} left")
    parts += [f"{n:,} {phase.value}" for phase, n in state.phases.items() if n and phase != "done"]
    parts.append(f"{state.good:,} of {hosts(len(state.hosts))} verified")
    for status in (HostStatus.FAILED, HostStatus.UNREACHABLE):
        if state.statuses[status]:
            parts.append(f"{state.statuses[status]:,} {status.value}")
    unfinished = len(state.hosts) - state.good - state.lost
    if 0 < unfinished <= WAITED_FOR_SHOWN < len(state.hosts):
        parts.append(f"waiting for {clean(fold(state.unfinished()))}")
    return ", ".join(parts)


def _opening(event: RunStarted) -> str:
    encrypt = "" if event.encrypt else ", not encrypted"
    return (
        f"run {clean(event.run_id)}: {event.command} to {hosts(len(event.hosts))},"
        f" {event.topology}{encrypt}"
    )


def _source(event: SourceReady) -> str:
    files = f", {event.files:,} files" if event.files > 1 else ""
    chunks = f"{event.chunks:,} chunk{'' if event.chunks == 1 else 's'}"
    return (
        f"source {clean(event.name)}: {size(event.size)}{files}, {chunks} of"
        f" {size(event.chunk_size)}, digest {event.digest[:12]}"
    )


def _ending(report: RunReport) -> str:
    good = report.count(HostStatus.VERIFIED, HostStatus.ALREADY_PRESENT)
    text = f"finished in {duration(report.timing.total_s)}: {good:,} of"
    text += f" {hosts(len(report.results))} verified"
    for status in (HostStatus.FAILED, HostStatus.UNREACHABLE):
        if count := report.count(status):
            text += f", {count:,} {status.value}"
    error = f"; {clean(report.error)}" if report.error else ""
    code = report.exit_code
    return text + error + (f"; exit {code}: {meaning(code)}" if code else "")
