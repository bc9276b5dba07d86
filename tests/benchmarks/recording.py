"""Processes that record runs in one history at the same time: what is there afterwards."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fleetpush.deploy.history.database import NAME
from fleetpush.deploy.history.entry import KEPT_RUNS

ROOT = Path(__file__).parents[2]

WRITER = """
import sys
from pathlib import Path
from tests.deploy.history.runs import record, run_of
for n in range(int(sys.argv[3])):
    heard, warnings = record(Path(sys.argv[1]), run_of(f"{sys.argv[2]}-{n:05}", 20))
    assert warnings == [], warnings
"""


def record_at_once(writers: int, runs: int) -> int:
    """So many processes, each of which records so many runs of 20 hosts; the newest must all be there."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        began = time.monotonic()
        words = [sys.executable, "-c", WRITER, str(state)]
        processes = [
            subprocess.Popen([*words, f"w{number}", str(runs)], cwd=ROOT)
            for number in range(writers)
        ]
        codes = [process.wait() for process in processes]
        took = time.monotonic() - began
        with contextlib.closing(sqlite3.connect(state / NAME)) as database:
            (sound,) = database.execute("PRAGMA integrity_check").fetchone()
            found = dict(
                database.execute(
                    "SELECT id, (SELECT count(*) FROM hosts WHERE run = id AND status IS NOT NULL)"
                    " + (SELECT count(*) FROM bodies WHERE run = id) FROM runs WHERE ended NOT NULL"
                )
            )
        whole = sum(1 for rows in found.values() if rows == 20 + 3)  # course, document, receipt
        wanted = min(KEPT_RUNS, writers * runs)
        print(
            f"{writers} processes recorded {writers * runs} runs in {took:.0f} s: integrity {sound},"
            f" {len(found)} kept of the newest {wanted}, {whole} whole, {size_of(state)} bytes;"
            f" the writers ended with {codes}"
        )
        running = os.listdir(state / "running")
        good = sound == "ok" and not any(codes) and not running
        return 0 if good and whole == len(found) == wanted else 1


def size_of(state: Path) -> int:
    """Bytes of the history in ``state``, its log included."""
    return sum(path.stat().st_size for path in state.glob(f"{NAME}*"))
