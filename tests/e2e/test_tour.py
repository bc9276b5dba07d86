"""The tour of README for whoever has an Ansible inventory, taken word for word."""

from __future__ import annotations

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


def commands() -> list[list[str]]:
    text = README.read_text().partition("### With an Ansible setup")[2]
    block = text.partition("```sh\n")[2].partition("```")[0]
    return [shlex.split(line, comments=True) for line in block.splitlines()]


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


def test_the_tour(desk: Desk) -> None:
    lay_out(desk)
    source = desk.source(1024 * 1024)
    told: list[str] = []
    for words in commands():
        assert words[0] == "fleetpush"
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
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        told.append(done.stdout)
    graph, host, check, plan, most, rest = told
    assert "|--@web:" in graph
    assert "group_vars/web.yml:1" in host
    assert "3" in check
    assert "to 3 hosts" in plan
    assert "already there" not in most
    assert "(2 already there)" in rest
    assert len(desk.copies(HOSTS, source)) == HOSTS
