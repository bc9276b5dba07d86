"""``fleetpush demo`` as a user would try it first."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from tests.e2e.desk import Command
from tests.e2e.hosts import wait_until


def processes_with(mark: bytes) -> list[int]:
    """Those whose environment says so."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def test_the_demo_proves_itself_and_leaves_nothing(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    env = {"PATH": "/usr/bin:/bin", "TMPDIR": str(temporary), "HOME": str(tmp_path)}
    env["PYTHONPATH"] = str(Path.cwd())
    words = ["demo", "--hosts", "4", "--size", "8M", "-o", "json", "--progress", "plain"]
    demo = Command(tmp_path, words, env)
    mark = f"TMPDIR={temporary}".encode()
    wait_until(lambda: len(processes_with(mark)) > 1 or not demo.running, 30, "its server")
    done = demo.outcome()
    assert done.exit == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["hosts"]["verified"] == document["hosts"]["activated"] == 4
    assert len(document["proof"]) == 2, document["proof"]
    sha256 = document["manifest"]["files"][0]["sha256"]
    assert document["proof"][0].startswith(sha256)
    assert "nothing else is left" in document["proof"][1]
    assert list(temporary.iterdir()) == []
    assert processes_with(mark) == []
