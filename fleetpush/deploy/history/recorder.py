"""Writes a run into the history while it goes on, without ever holding it up."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fleetpush.deploy.history.course import Course
from fleetpush.deploy.history.database import HistoryError, is_busy
from fleetpush.deploy.history.decision import DECISION, Decision
from fleetpush.deploy.history.entry import Entry
from fleetpush.deploy.history.files import RememberedFiles
from fleetpush.deploy.history.history import History
from fleetpush.deploy.history.kept import keep
from fleetpush.deploy.progress import (
    ActivationDecided,
    HostFinished,
    Notice,
    RunFinished,
    RunStarted,
    SourceReady,
)
from fleetpush.deploy.receipt.sealer import Sealer
from fleetpush.errors import FleetpushError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection

    from fleetpush.deploy.options import DeployOptions
    from fleetpush.deploy.progress import Event, Observer
    from fleetpush.deploy.results import RunReport

WRITE_EVERY = 1.0
"""Seconds after which a killed run's hosts are known to have finished."""

COURSE_EVERY = 15.0
"""Seconds of its progress that a killed run may lose. More where writing it takes long."""

CLOSE_WITHIN = 20.0
_CANCELLED, _INTERNAL = 130, 1
_NOT = "this run is not recorded: "


def history_or_none(state_dir: Path | None, warn: Callable[[str], None]) -> History | None:
    """Where this run is recorded; ``warn`` hears why it is not."""
    try:
        return History.open(state_dir)
    except HistoryError as error:
        warn(f"{_NOT}{error}")
        return None


@contextlib.asynccontextmanager
async def recording(
    history: History | None,
    options: DeployOptions,
    observer: Observer,
    warn: Callable[[str], None],
    *,
    retry_of: str | None = None,
    sealer: Sealer | None = None,
) -> AsyncIterator[Observer]:
    """The observer to run ``options`` with: it hands events on to ``observer`` and records them.

    None records nothing. What the history cannot do is told once and never raised: as a notice while the run
    goes on, to ``warn`` afterwards. At the exit everything is written, however the run ended, its receipt
    (``sealer``'s, or its own) included. Raises SignKeyError where the options name a key that is none.
    """
    if history is None:
        yield observer
        return
    sealer = sealer or Sealer(options, history.state_dir)
    recorder = Recorder(history, options, observer, retry_of=retry_of, sealer=sealer)
    try:
        yield recorder
    except BaseException as error:
        await recorder.close(warn, error)
        raise
    await recorder.close(warn)


@contextlib.asynccontextmanager
async def remembering(
    history: History | None,
    options: DeployOptions,
    observer: Observer,
    warn: Callable[[str], None],
    *,
    retry_of: str | None = None,
    sealer: Sealer | None = None,
) -> AsyncIterator[tuple[Observer, RememberedFiles | None]]:
    """As ``recording``, with what earlier runs left to know, asked over a connection of its own."""
    if history is None:
        yield observer, None
        return
    with History(history.state_dir) as asked:
        writes = recording(history, options, observer, warn, retry_of=retry_of, sealer=sealer)
        async with writes as recorder:
            yield recorder, RememberedFiles(asked)


class Recorder:
    """An observer between the run and its observer. All writing is done by a thread of its own."""

    def __init__(
        self,
        history: History,
        options: DeployOptions,
        observer: Observer,
        *,
        retry_of: str | None = None,
        sealer: Sealer | None = None,
    ) -> None:
        self._sealer = sealer
        self._history = history
        self._options = options
        self._observer = observer
        self._retry_of = retry_of
        self._cwd = Path.cwd()
        self._began = self._began_at = 0.0
        """By the clock, which may be set while the run lasts; by one that never is."""
        self._course = Course()
        self._news: list[HostFinished] = []
        self._source: SourceReady | None = None
        self._report: RunReport | None = None
        self._error: BaseException | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._trouble = ""
        self._told = False
        self._decided: list[str] = []
        self._thread: threading.Thread | None = None

    def handle(self, event: Event) -> None:
        """In the run's event loop: a fold and nothing more."""
        if self._trouble and not self._told:
            self._told = True
            self._observer.handle(Notice(event.at, "warning", self._trouble))
        self._observer.handle(event)
        if isinstance(event, ActivationDecided):
            self._note_decision(event)
        with self._lock:
            self._course.fold(event)
            if isinstance(event, HostFinished) and event.host in self._course.hosts:
                self._news.append(event)
            elif isinstance(event, SourceReady):
                self._source = event
        if isinstance(event, RunStarted) and self._thread is None:
            self._began = time.time() - event.at
            self._began_at = time.monotonic() - event.at
            writing = threading.Thread(target=self._write, args=(event,), name="history")
            writing.daemon = True  # a disk that hangs must not keep the process
            self._thread = writing
            writing.start()
            if self._retry_of is not None:
                self.handle(Notice(event.at, "info", f"a retry of run {self._retry_of}"))
        elif isinstance(event, RunFinished):
            self._report = event.report
            self._ended.set()

    def _note_decision(self, event: ActivationDecided) -> None:
        """On disk before any host is told to switch: who resumes the run must know of it."""
        started, source = self._course.started, self._course.source
        if started is None or source is None:
            return
        self._decided += event.hosts
        decision = Decision("open", source.digest, tuple(self._decided))
        try:
            self._history.note(started.run_id, DECISION, decision.as_json())
        except HistoryError as error:
            self._trouble = f"the decision to switch is not recorded: {error}"

    async def close(self, warn: Callable[[str], None], error: BaseException | None = None) -> None:
        """Waits until all is written. ``error`` is what the run raised, if it did."""
        self._error = error
        self._ended.set()
        if self._thread is None:
            return
        await asyncio.to_thread(self._thread.join, CLOSE_WITHIN)
        if self._thread.is_alive():
            self._trouble = (
                f"{_NOT}{self._history.state_dir} takes longer than {CLOSE_WITHIN:.0f} s"
            )
            self._told = False
        if self._trouble and not self._told:
            self._told = True
            warn(self._trouble)

    # -- in the thread

    def _write(self, started: RunStarted) -> None:
        entry = Entry(self._history, started)
        try:
            kept = keep(self._options, self._cwd)
            self._patiently(lambda: entry.begin(self._began, kept, self._retry_of))
            self._follow(entry)
            self._finish(entry)
        except HistoryError as error:
            self._trouble = f"{_NOT}{error}"
        except Exception as error:  # noqa: BLE001 - no fault in a record may end a deploy
            self._trouble = f"{_NOT}internal error: {type(error).__name__}: {error}"
        finally:
            entry.release()
            self._history.close()

    def _follow(self, entry: Entry) -> None:
        """Until the run is over."""
        course_at = time.monotonic() + COURSE_EVERY
        while not self._ended.wait(WRITE_EVERY):
            source, finished = self._take_news()
            if source is not None or finished:
                self._patiently(partial(entry.add, source, finished))
            began = time.monotonic()
            if began >= course_at:
                course = self._course.as_json(self._lock)
                self._patiently(partial(entry.keep_course, course))
                now = time.monotonic()
                course_at = now + max(COURSE_EVERY, 50 * (now - began))

    def _settle(self, report: RunReport) -> None:
        """Nobody need resume it, if every host that was told to switch has."""
        if _all_switched(report, self._decided):
            decision = Decision("settled", report.manifest_digest, tuple(self._decided))
            self._history.note(report.run_id, DECISION, decision.as_json())

    def _patiently(self, step: Callable[[], None]) -> None:
        """Another process that writes for long is no failure while this run goes on."""
        while True:
            try:
                step()
            except HistoryError as error:
                if not is_busy(error.__cause__) or self._ended.is_set():
                    raise
            else:
                return

    def _take_news(self) -> tuple[SourceReady | None, list[HostFinished]]:
        with self._lock:
            news = self._source, self._news
            self._source, self._news = None, []
        return news

    def _finish(self, entry: Entry) -> None:
        source, finished = self._take_news()
        report = self._report
        if report is not None and self._decided:
            self._settle(report)
        entry.end(
            self._began + time.monotonic() - self._began_at,
            report.exit_code if report is not None else _exit_code(self._error),
            report.error if report is not None else _sentence(self._error),
            source=source,
            finished=finished,
            course=self._course.as_json(self._lock),
            report=report,
        )
        if report is not None and self._sealer is not None:
            try:
                entry.keep_receipt(self._sealer.seal(report))
            except FleetpushError as error:
                self._trouble = f"this run has no receipt: {error}"


def _all_switched(report: RunReport, hosts: Collection[str]) -> bool:
    switched = {result.host for result in report.results if result.activated}
    return switched.issuperset(hosts)


def _exit_code(error: BaseException | None) -> int:
    if isinstance(error, FleetpushError):
        return error.exit_code
    is_stop = isinstance(error, asyncio.CancelledError | KeyboardInterrupt)
    return _CANCELLED if is_stop else _INTERNAL


def _sentence(error: BaseException | None) -> str:
    """Only our own words: nobody knows what others put into theirs."""
    if isinstance(error, FleetpushError):
        return str(error)
    if isinstance(error, asyncio.CancelledError | KeyboardInterrupt):
        return "interrupted"
    return f"internal error: {type(error).__name__}"
