"""A run is recorded however it ends, costs nobody anything, and goes on where it cannot be recorded."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import zlib
from pathlib import Path

import pytest

from fleetpush.deploy.history import database, recorder
from fleetpush.deploy.history.history import History
from fleetpush.deploy.options import DeployOptions, SshOptions
from fleetpush.deploy.progress import HostFinished, Notice, RunStarted
from fleetpush.errors import InputError
from tests.deploy.history.runs import OPTIONS, Heard, record, run_of

ROOT = Path(__file__).parents[3]
KEYS = ("receipt_key", "receipt_key.pub")


def join_writers():
    for thread in threading.enumerate():
        if thread.name == "history":
            thread.join()


def test_the_observer_hears_everything_in_order(tmp_path):
    events = run_of("a1")
    heard, warnings = record(tmp_path, events)
    assert heard.events == events
    assert warnings == []


def test_nothing_is_left_beside_the_database(tmp_path):
    record(tmp_path, run_of("a1"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["history.sqlite3", *KEYS, "running"]
    assert list((tmp_path / "running").iterdir()) == []


def test_whose_retry_it_is(tmp_path):
    record(tmp_path, run_of("a1", 2))
    record(tmp_path, run_of("a2", 2), retry_of="a1")
    with History.open(tmp_path) as history:
        assert [run.retry_of for run in history.runs()] == ["a1", None]


@pytest.mark.parametrize(
    ("error", "code", "status", "text"),
    [
        (InputError("model.pt: no such file"), 5, "failed", "model.pt: no such file"),
        (KeyboardInterrupt(), 130, "interrupted", "interrupted"),
        (asyncio.CancelledError(), 130, "interrupted", "interrupted"),
        (RuntimeError("password is hunter2"), 1, "failed", "internal error: RuntimeError"),
    ],
)
def test_a_run_that_raises_has_ended(tmp_path, error, code, status, text):
    events = [e for e in run_of("a1") if not isinstance(e, HostFinished) or e.host < "node2"][:-1]
    record(tmp_path, events, error=error)
    with History.open(tmp_path) as history:
        run = history.run("a1")
        assert (run.exit_code, run.status, run.error) == (code, status, text)
        assert history.document("a1") is None
        finished = {h.name for h in history.hosts("a1") if h.status}
        assert finished == {e.host for e in events if isinstance(e, HostFinished)}
        assert run.good == len(finished)
        assert history.course("a1").hosts["node1"].bytes_done > 0


def test_what_fails_before_there_is_a_run_is_no_run(tmp_path):
    record(tmp_path, [Notice(0.0, "warning", "odd")], error=InputError("dc1.yaml: no such file"))
    assert list(tmp_path.iterdir()) == []


def test_off_is_off(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    async def play():
        heard = Heard()
        async with recorder.recording(None, OPTIONS, heard, print) as observer:
            assert observer is heard

    asyncio.run(play())
    assert list(tmp_path.iterdir()) == []


# -- where it cannot be written


def trouble(heard, warnings):
    """The one thing that was said of it, wherever."""
    notices = [e.message for e in heard.events if isinstance(e, Notice) and "recorded" in e.message]
    said = notices + warnings
    assert len(said) == 1
    assert said[0].startswith("this run is not recorded: ")
    return said[0]


def test_a_place_that_is_no_directory_is_one_warning(tmp_path):
    (tmp_path / "file").write_text("")
    events = run_of("a1", 4)
    heard, warnings = record(tmp_path / "file" / "state", events)
    assert "cannot be written" in trouble(heard, warnings)
    assert [e for e in heard.events if e in events] == events


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_a_read_only_home_is_one_warning(tmp_path):
    """In a mount namespace of its own, where it is read-only for root as well."""
    program = f"""
        from pathlib import Path
        from tests.deploy.history.runs import record, run_of
        heard, warnings = record(Path({str(tmp_path / "state")!r}), run_of("a1", 4))
        print(len(heard.events), [e.message for e in heard.events if "recorded" in str(e)] + warnings)
    """
    script = f'mount -t tmpfs -o ro none {tmp_path} && exec {sys.executable} -c "$0"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, textwrap.dedent(program)],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    if "Operation not permitted" in done.stderr:
        pytest.skip("this machine lets nobody mount")
    assert "this run is not recorded" in done.stdout, done.stderr
    assert "Read-only file system" in done.stdout


def test_a_disk_that_fills_up_is_one_warning_and_the_file_stays_sound(tmp_path, monkeypatch):
    record(tmp_path, run_of("a1", 4))
    opened = database.open_to_write

    def small(state_dir):
        found = opened(state_dir)
        pages = found.execute("PRAGMA page_count").fetchone()[0]
        found.execute(f"PRAGMA max_page_count = {pages + 1}")
        return found

    monkeypatch.setattr("fleetpush.deploy.history.history.open_to_write", small)
    heard, warnings = record(tmp_path, run_of("a2", 300))
    assert "the disk is full" in trouble(heard, warnings)
    monkeypatch.undo()
    with History.open(tmp_path) as history:
        assert [run.id for run in history.runs()] == ["a1"]


def test_a_defect_of_ours_is_one_warning(tmp_path, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("odd")

    monkeypatch.setattr(recorder, "keep", broken)
    heard, warnings = record(tmp_path, run_of("a1", 4))
    assert "internal error: ZeroDivisionError" in trouble(heard, warnings)


def test_a_disk_that_hangs_holds_nobody_up(tmp_path, monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(recorder, "CLOSE_WITHIN", 0.05)
    monkeypatch.setattr(recorder.Entry, "begin", lambda *_: released.wait())
    heard, warnings = record(tmp_path, run_of("a1", 4))
    assert "takes longer" in trouble(heard, warnings)
    released.set()
    join_writers()


def test_another_process_that_writes_for_long_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    record(tmp_path, run_of("a1", 2))
    other = sqlite3.connect(tmp_path / "history.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    warnings = []

    async def play():
        history = History.open(tmp_path)
        async with recorder.recording(history, OPTIONS, Heard(), warnings.append) as observer:
            *events, last = run_of("a2", 2)
            for event in events:
                observer.handle(event)
            await asyncio.sleep(0.3)
            other.execute("COMMIT")
            while len(history.runs()) < 2:
                await asyncio.sleep(0.01)
            observer.handle(last)

    asyncio.run(play())
    other.close()
    assert warnings == []
    with History.open(tmp_path) as history:
        assert history.run("a2").exit_code == 0


# -- several processes, and one that is killed

WRITER = """
    import sys
    from pathlib import Path
    from tests.deploy.history.runs import record, run_of
    for n in range(15):
        heard, warnings = record(Path(sys.argv[1]), run_of(f"{sys.argv[2]}{n:02}", 20))
        assert warnings == [], warnings
    """


def test_processes_that_write_at_once_lose_nothing(tmp_path):
    words = [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path)]
    writers = [subprocess.Popen([*words, name], cwd=ROOT) for name in ("a", "b", "c")]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    with History.open(tmp_path) as history:
        runs = history.runs()
        assert {run.id for run in runs} == {f"{name}{n:02}" for name in "abc" for n in range(15)}
        for run in runs:
            assert (run.exit_code, run.good, run.lost) == (3, 18, 2)
            assert sum(1 for host in history.hosts(run.id) if host.status) == 20
            assert history.document(run.id)["run_id"] == run.id
            assert history.course(run.id) is not None
            assert history.receipt(run.id) is not None, "of two keys made at once one must count"
        assert history.read("PRAGMA integrity_check")[0][0] == "ok"
    assert list((tmp_path / "running").iterdir()) == []


KILLED = """
    import asyncio, sys, time
    from pathlib import Path
    from fleetpush.deploy.history import recorder
    from fleetpush.deploy.history.history import History
    from tests.deploy.history.runs import OPTIONS, Heard, run_of
    recorder.WRITE_EVERY = recorder.COURSE_EVERY = 0.01
    async def play():
        history = History.open(Path(sys.argv[1]))
        async with recorder.recording(history, OPTIONS, Heard(), print) as observer:
            for event in run_of("dead", 300)[:-1]:
                observer.handle(event)
            print("played", flush=True)
            await asyncio.sleep(60)
    asyncio.run(play())
    """


def test_a_killed_run_is_interrupted_and_what_it_knew_is_there(tmp_path):
    words = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "played\n"
        with History.open(tmp_path) as history:
            while not (history.runs() and all(h.status for h in history.hosts("dead"))):
                os.sched_yield()
            assert history.run("dead").status == "running"
            while history.course("dead") is None:
                os.sched_yield()
        process.send_signal(signal.SIGKILL)
    with History.open(tmp_path) as history:
        run = history.run("dead")
        assert (run.status, run.exit_code, run.ended) == ("interrupted", None, None)
        assert run.good + run.lost == 300
        assert history.course("dead").hosts["node1"].bytes_done > 0
        check = history.read("PRAGMA integrity_check")[0][0]
        assert check == "ok"
    record(tmp_path, run_of("next", 2))


def test_killing_it_while_it_writes_leaves_a_sound_file(tmp_path):
    words = [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path)]
    for n in range(3):
        with subprocess.Popen([*words, f"k{n}-"], cwd=ROOT) as process:
            while True:
                with History.open(tmp_path) as history:
                    if sum(run.id.startswith(f"k{n}-") for run in history.runs()) > 3:
                        break
            process.send_signal(signal.SIGKILL)
        with History.open(tmp_path) as history:
            assert {run.status for run in history.runs()} <= {"failed", "interrupted"}
            check = history.read("PRAGMA integrity_check")[0][0]
            assert check == "ok"


# -- secrets


def everything(place):
    """All bytes of all files, and all that is packed in them."""
    raw = b"".join(path.read_bytes() for path in place.rglob("*") if path.is_file())
    with sqlite3.connect(place / "history.sqlite3") as found:
        packed = [zlib.decompress(row[0]) for row in found.execute("SELECT body FROM bodies")]
    found.close()
    return raw + b"".join(packed)


def test_no_secret_is_in_the_files(tmp_path):
    options = DeployOptions(
        sources=("model.pt",),
        inventories=("dc1.yaml",),
        extra_vars=("site=ams db_password=hunter2", json.dumps({"x": {"token": "hunter2"}})),
        ssh=SshOptions(password="hunter2", become_password="hunter2"),
    )
    record(tmp_path, run_of("a1"), options, error=RuntimeError("hunter2"))
    found = everything(tmp_path)
    assert b"hunter2" not in found
    for there in (b"model.pt", b"site", b"db_password", b"known_hosts has no key"):
        assert there in found, "else the line above could not fail"


def test_events_cost_the_loop_next_to_nothing(tmp_path):
    """No call of ``handle`` waits for the disk, not even where that takes for ever."""
    stuck = threading.Event()
    history = History.open(tmp_path)
    history.writing = lambda **_: stuck.wait() and None
    observer = recorder.Recorder(history, OPTIONS, Heard())
    for event in run_of("a1", 100):
        observer.handle(event)
    assert isinstance(observer._observer.events[0], RunStarted)
    stuck.set()
    join_writers()
