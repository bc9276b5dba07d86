"""The database's file: where it is, who may read it, its form, and what can go wrong with it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from typing import TYPE_CHECKING

from fleetpush.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "history.sqlite3"
FORMAT = 1
"""Of the tables; counted up whenever an older program could not read them any more."""

BUSY_SECONDS = 10.0
_APPLICATION = 0x666C7074
"""``flpt``: tells our file from another program's."""

_TABLES = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    began REAL NOT NULL,
    ended REAL,
    command TEXT NOT NULL,
    exit_code INTEGER,
    error TEXT NOT NULL DEFAULT '',
    retry_of TEXT,
    version TEXT NOT NULL,
    topology TEXT NOT NULL,
    discovery TEXT NOT NULL,
    encrypt INTEGER NOT NULL,
    options TEXT NOT NULL,
    source TEXT NOT NULL DEFAULT '',
    digest TEXT NOT NULL DEFAULT '',
    size INTEGER NOT NULL DEFAULT 0,
    chunk_size INTEGER NOT NULL DEFAULT 0,
    chunks INTEGER NOT NULL DEFAULT 0,
    hosts INTEGER NOT NULL,
    good INTEGER NOT NULL DEFAULT 0,
    lost INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX runs_began ON runs (began);
CREATE TABLE hosts (
    run TEXT NOT NULL,
    place INTEGER NOT NULL,
    name TEXT NOT NULL,
    status TEXT,
    slug TEXT NOT NULL DEFAULT '',
    message TEXT NOT NULL DEFAULT '',
    ended REAL,
    PRIMARY KEY (run, place)
) WITHOUT ROWID;
CREATE TABLE bodies (
    run TEXT NOT NULL,
    kind TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (run, kind)
);
CREATE TABLE notes (
    run TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    written REAL NOT NULL,
    PRIMARY KEY (run, key)
);
CREATE TABLE files (
    host TEXT NOT NULL,
    dest TEXT NOT NULL,
    path TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    note TEXT NOT NULL,
    seen REAL NOT NULL,
    PRIMARY KEY (host, dest, path)
) WITHOUT ROWID;
"""
OF_A_RUN = ("hosts", "bodies", "notes")
"""Tables whose ``run`` is a run's id."""


class HistoryError(InputError):
    """The history cannot be read or written. The text names the file and says what to do."""

    slug = "history"


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns what the database and the system complain of into HistoryError."""
    try:
        yield
    except sqlite3.Error as error:
        raise HistoryError(f"the history {path} {_reason(error, path)}") from error
    except OSError as error:
        raise HistoryError(
            f"the history {path} cannot be written: {error.strerror}; another place: --state-dir"
        ) from error


def is_busy(error: BaseException | None) -> bool:
    """Whether it may go better in a moment: another process is at it."""
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _code(error: BaseException | None) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _reason(error: sqlite3.Error, path: Path) -> str:
    match _code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"is in use by another process for more than {BUSY_SECONDS:.0f} s"
        case sqlite3.SQLITE_FULL:
            return "cannot be written: the disk is full"
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return (
                f"is damaged ({error}); move it away and a new one is begun: mv {path} {path}.bad"
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return f"cannot be written ({error}); another place: --state-dir"
        case _:
            return f"cannot be used ({error})"


def open_to_write(state_dir: Path) -> sqlite3.Connection:
    """Makes the directory, the file and the tables where they are missing. Raises HistoryError."""
    path = state_dir / NAME
    with explained(path):
        _make_file(path)
        found = _connect(f"{path.absolute().as_uri()}?mode=rw")
        try:
            _write_ahead(found)
            _make_tables(found, path)
        except BaseException:
            found.close()
            raise
        return found


def open_to_read(state_dir: Path) -> sqlite3.Connection | None:
    """None where there is no history yet. Raises HistoryError."""
    path = state_dir / NAME
    if not path.exists():
        return None
    uri = path.absolute().as_uri()
    # A reader of a write-ahead log keeps a file beside it; where none can be made, nobody writes either.
    for mode in ("mode=rw", "mode=ro", "mode=ro&immutable=1"):
        found = _connect(f"{uri}?{mode}")
        try:
            with explained(path):
                if _format(found, path) == 0:  # its maker was killed before it had tables
                    found.close()
                    return None
        except HistoryError as error:
            found.close()
            if mode.endswith("immutable=1") or _code(error.__cause__) not in _UNWRITABLE:
                raise
        else:
            return found
    return None


_UNWRITABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


def _make_file(path: Path) -> None:
    """Its owner's alone; SQLite gives the files beside it the same mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _connect(uri: str) -> sqlite3.Connection:
    found = sqlite3.connect(
        uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    found.row_factory = sqlite3.Row
    return found


def _write_ahead(found: sqlite3.Connection) -> None:
    """Readers and one writer at once. A place that cannot have it keeps the journal it has."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            found.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # Here SQLite itself does not wait for others.
            if not is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _make_tables(found: sqlite3.Connection, path: Path) -> None:
    if _format(found, path) == FORMAT:
        return
    with transaction(found):
        if _format(found, path) == 0:  # nobody was faster
            for statement in _TABLES.split(";\n"):
                found.execute(statement)
            found.execute(f"PRAGMA application_id = {_APPLICATION}")
            found.execute(f"PRAGMA user_version = {FORMAT}")


@contextlib.contextmanager
def transaction(found: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing; waits for other writers at its beginning."""
    found.execute("BEGIN IMMEDIATE")
    try:
        yield
        found.execute("COMMIT")
    except BaseException:
        if found.in_transaction:  # a full disk has ended it already
            found.execute("ROLLBACK")
        raise


def _format(found: sqlite3.Connection, path: Path) -> int:
    """0 for an empty file. Raises HistoryError for one that this program does not know."""
    # In this order: tables and marks are made in one piece, perhaps right now by somebody else.
    empty = found.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    mine = int(found.execute("PRAGMA application_id").fetchone()[0]) == _APPLICATION
    version = int(found.execute("PRAGMA user_version").fetchone()[0])
    if version > FORMAT and mine:
        raise HistoryError(
            f"the history {path} was written by a newer fleetpush (form {version}, this one knows"
            f" {FORMAT}): use that one, or another place with --state-dir"
        )
    if not mine and not empty:
        raise HistoryError(
            f"{path} is another program's database: name another place with --state-dir"
        )
    return version if mine else 0
