"""The runs of this operator, newest first, and notes that outlive their process."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import zlib
from typing import TYPE_CHECKING, Any, Self

from fleetpush.deploy.history import alive
from fleetpush.deploy.history.course import Course
from fleetpush.deploy.history.database import (
    NAME,
    HistoryError,
    explained,
    open_to_read,
    open_to_write,
    transaction,
)
from fleetpush.deploy.history.record import HostRecord, RunRecord, intact
from fleetpush.deploy.receipt import Receipt
from fleetpush.deploy.state import state_directory
from fleetpush.errors import InputError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

LAST = "last"
"""Names the newest run wherever a run's id is wanted."""

SHOWN = 12
"""Characters of an id that tell a run from any other; a person types fewer still."""


class History:
    """Cheap to open: the file is opened when something is wanted of it, and made when something is written.

    May be used from any thread, by one at a time. Every method raises HistoryError where the file cannot
    be used.
    """

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self._lock = threading.RLock()
        self._database: sqlite3.Connection | None = None
        self._writes = False

    @classmethod
    def open(cls, state_dir: Path | None = None) -> Self:
        """None for the default place. Raises HistoryError where there is none."""
        try:
            return cls(state_directory(os.environ) if state_dir is None else state_dir)
        except RuntimeError as error:
            raise HistoryError(f"no place for a history ({error}): give --state-dir") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            if self._database is not None:
                self._database.close()
            self._database, self._writes = None, False

    # -- runs

    def runs(self, most: int | None = None) -> list[RunRecord]:
        """The newest first, at most ``most``."""
        rows = self.read(
            "SELECT * FROM runs ORDER BY began DESC, rowid DESC LIMIT ?",
            -1 if most is None else most,
        )
        return [self._record(row) for row in rows]

    def run(self, name: str) -> RunRecord:
        """The run whose id begins with ``name``; ``last`` is the newest.

        Raises InputError where there is none, or several.
        """
        if name == LAST:
            rows = self.read("SELECT * FROM runs ORDER BY began DESC, rowid DESC LIMIT 1")
            if not rows:
                raise InputError(f"no run is recorded in {self.state_dir} yet", slug="no_such_run")
            return self._record(rows[0])
        rows = self.read(
            "SELECT * FROM runs WHERE substr(id, 1, ?) = ? ORDER BY began DESC", len(name), name
        )
        exact = [row for row in rows if row["id"] == name]
        if not name or not rows:
            raise InputError(
                f"no run {name!r} is recorded in {self.state_dir}; see: fleetpush runs list",
                slug="no_such_run",
            )
        if len(rows) > 1 and not exact:
            some = ", ".join(row["id"][:SHOWN] for row in rows[:5])
            raise InputError(
                f"{len(rows)} runs begin with {name!r} ({some}{', ...' if len(rows) > 5 else ''}):"
                " write more of its id",
                slug="no_such_run",
            )
        return self._record((exact or rows)[0])

    def hosts(self, run_id: str) -> list[HostRecord]:
        """As far as they had come when the run ended, or by now."""
        rows = self.read("SELECT * FROM hosts WHERE run = ? ORDER BY place", run_id)
        columns = ("name", "status", "slug", "message", "ended")
        return [HostRecord(*(row[column] for column in columns)) for row in rows]

    def document(self, run_id: str) -> dict[str, Any] | None:
        """What ``-o json`` printed at the run's end; None if it never came to one."""
        return self._body(run_id, "document")

    def receipt(self, run_id: str) -> Receipt | None:
        """What was signed at its end; None if it never came to one."""
        found = self._body(run_id, "receipt")
        if found is None:
            return None
        with intact(run_id):
            return Receipt(**found)

    def course(self, run_id: str) -> Course | None:
        """How it went; None if nothing of that was written yet."""
        found = self._body(run_id, "course")
        if found is None:
            return None
        with intact(run_id):
            return Course.from_json(found)

    def _body(self, run_id: str, kind: str) -> dict[str, Any] | None:
        rows = self.read("SELECT body FROM bodies WHERE run = ? AND kind = ?", run_id, kind)
        if not rows:
            return None
        with intact(run_id):
            found: dict[str, Any] = json.loads(zlib.decompress(rows[0]["body"]))
            return found

    def _record(self, row: sqlite3.Row) -> RunRecord:
        lives = row["ended"] is None and alive.lives(self.state_dir, row["id"])
        if row["ended"] is None and not lives:
            # It may have ended after its row was read: then it says so by now.
            row = next(iter(self.read("SELECT * FROM runs WHERE id = ?", row["id"])), row)
        values = {name: row[name] for name in row.keys()}  # noqa: SIM118 - a Row iterates over values
        return RunRecord(**{**values, "encrypt": bool(row["encrypt"]), "lives": lives})

    # -- notes

    def note(self, run_id: str, key: str, value: object) -> None:
        """Remembers ``value``, anything that JSON has, as ``key`` of the run; on disk when this returns.

        A later value for the same key takes the place of the earlier one.
        """
        text = json.dumps(value)
        # What is noted is acted upon: a power cut must not take it back.
        with self.writing(durable=True) as database:
            database.execute(
                "INSERT OR REPLACE INTO notes VALUES (?, ?, ?, ?)", (run_id, key, text, time.time())
            )

    def notes(self, run_id: str) -> dict[str, Any]:
        """What was noted of the run, by key, in the order it was written."""
        rows = self.read("SELECT key, value FROM notes WHERE run = ? ORDER BY rowid", run_id)
        return {row["key"]: json.loads(row["value"]) for row in rows}

    # -- the database

    @contextlib.contextmanager
    def writing(self, *, durable: bool) -> Iterator[sqlite3.Connection]:
        """One transaction on the database, which is made if there is none.

        ``durable``: synced to the disk at the end. Without it a power cut may take the last transactions
        back, but what is left is sound.
        """
        with self._lock, explained(self.state_dir / NAME):
            if self._database is None or not self._writes:
                self.close()
                self._database, self._writes = open_to_write(self.state_dir), True
            level = "FULL" if durable else "NORMAL"
            self._database.execute(f"PRAGMA synchronous = {level}")
            with transaction(self._database):
                yield self._database

    def read(self, query: str, *values: object) -> list[sqlite3.Row]:
        """The rows; none where there is no history yet."""
        with self._lock, explained(self.state_dir / NAME):
            if self._database is None:
                self._database = open_to_read(self.state_dir)
            if self._database is None:
                return []
            return self._database.execute(query, values).fetchall()
