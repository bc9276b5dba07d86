"""Tab in real shells, after ``fleetpush --install-completion`` has done all there is to do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from fleetpush.cli import completion
from tests.deploy.history.runs import record, run_of

BIN = Path(sys.executable).parent
SHELLS = ("bash", "zsh", "fish")
INVENTORY = """
all:
  hosts: {lonely: }
  children:
    webservers: {hosts: {"web[01:03]": }}
    databases: {hosts: {db-a: , db-b: }}
"""


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A working directory with inventories."""
    (tmp_path / "inventories").mkdir()
    (tmp_path / "inventories" / "dc1.yaml").write_text(INVENTORY)
    (tmp_path / "inventories" / "dc2.yaml").write_text(INVENTORY)
    (tmp_path / "model.pt").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Terminal:
    """An interactive shell on a terminal of its own, with what ``--install-completion`` wrote."""

    def __init__(self, shell: str, home: Path, env: dict[str, str]) -> None:
        path = shutil.which(shell)
        if path is None or shutil.which("script") is None:
            pytest.skip(f"no {shell} or no script(1) on this machine")
        self.env = {
            "HOME": str(home),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "TERM": "xterm",
            "LC_ALL": "C.UTF-8",
            **env,
        }
        command = [path, "-c", "fleetpush --install-completion; true"]
        done = subprocess.run(
            command, check=False, env=self.env, capture_output=True, text=True, cwd=home
        )
        assert f"{shell} completion installed" in done.stdout, done.stderr
        self._process = subprocess.Popen(
            ["script", "-qec", f"{path} -i", "/dev/null"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.env,
            cwd=home,
        )
        self._seen = bytearray()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        while data := os.read(self._process.stdout.fileno(), 4096):
            self._seen += data

    @property
    def screen(self) -> str:
        """What was printed, without the escapes that colour and move it."""
        text = self._seen.decode(errors="replace")
        return re.sub(r"\x1b(?:\[[0-9;?=>]*[A-Za-z]|\][^\x07]*\x07|[=>()][0B]?)|\r|\x08", "", text)

    def type(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode())
        self._process.stdin.flush()

    def shows(self, text: str, within: float = 20.0, since: int = 0) -> None:
        """Waits for it, behind the first ``since`` characters."""
        give_up = time.monotonic() + within
        while text not in self.screen[since:]:
            assert time.monotonic() < give_up, f"no {text!r} on the screen: {self.screen!r}"
            time.sleep(0.05)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.terminate()
        self._process.wait(10)
        self._reader.join(10)
        self._process.stdout.close()


@pytest.fixture(params=SHELLS)
def terminal(request, desk):
    terminal = Terminal(request.param, desk, {"FLEETPUSH_USER": "hal"})
    terminal.type("echo re''ady\n")
    terminal.shows("ready")
    if request.param == "zsh":  # the first Tab of a shell makes it load Typer's script, and rings
        terminal.type("fleetpush dep\t")
        terminal.shows("\a")
        terminal.type("\x15")
    yield terminal
    terminal.close()


CASES = [
    ("fleetpush dep", "fleetpush deploy"),
    ("fleetpush deploy --host-key-c", "--host-key-checking"),
    ("fleetpush deploy --host-key-checking acc", "accept-new"),
    ("fleetpush deploy --topology m", "mesh"),
    ("fleetpush deploy mod", "model.pt"),
    ("fleetpush deploy model.pt -i dc1", "dc1.yaml"),
    ("fleetpush deploy model.pt -i dc1.yaml -l lon", "lonely"),
    ("fleetpush check -i dc1.yaml --limit webs", "webservers"),
    ("fleetpush deploy model.pt -i dc1.yaml -l web01,databases,lon", "web01,databases,lonely"),
]


def test_tab_completes(terminal):
    for typed, completed in CASES:
        before = len(terminal.screen)
        terminal.type(f"{typed}\t")
        terminal.shows(completed, since=before)
        assert completed not in typed
        terminal.type("\x15")  # the line is taken back


def test_the_script_can_be_had_for_any_shell_without_being_in_it():
    for shell in SHELLS:
        env = {**os.environ, "_FLEETPUSH_COMPLETE": f"source_{shell}"}
        done = subprocess.run(
            [BIN / "fleetpush"], check=True, env=env, capture_output=True, text=True
        )
        assert "fleetpush" in done.stdout
        assert done.stderr == ""


def offered(limit, *inventories):
    names = completion.hosts_and_groups(SimpleNamespace(params={"inventories": inventories}), limit)
    return [name for name in names if name.startswith(limit)]


def test_groups_come_before_hosts(desk):
    assert offered("", "dc1.yaml") == [
        *("all", "ungrouped", "webservers", "databases"),
        *("lonely", "web01", "web02", "web03", "db-a", "db-b"),
    ]


@pytest.mark.parametrize(
    ("limit", "found"),
    [
        ("db-", ["db-a", "db-b"]),
        ("web01,db-", ["web01,db-a", "web01,db-b"]),
        ("all:!dat", ["all:!databases"]),
        ("all:&web02", ["all:&web02"]),
        ("!lon", ["!lonely"]),
        ("nothing", []),
    ],
)
def test_each_part_of_a_pattern_is_completed(desk, limit, found):
    assert offered(limit, "dc1.yaml") == found


def test_hosts_without_a_file(desk):
    assert offered("n", "n1,n2,") == ["n1", "n2"]


def test_what_cannot_be_read_offers_nothing(desk, capfd):
    (desk / "broken.yaml").write_text("all: [")
    assert offered("", "broken.yaml") == offered("", "nowhere.yaml") == offered("") == []
    assert capfd.readouterr() == ("", "")


def test_inventories_are_offered_where_no_file_beside_fits(desk):
    assert completion.inventories("dc") == ["dc1.yaml", "dc2.yaml"]
    assert completion.inventories("mod") == []
    assert completion.inventories("inventories/d") == []
    shutil.rmtree(desk / "inventories")
    assert completion.inventories("dc") == []


def test_runs_are_offered_by_their_ids(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    context = SimpleNamespace(params={})
    assert completion.runs(context, "") == []
    for run_id in ("aa11", "ab22"):
        record(tmp_path / "fleetpush", run_of(run_id, 2))
    assert completion.runs(context, "") == ["last", "ab22", "aa11"]
    assert "ab22" not in completion.runs(context, "aa")
    there = SimpleNamespace(params={"state_dir": tmp_path / "nowhere"})
    assert completion.runs(there, "") == []
    (tmp_path / "fleetpush" / "history.sqlite3").write_bytes(b"damaged" * 999)
    assert completion.runs(context, "") == []
