"""Hosts that were taken over run a real agent that was turned: they are named, and nobody else is harmed."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from fleetpush.deploy.options import DeployOptions
from fleetpush.deploy.progress import Notice
from fleetpush.deploy.results import HostStatus
from fleetpush.deploy.runner import Run

if TYPE_CHECKING:
    from pathlib import Path

TURNED = """\
#!{python}
import json, sys
stub = json.loads(sys.argv[4][len("exec("):-1])
sys.argv = ["-c", *sys.argv[5:]]
stub = stub.replace("\\nmain()\\n", "\\n" + {turn!r} + "\\nmain()\\n")
exec(stub)
"""
"""In the place of a host's Python: runs what it is sent, but for what ``turn`` changes in it."""

POISONER = """
from fleetpush.agent.store import HostStore
HostStore.read_block = lambda self, chunk, block: bytes(self._manifest.block_length(chunk, block))
"""
LIAR = """
from fleetpush.agent.control import Control
say = Control.say
lie = {"address": "x" * 300}
Control.say = lambda self, m, **how: say(self, {**m, **lie} if m["is"] == "hello" else m, **how)
"""
HOSTS = {"good1": "", "good2": "", "good3": "", "poisoner": POISONER, "liar": LIAR}


def inventory(where: Path) -> Path:
    lines = []
    for number, (name, turn) in enumerate(HOSTS.items()):
        line = f"{name} ansible_connection=local ansible_host=127.0.0.{number + 1}"
        if turn:
            python = where / f"{name}-python"
            python.write_text(TURNED.format(python=sys.executable, turn=turn))
            python.chmod(0o700)
            line += f" ansible_python_interpreter={python}"
        lines.append(line + "\n")
    path = where / "hosts.ini"
    path.write_text("".join(lines))
    return path


class Watcher:
    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def handle(self, event: object) -> None:
        if isinstance(event, Notice):
            self.notices.append(event)


async def test_one_that_sends_wrong_bytes_and_one_that_lies_to_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    content = os.urandom(6_000_000)
    (tmp_path / "model.pt").write_bytes(content)
    options = DeployOptions(
        sources=(str(tmp_path / "model.pt"),),
        inventories=(str(inventory(tmp_path)),),
        dest=f"{tmp_path}/{{{{ inventory_hostname }}}}/model.pt",
        gather=True,
    )
    watcher = Watcher()
    report = await Run(options, watcher).execute()
    results = {result.host: result for result in report.results}
    assert report.exit_code == 3
    for name in ("good1", "good2", "good3"):
        assert results[name].status is HostStatus.VERIFIED
        assert (tmp_path / name / "model.pt").read_bytes() == content
    assert results["liar"].slug == "bad_agent"
    assert "address" in results["liar"].message
    assert not (tmp_path / "liar" / "model.pt").exists()
    dropped = [n for n in watcher.notices if "dropped its neighbour" in n.message]
    assert dropped
    assert {n.host for n in dropped} <= {"good1", "good2", "good3"}
    assert all("neighbour poisoner: it sent bytes" in n.message for n in dropped)
