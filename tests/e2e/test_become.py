"""A deploy to where only root may write, by whoever may become root."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.hosts import agents, wait_until
from tests.fleet.sudo import PASSWORD, needs_sudo, sudo_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.desk import Desk

pytestmark = [pytest.mark.sshd, needs_sudo]

MIB = 1024 * 1024
HOSTS = 4


@pytest.fixture
def sudoers(desk: Desk) -> Iterator[Callable[..., None]]:
    with sudo_rules(desk.fleet.user) as write:
        yield write


@pytest.fixture
def fleet_of_roots(desk: Desk) -> Callable[..., Path]:
    """An inventory of hosts on which the destination's directory is root's alone."""

    def make(**special: dict[str, Any]) -> Path:
        for i in range(HOSTS):
            vault = desk.home(i) / "vault"
            vault.mkdir(mode=0o700, exist_ok=True)
            own = special.setdefault(f"node{i + 1:04d}", {})
            own["fleetpush_dest"] = f"{vault}/"
        return desk.inventory(HOSTS, **special)

    return make


def root_s_agents() -> list[int]:
    return list(agents(Path("/root")))


def test_a_file_goes_where_only_root_may_write(
    desk: Desk, sudoers: Callable[..., None], fleet_of_roots: Callable[..., Path]
) -> None:
    sudoers("USER ALL=(ALL) NOPASSWD: ALL")
    source, inventory = desk.source(4 * MIB), fleet_of_roots()
    refused = desk.deploy(source, inventory)
    assert refused.exit == 3
    assert set(refused.slugs().values()) == {"not_writable"}
    done = desk.deploy(source, inventory, "-b")
    assert done.exit == 0, done.stderr
    assert len(desk.copies(HOSTS, source, "vault/model.pt")) == HOSTS
    for home in desk.homes(HOSTS):
        assert (home / "vault/model.pt").stat().st_uid == 0
    wait_until(lambda: not root_s_agents(), 5, "no agent of root's left")


def test_check_sees_what_root_may(
    desk: Desk, sudoers: Callable[..., None], fleet_of_roots: Callable[..., Path]
) -> None:
    sudoers("USER ALL=(ALL) NOPASSWD: ALL")
    inventory = fleet_of_roots()
    words = [
        "check",
        "-i",
        str(inventory),
        "--ssh-config",
        str(desk.known_hosts().parent / "ssh_config"),
    ]
    assert desk.run(*words).outcome().exit == 3
    fit = desk.run(*words, "-b").outcome()
    assert fit.exit == 0, fit.stdout


def test_each_host_has_its_own_password_and_nobody_sees_it(
    desk: Desk, sudoers: Callable[..., None], fleet_of_roots: Callable[..., Path]
) -> None:
    sudoers("USER ALL=(ALL) ALL")
    secret = {"ansible_become": True, "ansible_become_password": PASSWORD}
    wrong = {"ansible_become": True, "ansible_become_password": "wr0ng"}
    inventory = fleet_of_roots(
        node0001=dict(secret),
        node0002=dict(secret),
        node0003=wrong,
        node0004={"ansible_become": True},
    )
    source, log = desk.source(MIB), desk.root / "log"
    done = desk.deploy(source, inventory, "-v", "--log-file", str(log))
    assert done.exit == 3
    assert done.good() == ["node0001", "node0002"]
    assert done.slugs() == {"node0003": "become_password", "node0004": "become_password"}
    told = json.dumps(done.document) + done.stderr + log.read_text()
    for word in (PASSWORD, "wr0ng"):
        assert word not in told


def test_the_password_is_on_no_command_line(
    desk: Desk, sudoers: Callable[..., None], fleet_of_roots: Callable[..., Path]
) -> None:
    sudoers("USER ALL=(ALL) ALL")
    secret = {"ansible_become": True, "ansible_become_password": PASSWORD}
    inventory = fleet_of_roots(**{f"node{i + 1:04d}": dict(secret) for i in range(HOSTS)})
    command = desk.start(desk.source(16 * MIB), inventory, "--bwlimit", "4M")
    seen = 0
    while command.running:
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                try:
                    words = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
                except OSError:
                    continue
                assert PASSWORD.encode() not in words
                seen += b"fleetpush.agent.main" in words
    assert command.outcome().exit == 0
    assert seen


@pytest.mark.skipif(shutil.which("setsid") is None, reason="needs setsid (util-linux)")
def test_k_asks_on_the_terminal(
    desk: Desk, sudoers: Callable[..., None], fleet_of_roots: Callable[..., Path]
) -> None:
    sudoers("USER ALL=(ALL) ALL")
    source, inventory, config = desk.source(MIB), fleet_of_roots(), desk.root / "ssh_config"
    desk.known_hosts()
    ours, theirs = os.openpty()
    words = ["deploy", str(source), "-i", str(inventory), "--ssh-config", str(config), "-b", "-K"]
    terminal = ("setsid", "--ctty", "--wait")
    with subprocess.Popen(
        [*terminal, sys.executable, "-m", "fleetpush", *words, "--progress", "plain"],
        cwd=desk.root,
        env=desk.env,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = read_until(ours, b"BECOME password: ")
        os.write(ours, PASSWORD.encode() + b"\n")
        shown += read_until(ours, None)
        os.close(ours)
    assert process.returncode == 0, shown
    assert PASSWORD.encode() not in shown
    assert len(desk.copies(HOSTS, source, "vault/model.pt")) == HOSTS


def read_until(terminal: int, mark: bytes | None) -> bytes:
    """What a terminal shows, up to ``mark`` or to the end."""
    shown = b""
    while mark is None or mark not in shown:
        ready, _, _ = select.select([terminal], [], [], 60)
        assert ready, shown
        try:
            more = os.read(terminal, 4096)
        except OSError:  # how a terminal ends
            more = b""
        if not more:
            break
        shown += more
    return shown


def test_root_s_agents_do_not_outlive_the_command(
    desk: Desk, sudoers: Callable[..., None], fleet_of_roots: Callable[..., Path]
) -> None:
    sudoers("Defaults use_pty", "USER ALL=(ALL) NOPASSWD: ALL")
    flags = ("-b", "--bwlimit", "1M")
    command = desk.start(desk.source(32 * MIB), fleet_of_roots(), *flags)
    wait_until(lambda: len(root_s_agents()) == HOSTS, 60, "an agent on every host")
    command.send(signal.SIGKILL)
    command.process.wait()
    wait_until(lambda: not root_s_agents(), 40, "no agent of root's left")
