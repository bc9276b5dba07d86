"""The tours of README, taken word for word."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.desk import Desk

pytestmark = pytest.mark.sshd

README = Path(__file__).parents[2] / "README.md"
HOSTS = 3


def block(heading: str, kind: str) -> str:
    """The first block of this kind below a heading."""
    text = README.read_text().partition(f"### {heading}\n")[2]
    return text.partition(f"```{kind}\n")[2].partition("```")[0]


def take(desk: Desk, heading: str) -> list[str]:
    """Does what is written there, and returns what was printed; a comment may say how it exits."""
    told: list[str] = []
    for line in block(heading, "sh").splitlines():
        words = shlex.split(line, comments=True)
        assert words[0] == "fleetpush"
        said = re.search(r"# exit (\d+)", line)
        done = subprocess.run(
            [sys.executable, "-m", "fleetpush", *words[1:]],
            cwd=desk.root,
            env=desk.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        wanted = int(said[1]) if said else 0
        assert done.returncode == wanted, (words, done.stdout, done.stderr)
        told.append(done.stdout)
    return told


def lay_out(desk: Desk) -> None:
    """A setup as people have it: INI, variables beside it, known host keys in the home."""
    hosts = [f"web{i + 1} ansible_host={desk.fleet.addresses[i]}" for i in range(HOSTS)]
    lines = [
        "[web]",
        *hosts,
        "",
        "[db]",
        "db1 ansible_host=127.1.3.99",
        "",
        "[prod:children]",
        "web",
    ]
    (desk.root / "hosts.ini").write_text("\n".join([*lines, "db", ""]))
    folder = desk.root / "group_vars"
    folder.mkdir()
    (folder / "all.yml").write_text(
        f"ansible_user: {desk.fleet.user}\nansible_port: {desk.fleet.port}\n"
        f"ansible_ssh_private_key_file: {desk.fleet.key}\n"
    )
    (folder / "web.yml").write_text("release: 7\n")
    ssh = desk.root / ".ssh"
    ssh.mkdir(mode=0o700)
    (ssh / "known_hosts").write_text(desk.fleet.known_hosts.read_text())


def test_with_an_ansible_setup(desk: Desk) -> None:
    lay_out(desk)
    source = desk.source(1024 * 1024)
    graph, host, check, plan, most, rest = take(desk, "With an Ansible setup")
    assert "|--@web:" in graph
    assert "group_vars/web.yml:1" in host
    assert "3" in check
    assert "to 3 hosts" in plan
    assert "already there" not in most
    assert "(2 already there)" in rest
    assert len(desk.copies(HOSTS, source)) == HOSTS


def test_releases_and_roll_outs(desk: Desk) -> None:
    lay_out(desk)
    heading = "Releases and roll-outs"
    (desk.root / "release.yaml").write_text(block(heading, "yaml"))
    desk.source(300_000, "v1.pt")
    second = desk.source(300_000, "v2.pt")
    desk.source(0, "empty.pt")
    told = take(desk, heading)
    _, again, canary, broken, back, down, retried, _, all_back = told
    assert "(3 already there)" in again
    assert "web[1-3] (3) : ok=2" in canary
    assert "untouched         2  web[2-3]" in broken
    assert "back from" in back
    assert "web1 (1)" in back
    assert "unreachable: " in down
    assert "to 1 host" in retried
    assert "web[1-3] (3)" in all_back
    page = (desk.root / "run.html").read_text()
    assert "db1" in page
    assert len(desk.copies(HOSTS, second, "model/current/v2.pt")) == HOSTS
    desk.no_agent_is_left()
