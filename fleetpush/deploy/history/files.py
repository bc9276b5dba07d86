"""Files that hosts were seen to hold whole, and what they are known again by: no run need read those."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from fleetpush.deploy.history.database import HistoryError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from fleetpush.deploy.history.history import History
    from fleetpush.deploy.results import RunReport

FORGOTTEN_AFTER = 400 * 24 * 3600.0
"""Seconds after which a file that no run has met again is forgotten: more than a year between two runs."""


class RememberedFiles:
    """What enlisting hosts asks. ``history`` is nobody else's: it is asked in the event loop."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._broken = False

    def recall(
        self, host: str, dest: str, files: Mapping[int, tuple[str, str]]
    ) -> dict[int, Sequence[int]]:
        """Of ``files`` (number: path and SHA-256 in hex) below ``dest``, those noted there, and the notes.

        A history that cannot be read remembers nothing: then the hosts read their files.
        """
        if self._broken:
            return {}
        try:
            rows = self._history.read(
                "SELECT path, sha256, note FROM files WHERE host = ? AND dest = ?", host, dest
            )
            noted = {(row["path"], row["sha256"]): json.loads(row["note"]) for row in rows}
        except (HistoryError, ValueError):
            self._broken = True
            return {}
        return {number: noted[file] for number, file in files.items() if file in noted}


def remember(database: sqlite3.Connection, report: RunReport) -> None:
    """Notes the files of every host that is well, and forgets what nobody has met for long."""
    now = time.time()
    sums = [(file.path, file.sha256) for file in report.files]
    database.executemany(
        "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)",
        (
            (result.host, result.dest, path, sha256, json.dumps(note), now)
            for result in report.results
            if result.status.good and len(result.kept) == len(sums)
            for (path, sha256), note in zip(sums, result.kept, strict=True)
            if sha256 is not None
        ),
    )
    database.execute("DELETE FROM files WHERE seen < ?", (now - FORGOTTEN_AFTER,))
