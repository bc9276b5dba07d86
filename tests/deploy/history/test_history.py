"""The history as its readers have it: runs, prefixes, notes; and a file that is not as it should be."""

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path

import pytest

from fleetpush.deploy.history import alive, database, entry
from fleetpush.deploy.history.database import HistoryError
from fleetpush.deploy.history.history import History
from fleetpush.deploy.history.kept import keep
from fleetpush.errors import InputError
from tests.deploy.history.runs import OPTIONS, record, run_of

ROOT = Path(__file__).parents[3]


@pytest.fixture
def place(tmp_path):
    return tmp_path / "state" / "fleetpush"


def test_a_run_is_there_as_it_was(place):
    events = run_of("a1b2")
    record(place, events)
    with History.open(place) as history:
        run = history.run("a1b2")
        assert (run.command, run.status, run.exit_code) == ("deploy", "failed", 3)
        assert (run.source, run.size, run.hosts, run.good, run.lost) == (
            "model.pt",
            5_000_000_000,
            12,
            11,
            1,
        )
        assert (run.topology, run.discovery, run.encrypt) == ("mesh", "tracker", True)
        assert run.kept().options.sources == (str(Path.cwd() / "model.pt"),)
        assert history.document(run.id) == json.loads(json.dumps(events[-1].report.as_json()))
        hosts = history.hosts(run.id)
        assert [h.name for h in hosts] == [f"node{n}" for n in range(1, 13)]
        assert [h.slug for h in hosts if h.status == "failed"] == ["no_python"]
        course = history.course(run.id)
        assert course.hosts["node1"].bytes_done == 5_000_000_000
        assert [n.message for n in course.notices] == ["known_hosts has no key of the jump host"]


def test_the_newest_comes_first_and_is_called_last(place):
    for run_id in ("aa1", "aa2", "bb1"):
        record(place, run_of(run_id, 2))
    history = History.open(place)
    assert [run.id for run in history.runs()] == ["bb1", "aa2", "aa1"]
    assert [run.id for run in history.runs(2)] == ["bb1", "aa2"]
    assert history.run("last").id == "bb1"
    assert history.run("b").id == "bb1"
    assert history.run("aa2").id == "aa2"
    history.close()


def test_an_id_that_is_whole_needs_no_more_letters(place):
    for run_id in ("aa", "aab"):
        record(place, run_of(run_id, 2))
    with History.open(place) as history:
        assert history.run("aa").id == "aa"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("aa", "2 runs begin with 'aa' (aa2, aa1): write more of its id"),
        ("c", "no run 'c' is recorded"),
        ("", "no run ''"),
        ("%", "no run '%'"),
    ],
)
def test_a_run_that_is_not_told_from_others_is_refused(place, name, words):
    for run_id in ("aa1", "aa2"):
        record(place, run_of(run_id, 2))
    with History.open(place) as history, pytest.raises(InputError) as caught:
        history.run(name)
    assert words in str(caught.value)
    assert caught.value.exit_code == 5


def test_looking_at_no_history_makes_none(place):
    with History.open(place) as history:
        assert history.runs() == []
        assert history.notes("a") == {}
        with pytest.raises(InputError, match="no run is recorded in"):
            history.run("last")
    assert not place.exists()


def test_it_is_its_owners_alone(place):
    history = History.open(place)
    history.note("a", "b", 1)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    files = list(place.iterdir())
    assert {p.name for p in files} >= {"history.sqlite3", "history.sqlite3-wal"}
    assert {stat.S_IMODE(p.stat().st_mode) for p in files} == {0o600}
    history.close()


def test_so_it_is_where_a_run_has_made_it(place):
    record(place, run_of("a1", 2))
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (place, *place.iterdir())}
    keys = {"receipt_key": 0o600, "receipt_key.pub": 0o600}
    assert modes == {"fleetpush": 0o700, "history.sqlite3": 0o600, "running": 0o700, **keys}


@pytest.mark.parametrize(
    ("xdg", "wanted"),
    [
        ("/x", "/x/fleetpush"),
        ("", "/h/.local/state/fleetpush"),
        ("relative", "/h/.local/state/fleetpush"),
    ],
)
def test_the_default_place(monkeypatch, xdg, wanted):
    monkeypatch.setenv("XDG_STATE_HOME", xdg)
    monkeypatch.setenv("HOME", "/h")
    assert History.open().state_dir == Path(wanted)


# -- notes


def test_notes_are_kept_by_key_and_the_later_one_counts(place):
    with History.open(place) as history:
        history.note("a", "decision", {"hosts": ["x"], "to": "commit"})
        history.note("a", "half", 0.5)
        history.note("b", "decision", None)
        history.note("a", "half", [1])
    with History.open(place) as history:
        assert history.notes("a") == {"decision": {"hosts": ["x"], "to": "commit"}, "half": [1]}
        assert history.notes("b") == {"decision": None}
        assert history.notes("c") == {}


def test_a_note_is_on_disk_before_note_returns(place):
    """Whoever is killed right afterwards has noted it; and the commit was synced, not only written."""
    program = f"""
        import os, signal
        from pathlib import Path
        from fleetpush.deploy.history.history import History
        history = History.open(Path({str(place)!r}))
        history.note("a", "decision", "commit")
        level = history._database.execute("PRAGMA synchronous").fetchone()[0]
        print(level, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert (done.stdout, done.returncode) == ("2\n", -9)
    with History.open(place) as history:
        assert history.notes("a") == {"decision": "commit"}


def test_threads_may_share_it(place):
    with History.open(place) as history:
        threads = [
            threading.Thread(
                target=lambda n=n: [history.note("a", f"{n}.{i}", i) for i in range(20)]
            )
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(history.notes("a")) == 80


# -- files that are not as they should be


def open_and_write(place):
    with History.open(place) as history:
        history.note("a", "b", 1)


def open_and_read(place):
    with History.open(place) as history:
        history.runs()


@pytest.fixture(params=[open_and_write, open_and_read])
def use(request):
    return request.param


def refusal(use, place):
    with pytest.raises(HistoryError) as caught:
        use(place)
    assert caught.value.exit_code == 5
    assert str(place) in str(caught.value)
    return str(caught.value)


def test_one_of_a_newer_program_is_left_alone(place, use):
    open_and_write(place)
    with sqlite3.connect(place / "history.sqlite3") as raw:
        raw.execute(f"PRAGMA user_version = {database.FORMAT + 1}")
    raw.close()
    assert "written by a newer fleetpush" in refusal(use, place)


def test_another_programs_database_is_left_alone(place, use):
    place.mkdir(parents=True)
    with sqlite3.connect(place / "history.sqlite3") as raw:
        raw.execute("CREATE TABLE precious (x)")
    raw.close()
    assert "another program's database" in refusal(use, place)


def test_what_is_no_database_is_called_damaged(place, use):
    place.mkdir(parents=True)
    (place / "history.sqlite3").write_bytes(b"not a database at all" * 200)
    assert "is damaged" in refusal(use, place)


def test_a_damaged_record_is_named(place):
    record(place, run_of("a1"))
    with sqlite3.connect(place / "history.sqlite3") as raw:
        raw.execute("UPDATE bodies SET body = x'00'")
        raw.execute("UPDATE runs SET options = '{}'")
    raw.close()
    with History.open(place) as history:
        assert [run.id for run in history.runs()] == ["a1"], "the others can still be listed"
        for read in (history.document, history.course):
            with pytest.raises(HistoryError, match="record of run a1 is damaged"):
                read("a1")
        with pytest.raises(HistoryError, match="record of run a1 is damaged"):
            history.run("a1").kept()


def test_an_empty_file_is_no_history_yet(place):
    place.mkdir(parents=True)
    (place / "history.sqlite3").touch()
    open_and_read(place)
    open_and_write(place)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a directory to somebody else")
def test_somebody_who_may_only_read_it_can():
    """As on a read-only file system: no file can be made beside it."""
    place = Path(tempfile.mkdtemp())
    record(place, run_of("a1", 2))
    place.chmod(0o755)
    (place / "history.sqlite3").chmod(0o644)
    program = f"""
        import os
        from pathlib import Path
        from fleetpush.deploy.history.history import History
        os.setgid(65534); os.setuid(65534)
        with History.open(Path({str(place)!r})) as history:
            print(history.run("last").id, len(history.hosts("a1")))
            try:
                history.note("a1", "b", 1)
            except Exception as error:
                print(type(error).__name__, error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    shutil.rmtree(place)
    first, second = done.stdout.splitlines()
    assert first == "a1 2"
    assert second.startswith("HistoryError")
    assert "cannot be written" in second


# -- old runs


def test_old_runs_are_forgotten_with_all_that_was_theirs(place, monkeypatch):
    monkeypatch.setattr(entry, "KEPT_RUNS", 3)
    record(place, run_of("a0", 2))
    with History.open(place) as history:
        history.note("a0", "x", 1)
        for n in range(1, 5):
            record(place, run_of(f"a{n}", 2))
        assert [run.id for run in history.runs()] == ["a4", "a3", "a2"]
        assert history.notes("a0") == {}
    with sqlite3.connect(place / "history.sqlite3") as raw:
        for table in database.OF_A_RUN:
            runs = {row[0] for row in raw.execute(f"SELECT run FROM {table}")}
            assert runs <= {"a2", "a3", "a4"}
    raw.close()


def test_a_run_that_goes_on_is_not_forgotten(place, monkeypatch):
    monkeypatch.setattr(entry, "KEPT_RUNS", 1)
    begun = run_of("a0", 2)[0]
    with History.open(place) as history:
        going = entry.Entry(history, begun)
        going.begin(1.0, keep(OPTIONS, Path("/")), None)
        for n in range(1, 4):
            record(place, run_of(f"a{n}", 2))
        assert [run.id for run in history.runs()] == ["a3", "a0"]
        assert history.run("a0").status == "running"
        going.release()
        assert history.run("a0").status == "interrupted"
        assert not alive.lives(place, "a0")
