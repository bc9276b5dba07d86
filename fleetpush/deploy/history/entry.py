"""One run's place in the history, written while it goes on. Every method may wait for the disk.

A run's progress may be lost in a power cut: nothing is synced here, and the file stays sound all the same.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

import fleetpush
from fleetpush.deploy.history import alive
from fleetpush.deploy.history.alive import Pulse
from fleetpush.deploy.history.database import OF_A_RUN, explained
from fleetpush.deploy.history.files import remember
from fleetpush.deploy.history.kept import as_json

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from fleetpush.deploy.history.history import History
    from fleetpush.deploy.history.kept import KeptOptions
    from fleetpush.deploy.progress import HostFinished, RunStarted, SourceReady
    from fleetpush.deploy.receipt import Receipt
    from fleetpush.deploy.results import RunReport

KEPT_RUNS = 200
"""Older ones are forgotten when a new one begins."""


class Entry:
    """Every method raises HistoryError where the history cannot be written; nothing is half written then."""

    def __init__(self, history: History, started: RunStarted) -> None:
        self._history = history
        self._run = started.run_id
        self._started = started
        self._places = {name: place for place, name in enumerate(started.hosts)}
        self._pulse: Pulse | None = None

    def begin(self, began: float, kept: KeptOptions, retry_of: str | None) -> None:
        """``began`` in seconds since the epoch."""
        if self._pulse is None:
            with explained(self._history.state_dir / alive.DIRECTORY):
                self._pulse = Pulse(self._history.state_dir, self._run)
        started = self._started
        values: dict[str, object] = {
            "id": self._run,
            "began": began,
            "command": started.command,
            "retry_of": retry_of,
            "version": fleetpush.__version__,
            "topology": started.topology,
            "discovery": started.discovery,
            "encrypt": started.encrypt,
            "options": json.dumps(as_json(kept)),
            "hosts": len(started.hosts),
        }
        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        with self._history.writing(durable=False) as database:
            database.execute(f"INSERT INTO runs ({names}) VALUES ({marks})", values)  # noqa: S608 - our own names
            database.executemany(
                "INSERT INTO hosts (run, place, name) VALUES (?, ?, ?)",
                ((self._run, place, name) for name, place in self._places.items()),
            )
            _prune(database, self._history)

    def add(self, source: SourceReady | None, finished: Iterable[HostFinished]) -> None:
        """What has become known since: the source, and hosts that have had their last word."""
        with self._history.writing(durable=False) as database:
            self._add(database, source, finished)

    def _add(
        self,
        database: sqlite3.Connection,
        source: SourceReady | None,
        finished: Iterable[HostFinished],
    ) -> None:
        if source is not None:
            database.execute(
                "UPDATE runs SET source = ?, digest = ?, size = ?, chunk_size = ?, chunks = ?"
                " WHERE id = ?",
                (
                    *(
                        _storable(source.name),
                        source.digest,
                        source.size,
                        source.chunk_size,
                        source.chunks,
                    ),
                    self._run,
                ),
            )
        for event in finished:
            database.execute(
                "UPDATE hosts SET status = ?, slug = ?, message = ?, ended = ?"
                " WHERE run = ? AND place = ?",
                (
                    *(event.status.value, event.slug, _storable(event.message), event.at),
                    *(self._run, self._places[event.host]),
                ),
            )
            counted = "good" if event.status.good else "lost"
            database.execute(
                f"UPDATE runs SET {counted} = {counted} + 1 WHERE id = ?",  # noqa: S608 - one of two words
                (self._run,),
            )

    def keep_course(self, course: dict[str, Any]) -> None:
        """How it has gone so far; takes the place of what was kept before."""
        body = _packed(course)
        with self._history.writing(durable=False) as database:
            _keep(database, self._run, "course", body)

    def end(
        self,
        ended: float,
        exit_code: int,
        error: str,
        *,
        source: SourceReady | None,
        finished: Iterable[HostFinished],
        course: dict[str, Any],
        report: RunReport | None,
    ) -> None:
        """The rest, in one piece. ``report`` is None where the run came to none."""
        bodies = {"course": _packed(course)}
        if report is not None:
            bodies["document"] = _packed(report.as_json())
        with self._history.writing(durable=False) as database:
            self._add(database, source, finished)
            for kind, body in bodies.items():
                _keep(database, self._run, kind, body)
            if report is not None:
                remember(database, report)
            database.execute(
                "UPDATE runs SET ended = ?, exit_code = ?, error = ? WHERE id = ?",
                (ended, exit_code, _storable(error), self._run),
            )

    def keep_receipt(self, receipt: Receipt) -> None:
        """Beside the rest, as it was signed."""
        body = _packed(receipt._asdict())
        with self._history.writing(durable=False) as database:
            _keep(database, self._run, "receipt", body)

    def release(self) -> None:
        """Whoever looks from now on knows that nobody goes on with it."""
        if self._pulse is not None:
            self._pulse.release()
            self._pulse = None


def _storable(text: str) -> str:
    """A file's name need not be text, and a column must."""
    return text.encode(errors="backslashreplace").decode()


def _packed(document: dict[str, Any]) -> bytes:
    return zlib.compress(json.dumps(document, separators=(",", ":")).encode())


def _keep(database: sqlite3.Connection, run_id: str, kind: str, body: bytes) -> None:
    database.execute("INSERT OR REPLACE INTO bodies VALUES (?, ?, ?)", (run_id, kind, body))


def _prune(database: sqlite3.Connection, history: History) -> None:
    """Forgets the oldest runs, but none that still goes on."""
    old = database.execute(
        "SELECT id, ended FROM runs ORDER BY began DESC, rowid DESC LIMIT -1 OFFSET ?", (KEPT_RUNS,)
    ).fetchall()
    for run_id, ended in old:
        if ended is None and alive.lives(history.state_dir, run_id):
            continue
        for table in OF_A_RUN:
            database.execute(f"DELETE FROM {table} WHERE run = ?", (run_id,))  # noqa: S608 - our own names
        database.execute("DELETE FROM runs WHERE id = ?", (run_id,))
        alive.forget(history.state_dir, run_id)
