"""Commands on a host: what they print, how they end, what they leave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from fleetpush.agent.tasks.command import KEPT, run
from fleetpush.errors import HostError
from tests.e2e.hosts import wait_until

if TYPE_CHECKING:
    from pathlib import Path


def shell(line: str, **more: Any) -> dict[str, Any]:
    return run({"shell": line, **more}, threading.Event())


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0] != "Z"


def test_both_streams_and_the_status_come_back() -> None:
    found = shell("echo out; echo err >&2; exit 3")
    assert (found["rc"], found["stdout"], found["stderr"]) == (3, "out\n", "err\n")


def test_what_it_starts_may_leave_a_core_file_as_ever_and_the_agent_none() -> None:
    """In a process of its own: limits are the whole process's."""
    program = """if True:
        import resource, threading
        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
        from fleetpush.agent.cores import forbid
        from fleetpush.agent.tasks.command import run
        forbid()
        theirs = run({"shell": "ulimit -S -c; ulimit -H -c"}, threading.Event())["stdout"].split()
        assert theirs[0] == theirs[1], theirs
        assert resource.getrlimit(resource.RLIMIT_CORE) == (0, hard)
    """
    subprocess.run([sys.executable, "-c", program], check=True)


def test_words_go_through_no_shell(tmp_path: Path) -> None:
    found = run({"argv": ["echo", "$HOME;", "a  b"], "chdir": str(tmp_path)}, threading.Event())
    assert found["stdout"] == "$HOME; a  b\n"


def test_it_works_where_it_is_told_to_and_reads_what_it_is_given(tmp_path: Path) -> None:
    found = shell("pwd; cat", chdir=str(tmp_path), stdin="given\n")
    assert found["stdout"] == f"{tmp_path}\ngiven\n"
    assert shell("cat")["stdout"] == ""  # without input it waits for nobody


def test_environment() -> None:
    assert shell("echo $GREETING", environment={"GREETING": "hello"})["stdout"] == "hello\n"


@pytest.mark.parametrize(
    ("condition", "there", "skipped"),
    [
        ("creates", True, True),
        ("creates", False, False),
        ("removes", True, False),
        ("removes", False, True),
    ],
)
def test_what_is_done_already_is_skipped(
    tmp_path: Path, condition: str, there: bool, skipped: bool
) -> None:
    if there:
        (tmp_path / "mark-1").touch()
    ran = tmp_path / "ran"
    found = shell(f"touch {ran}", chdir=str(tmp_path), **{condition: "mark-*"})
    assert found["skipped"] is skipped
    assert ran.exists() is not skipped


def test_a_flood_keeps_its_beginning_and_its_end() -> None:
    found = shell("echo begin; head -c 3000000 /dev/zero | tr '\\0' x; echo end")["stdout"]
    assert found.startswith("begin\n")
    assert found.endswith("xend\n")
    assert "bytes left out" in found
    assert len(found) < 2 * KEPT + 100


def test_out_of_time_nothing_of_it_is_left(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    line = f"sleep 300 & echo $! >> {pids}; echo $$ >> {pids}; echo working; sleep 300"
    with pytest.raises(
        HostError, match=r"not done within 0.5 s.*Its last words: working"
    ) as raised:
        shell(line, timeout=0.5)
    assert raised.value.slug == "command_timeout"
    for pid in pids.read_text().split():
        wait_until(lambda pid=pid: not alive(int(pid)), 3, "every process ended")


def test_what_ignores_the_request_to_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleetpush.agent.tasks.command.KILL_AFTER", 0.2)
    with pytest.raises(HostError):
        shell("trap '' TERM; while :; do sleep 0.05; done", timeout=0.3)


def test_the_end_of_the_run_ends_it(tmp_path: Path) -> None:
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    pidfile = tmp_path / "pid"
    with pytest.raises(HostError) as raised:
        run({"shell": f"echo $$ > {pidfile}; sleep 300"}, stop)
    assert raised.value.slug == "command_interrupted"
    wait_until(lambda: not alive(int(pidfile.read_text())), 3, "it ended")


def test_a_service_started_by_hand_goes_on_and_holds_nobody_up(tmp_path: Path) -> None:
    began = time.monotonic()
    found = shell(f"sleep 60 & echo $! > {tmp_path}/pid")  # it keeps our pipes open
    assert found["rc"] == 0
    assert time.monotonic() - began < 30
    pid = int((tmp_path / "pid").read_text())
    assert alive(pid)
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("arguments", "slug"),
    [
        ({"argv": ["/no/such/program"]}, "command_not_found"),
        ({"shell": "true", "chdir": "/no/such/place"}, "bad_chdir"),
    ],
)
def test_what_cannot_begin_says_why(arguments: dict[str, Any], slug: str) -> None:
    with pytest.raises(HostError) as raised:
        run(arguments, threading.Event())
    assert raised.value.slug == slug
