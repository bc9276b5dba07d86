"""Runs that must not overlap, or not all begin at once: what comes before a verb's work."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from fleetpush.cli import job
from fleetpush.cli.main import app
from tests.report.endings import figures


def invoke(*words, **more):
    return CliRunner().invoke(app, ["deploy", "model.pt", "-i", "dc1.yaml", *words], **more)


class Command:
    """``fleetpush deploy`` with a real run, which hangs in an inventory that is a slow program."""

    def __init__(self, tmp_path, *words, inventory="slow"):
        for name, text in [("slow", "echo $$ >>slow.pid; exec sleep 600"), ("bad", "exit 7")]:
            script = tmp_path / name
            script.write_text(f"#!/bin/sh\n{text}\n")
            script.chmod(0o755)
        self.error = tmp_path / f"stderr{len(list(tmp_path.glob('stderr*')))}"
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": os.getcwd()}
        with self.error.open("w") as error:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "fleetpush", "deploy", "x", "-i", f"./{inventory}", *words],
                cwd=tmp_path,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=error,
            )

    def says(self, words):
        """Waits until its stderr has ``words``."""
        for _ in range(3000):
            if words in self.error.read_text():
                return
            assert self.process.poll() is None, self.error.read_text()
            time.sleep(0.01)
        raise AssertionError(self.error.read_text())

    def end(self):
        """Its exit code and its last line."""
        code = self.process.wait(60)
        return code, self.error.read_text().splitlines()[-1]


@pytest.fixture
def command(tmp_path):
    """Starts commands, and ends them and the programs that they wait for."""
    running = []

    def start(*words, **more):
        running.append(Command(tmp_path, *words, **more))
        return running[-1]

    yield start
    for one in running:
        one.process.kill()
        one.process.wait()
    slow = tmp_path / "slow.pid"
    for pid in slow.read_text().split() if slow.exists() else ():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


def exists(path):
    for _ in range(3000):
        if path.exists() and path.read_text():
            return
        time.sleep(0.01)
    raise AssertionError(f"no {path}")


def test_a_second_run_is_refused_until_the_first_is_gone_even_if_its_children_live(
    command, tmp_path
):
    first = command("--lock", "run.lock")
    exists(tmp_path / "slow.pid")
    refused = command("--lock", "run.lock", "--metrics", "run.prom", "--junit", "run.xml")
    code, said = refused.end()
    assert code == 75
    holder = f"which pid {first.process.pid} has held since 2"
    assert said.startswith(f"error: another run is under way: the lock is run.lock, {holder}")
    assert len(refused.error.read_text().splitlines()) == 1
    assert figures(tmp_path / "run.prom")[0]["run_exit_code"] == 75
    assert 'type="locked"' in (tmp_path / "run.xml").read_text()
    first.process.kill()
    first.process.wait()
    os.kill(int((tmp_path / "slow.pid").read_text()), 0)
    assert command("--lock", "run.lock", inventory="bad").end()[0] == 5
    assert (tmp_path / "run.lock").stat().st_mode & 0o777 == 0o600


def test_a_run_that_waits_for_the_lock_says_so_and_then_runs(command, tmp_path):
    first = command("--lock", "run.lock")
    exists(tmp_path / "slow.pid")
    second = command("--lock", "run.lock", "--lock-wait", "1m", inventory="bad")
    second.says(f"waiting for the lock run.lock, which pid {first.process.pid} has held since")
    first.process.kill()
    assert second.end()[0] == 5


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_delay_before_anything_is_touched(command, tmp_path, number, code):
    delayed = command("--splay", "1000h", "--lock", "run.lock", "--junit", "run.xml")
    delayed.says("beginning in ")
    assert "(--splay 41d16h)" in delayed.error.read_text()
    delayed.process.send_signal(number)
    assert delayed.end() == (code, "error: stopped before any host was touched")
    assert (tmp_path / "run.lock").read_text() == ""
    assert 'type="interrupted"' in (tmp_path / "run.xml").read_text()
    assert not (tmp_path / "slow.pid").exists()


def test_the_delay_is_drawn_anew_each_time_and_never_longer_than_told(script, monkeypatch):
    script.become_clean()
    drawn, slept = [], []
    monkeypatch.setattr(job.random, "uniform", lambda low, high: drawn.append((low, high)) or 0.01)
    real = asyncio.sleep

    async def sleep(seconds):
        slept.append(seconds)
        await real(0)

    monkeypatch.setattr(job.asyncio, "sleep", sleep)
    result = invoke("--splay", "10m")
    assert result.exit_code == 0
    assert (drawn, slept) == ([(0.0, 600.0)], [0.01])
    assert "beginning in 0.01s (--splay 10m00s)" in result.stderr
    invoke("--splay", "0")
    assert len(drawn) == 1


def test_the_time_of_the_run_begins_behind_the_delay_and_the_lock(script, monkeypatch, tmp_path):
    script.become_clean()
    steps = []

    async def delay(most, say):
        steps.append("delay")

    async def acquire(self, wait, waiting):
        steps.append(f"lock {wait:g}")

    monkeypatch.setattr(job, "_delay", delay)
    monkeypatch.setattr(job.LockFile, "acquire", acquire)
    made = sys.modules["fleetpush.deploy.runner"].Run.__init__

    def run(self, options, observer, memory=None):
        steps.append(f"run {options.deadline:g}")
        made(self, options, observer, memory)

    monkeypatch.setattr(sys.modules["fleetpush.deploy.runner"].Run, "__init__", run)
    words = ["--lock", str(tmp_path / "lock"), "--lock-wait", "2m", "--deadline", "1m"]
    assert invoke(*words, "--splay", "1m").exit_code == 0
    assert steps == ["delay", "lock 120", "run 60"]


@pytest.mark.parametrize("flag", ["--lock", "--junit", "--metrics"])
def test_the_shell_completes_files(flag):
    env = {
        "_FLEETPUSH_COMPLETE": "complete_zsh",
        "_TYPER_COMPLETE_ARGS": f"fleetpush deploy {flag} ",
    }
    result = CliRunner().invoke(app, [], env=env, prog_name="fleetpush")
    assert result.stdout.split() == ["_files"]


def test_a_lock_file_that_is_something_else_exits_5(script, tmp_path):
    (tmp_path / "model.pt").write_text("weights")
    result = invoke("--lock", str(tmp_path / "model.pt"))
    assert (result.exit_code, script.options) == (5, None)
    assert "it has other content" in result.stderr
    assert (tmp_path / "model.pt").read_text() == "weights"


def test_a_command_follows_a_run_that_is_well_and_knows_it(script, tmp_path, capfd):
    script.become_clean()
    told = tmp_path / "told"
    more = f"env | grep ^FLEETPUSH_ >{told}; echo aloud"
    found = invoke("--on-success", more, "-o", "json")
    assert found.exit_code == 0, found.stderr
    known = dict(line.split("=", 1) for line in told.read_text().splitlines())
    document = json.loads(found.stdout)  # what the command says is not in it
    assert "aloud" in capfd.readouterr().err
    assert known["FLEETPUSH_RUN_ID"] == document["run_id"]
    assert known["FLEETPUSH_DIGEST"] == document["manifest"]["digest"]
    assert known["FLEETPUSH_HOSTS_VERIFIED"] == str(document["hosts"]["verified"])


@pytest.mark.parametrize(
    ("command", "how"), [("exit 7", "ended with 7"), ("kill -9 $$", "was ended by signal 9")]
)
def test_a_command_that_fails_is_the_runs_failure(script, tmp_path, command, how):
    script.become_clean()
    metrics = tmp_path / "run.prom"
    found = invoke("--on-success", command, "-o", "json", "--metrics", str(metrics))
    assert found.exit_code == 5
    document = json.loads(found.stdout)
    assert (document["exit_code"], document["status"]) == (5, "failed")
    assert document["error"] == f"all went well but for --on-success: {command!r} {how}"
    assert figures(metrics)[0]["run_exit_code"] == 5


def test_no_command_follows_a_run_that_failed(script, tmp_path):
    found = invoke("--on-success", f"touch {tmp_path}/done")
    assert found.exit_code == 3
    assert not (tmp_path / "done").exists()
