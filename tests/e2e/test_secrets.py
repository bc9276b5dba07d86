"""No secret can be seen by other users of the operator's machine or of a host while a run goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
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
    secrets = [PASSWORD.encode(), b"PRIVATE KEY", b"BEGIN CERT", key[:60].encode()]
    special = {"ansible_password": PASSWORD, "ansible_become_password": PASSWORD}
    inventory = desk.inventory(3, node0001=special, node0002=special, node0003=special)
    log = desk.root / "log"
    flags = ("--bwlimit", "4M", "-v", "--log-file", str(log))
    run = desk.start(source, inventory, *flags)
    wait_until(lambda: desk.taken_in() > MIB, 30, "content on the hosts")
    seen = desk.agents()
    assert len(seen) == 4, "three hosts and the origin"
    assert told("cmdline", secrets, everyone()) == {}
    assert told("environ", secrets, seen) == {}
    for home in desk.homes(3):
        for path in home.iterdir():
            assert path.stat().st_mode & 0o077 == 0, "a partial is its owner's alone"
    done = run.outcome()
    assert done.exit == 0, done.stderr
    printed = (done.stdout + done.stderr + log.read_text()).encode()
    assert not [secret for secret in secrets if secret in printed]


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
