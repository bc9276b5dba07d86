"""No secret can be seen by other users of the operator's machine or of a host while a run goes on."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import zlib
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.hosts import agents, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.e2e.desk import Desk

pytestmark = pytest.mark.sshd

MIB = 1024 * 1024
PASSWORD = "correct-horse-battery-staple"
BECOME_PASSWORD = "tr0ub4dor-and-three"
SUDO = f"""\
while [ "$1" != -- ]; do
  if [ "$1" = -p ]; then prompt=$2; shift; fi
  shift
done
shift
printf %s "$prompt" >&2
read -r answer
if [ "${{#answer}}" != {len(BECOME_PASSWORD)} ]; then echo 'Sorry, try again.' >&2; exit 1; fi
exec "$@"
"""
"""Asks as the real one does. (What that does is tested where its rules may be changed.)"""


def told(file: str, secrets: Iterable[bytes], pids: Iterable[int]) -> dict[int, bytes]:
    """The processes in whose ``file`` of /proc one of ``secrets`` stands."""
    found = {}
    for pid in pids:
        with suppress(OSError):
            text = Path(f"/proc/{pid}/{file}").read_bytes()
            if any(secret in text for secret in secrets):
                found[pid] = text
    return found


def everyone() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def test_nothing_secret_in_arguments_environments_files_or_output(desk: Desk) -> None:
    source = desk.source(8 * MIB)
    key = "".join(desk.fleet.key.read_text().splitlines()[1:-1])
    secrets = [
        PASSWORD.encode(),
        BECOME_PASSWORD.encode(),
        b"PRIVATE KEY",
        b"BEGIN CERT",
        key[:60].encode(),
    ]
    special = {
        "ansible_password": PASSWORD,
        "ansible_become": True,
        "ansible_become_exe": desk.script("sudo", SUDO),
        "ansible_become_password": BECOME_PASSWORD,
    }
    inventory = desk.inventory(3, node0001=special, node0002=special, node0003=special)
    log, receipt, junit = desk.root / "log", desk.root / "receipt.json", desk.root / "junit.xml"
    flags = ("--bwlimit", "4M", "-v", "--log-file", str(log), "--junit", str(junit))
    flags += ("--receipt", str(receipt))
    run = desk.start(source, inventory, *flags)
    wait_until(lambda: desk.taken_in() > MIB, 30, "content on the hosts")
    seen = desk.agents()
    assert len(seen) == 4, "three hosts and the origin"
    assert told("cmdline", secrets, everyone()) == {}
    assert told("environ", secrets, [*seen, run.pid]) == {}
    for pid in (*seen, run.pid):
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"^Max core file size +0 ", limits, re.MULTILINE), "a core holds its keys"
    for home in desk.homes(3):
        for path in home.iterdir():
            assert path.stat().st_mode & 0o077 == 0, "a partial is its owner's alone"
    done = run.outcome()
    assert done.exit == 0, done.stderr
    desk.run("runs", "report", "last", "--html", str(desk.root / "page.html")).outcome()
    for name in ("receipt.json", "junit.xml", "page.html"):
        assert (desk.root / name).stat().st_size
    ours = {desk.root / "fleet.yaml", *desk.root.glob(".local/state/fleetpush/receipt_key")}
    written = [path for path in desk.root.rglob("*") if path.is_file() and path not in ours]
    texts = {str(path): path.read_bytes() for path in written}
    assert any(name.endswith("history.sqlite3") for name in texts)
    assert {name for name, text in texts.items() for s in secrets if s in text} == set()
    bodies = recorded(desk.root / ".local/state/fleetpush/history.sqlite3")
    assert bodies
    assert not [secret for secret in secrets for body in bodies if secret in body]


def recorded(history: Path) -> list[bytes]:
    """What the history holds packed."""
    with closing(sqlite3.connect(f"file:{history}?mode=ro", uri=True)) as database:
        return [zlib.decompress(body) for (body,) in database.execute("SELECT body FROM bodies")]


def test_this_test_would_see_it(desk: Desk) -> None:
    """Else the one above could not fail."""
    words = [sys.executable, "-c", "input()", PASSWORD]
    with subprocess.Popen(words, stdin=subprocess.PIPE, env={"SECRET": PASSWORD}) as process:
        for file in ("cmdline", "environ"):
            wait_until(
                lambda file=file: told(file, [PASSWORD.encode()], [process.pid]),
                10,
                f"a secret {file}",
            )
        assert list(told("cmdline", [PASSWORD.encode()], everyone())) == [process.pid]
    assert os.getpid() not in agents(Path("/"))
