"""Lines as the tasks go: one for each outcome, with its hosts folded. For terminals, logs, CI and cron."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from fleetpush.deploy.play.events import (
    BatchStarted,
    PlaybooksFinished,
    PlaybooksStarted,
    PlayStarted,
    PlayStopped,
    TaskFinished,
    TaskResult,
    TaskRetried,
    TaskStarted,
)
from fleetpush.deploy.progress import Notice
from fleetpush.inventory.nodeset import fold
from fleetpush.report.exit_status import meaning
from fleetpush.report.failures import FailureGroups
from fleetpush.report.printer import Lines, Stream
from fleetpush.report.quantities import duration, hosts
from fleetpush.report.sanitise import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fleetpush.deploy.play.events import PlayEvent
    from fleetpush.deploy.play.performer import Status

_WORDS: dict[Status, str] = {"ok": "ok", "changed": "changed", "skipped": "skipping"}
BATCHES_SHOWN = 8
"""Sizes of so many batches are listed."""


def _now() -> datetime:
    return datetime.now().astimezone()


class PlayPlainPrinter:
    """Writes to ``stream``. ``stamped``: each line begins with its time."""

    def __init__(
        self,
        stream: Stream,
        *,
        stamped: bool = True,
        mark: str = "",
        now: Callable[[], datetime] = _now,
    ) -> None:
        """``mark`` comes between a line's time and what it says."""
        self._lines = Lines(stream)
        self._mark = mark
        self._stamped = stamped
        self._now = now
        self._epoch: datetime | None = None
        self._well: defaultdict[Status, list[str]] = defaultdict(list)
        self._fatal = FailureGroups()
        self._ignored = FailureGroups()

    def close(self) -> None:
        """Nothing to undo: every line was flushed."""

    def handle(self, event: PlayEvent) -> None:
        if self._epoch is None:
            self._epoch = self._now() - timedelta(seconds=event.at)
        match event:
            case TaskResult():
                self._result(event)
            case TaskFinished():
                self._outcomes(event.at)
            case _:
                text = _text(event)
                if text:
                    self._say(event.at, text)

    def _say(self, at: float, text: str) -> None:
        if not self._stamped:
            self._lines.write(text)
            return
        when = (self._epoch or self._now()) + timedelta(seconds=at)
        self._lines.write(f"{when.isoformat(timespec='seconds')} {self._mark}{text}")

    def _result(self, event: TaskResult) -> None:
        if event.status in _WORDS:
            self._well[event.status].append(event.host)
            return
        groups = self._ignored if event.ignored else self._fatal
        unreachable = event.status == "unreachable"
        groups.add(event.host, event.slug, event.message, unreachable=unreachable)

    def _outcomes(self, at: float) -> None:
        for status, word in _WORDS.items():
            if self._well[status]:
                self._say(at, f"{word}: {_folded(self._well[status])}")
        for word, groups in (("ignoring", self._ignored), ("fatal", self._fatal)):
            for group in groups.largest():
                how = "unreachable: " if group.unreachable else ""
                reason = f"{group.slug}: {group.sentence()}" if group.slug else group.sentence()
                self._say(at, f"{word}: {group.folded()}: {how}{reason}")
        self._well.clear()
        self._fatal, self._ignored = FailureGroups(), FailureGroups()


def _text(event: PlayEvent) -> str:
    """What one event says by itself, "" for nothing."""
    text = ""
    match event:
        case PlaybooksStarted():
            text = _opening(event)
        case PlayStarted():
            text = _play(event)
        case BatchStarted() if event.of > 1:
            text = f"BATCH {event.number} of {event.of}: {_folded(event.hosts)}"
        case TaskStarted():
            text = f"{'HANDLER' if event.handler else 'TASK'} [{clean(event.task)}]"
        case TaskRetried():
            left = f"attempt {event.attempt} of {event.of} was not enough"
            text = f"retrying: {_folded(event.hosts)}: {left}"
        case PlayStopped():
            text = _stopped(event)
        case Notice():
            text = _notice(event)
        case PlaybooksFinished():
            text = _ending(event)
        case _:
            pass
    return text


def _opening(event: PlaybooksStarted) -> str:
    names = ", ".join(clean(name) for name in event.playbooks)
    check = ", in check mode: nothing is changed" if event.check else ""
    return f"run {clean(event.run_id)}: {names} on {hosts(event.hosts)}{check}"


def _notice(event: Notice) -> str:
    level = "" if event.level == "info" else f"{event.level}: "
    host = f"{clean(event.host)}: " if event.host else ""
    return f"{level}{host}{clean(event.message)}"


def _folded(names: Sequence[str]) -> str:
    """``node[1-18] (18)``; a single host stands alone."""
    text = clean(fold(names))
    return f"{text} ({len(names):,})" if len(names) > 1 else text or "nobody"


def _play(event: PlayStarted) -> str:
    text = f"PLAY [{clean(event.play)}] on {hosts(len(event.hosts))}"
    if not event.hosts:
        return f"PLAY [{clean(event.play)}]: no host matches"
    if len(event.batches) > 1:
        sizes = ", ".join(f"{size:,}" for size in event.batches[:BATCHES_SHOWN])
        more = ", ..." if len(event.batches) > BATCHES_SHOWN else ""
        text += f" in {len(event.batches):,} batches ({sizes}{more})"
    return text


def _stopped(event: PlayStopped) -> str:
    text = f"STOPPED [{clean(event.play)}]: {clean(event.message)}"
    return text + (f"; untouched: {_folded(event.untouched)}" if event.untouched else "")


def _ending(event: PlaybooksFinished) -> str:
    report = event.report
    counts = [
        f"{len(report.named(end)):,} {end}"
        for end in ("done", "failed", "unreachable", "stopped", "untouched")
        if report.named(end)
    ]
    text = f"finished in {duration(report.total_s)}: {', '.join(counts)}"
    error = f"; {clean(report.error)}" if report.error else ""
    code = report.exit_code
    return text + error + (f"; exit {code}: {meaning(code, of='play')}" if code else "")
