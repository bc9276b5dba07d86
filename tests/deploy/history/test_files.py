"""What is remembered of files on hosts, and for how long."""

import time
from dataclasses import replace

from fleetpush.deploy.history.files import FORGOTTEN_AFTER, RememberedFiles
from fleetpush.deploy.history.history import History
from fleetpush.deploy.progress import RunFinished
from fleetpush.deploy.results import HostStatus
from tests.deploy.history.runs import record, run_of

NOTE = (1, 2, 3, 4, 5)


def recorded(tmp_path, run_id="a1", **more):
    """A run whose hosts say what their file is known by; the report."""
    events = run_of(run_id, 3)
    last = events[-1]
    assert isinstance(last, RunFinished)
    results = tuple(replace(r, kept=(NOTE,), **more) for r in last.report.results)
    report = replace(last.report, results=results)
    record(tmp_path, [*events[:-1], replace(last, report=report)])
    return report


def recall(tmp_path, host, dest, files):
    with History.open(tmp_path) as history:
        return RememberedFiles(history).recall(host, dest, files)


def test_a_file_is_known_where_it_was_seen(tmp_path):
    report = recorded(tmp_path)
    (file,) = report.files
    host, dest = report.results[0].host, report.results[0].dest
    wanted = {0: (file.path, file.sha256)}
    assert recall(tmp_path, host, dest, wanted) == {0: list(NOTE)}
    assert recall(tmp_path, "another", dest, wanted) == {}
    assert recall(tmp_path, host, "/elsewhere", wanted) == {}
    assert recall(tmp_path, host, dest, {0: (file.path, "0" * 64)}) == {}


def test_a_host_that_failed_is_not_believed(tmp_path):
    report = recorded(tmp_path, status=HostStatus.FAILED)
    (file,) = report.files
    host = report.results[0]
    assert recall(tmp_path, host.host, host.dest, {0: (file.path, file.sha256)}) == {}


def test_what_nobody_has_met_for_long_is_forgotten(tmp_path):
    report = recorded(tmp_path)
    (file,) = report.files
    host = report.results[0]
    with History.open(tmp_path) as history:
        with history.writing(durable=False) as database:
            long_ago = time.time() - FORGOTTEN_AFTER - 1
            database.execute("UPDATE files SET seen = ?, host = host || 'x'", (long_ago,))
    recorded(tmp_path, "a2")
    wanted = {0: (file.path, file.sha256)}
    assert recall(tmp_path, f"{host.host}x", host.dest, wanted) == {}
    assert recall(tmp_path, host.host, host.dest, wanted) == {0: list(NOTE)}


def test_without_a_history_nothing_is_known(tmp_path):
    assert recall(tmp_path / "none", "h", "/d", {0: ("f", "0" * 64)}) == {}
    (tmp_path / "history.sqlite3").write_bytes(b"no database at all" * 100)
    assert recall(tmp_path, "h", "/d", {0: ("f", "0" * 64)}) == {}
