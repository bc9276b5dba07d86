"""Logging in to a real sshd: keys, agents, passwords and ssh_config."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import asyncssh
import pytest

from fleetpush.errors import HostError
from fleetpush.remote.connection import Target
from fleetpush.remote.settings import SshSettings
from tests.remote.talk import (
    Plugin,
    advice,
    bare_settings,
    connections_to,
    failure,
    new_key,
    says_hello,
    settings,
    target,
    with_connectors,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fleetpush.remote.connectors import Connectors
    from tests.fleet.sshd import SshdFleet

pytestmark = [pytest.mark.sshd, pytest.mark.usefixtures("plugin")]


def test_a_key_that_the_host_does_not_know_is_unreachable(fleet: SshdFleet, tmp_path: Path) -> None:
    key = new_key(tmp_path / "stranger")
    error = failure(settings(fleet), target(fleet, private_key=key))
    assert error.slug == "auth_failed"
    assert str(key) in str(error)
    assert fleet.user in str(error)


def test_no_key_at_all_says_so(
    fleet: SshdFleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    error = failure(settings(fleet), target(fleet, private_key=None))
    assert error.slug == "auth_failed"
    assert "--private-key" in str(error)


# ssh itself looks into the home of /etc/passwd, whatever HOME says.
@pytest.mark.parametrize("plugin", ["asyncssh", "paramiko"], indirect=True)
def test_the_default_key_is_found(
    fleet: SshdFleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".ssh").mkdir()
    shutil.copy(fleet.key, tmp_path / ".ssh" / "id_ed25519")
    monkeypatch.setenv("HOME", str(tmp_path))
    says_hello(settings(fleet), target(fleet, private_key=None))


@pytest.mark.parametrize("content", [None, "not a key"])
def test_a_named_key_that_is_no_use_is_named(
    fleet: SshdFleet, tmp_path: Path, content: str | None
) -> None:
    key = tmp_path / "named"
    if content is not None:
        key.write_text(content)
    error = failure(settings(fleet), target(fleet, private_key=key))
    assert error.slug == "private_key_unusable"
    assert str(key) in str(error)


def test_an_encrypted_key_works_once_the_advice_is_followed(
    fleet: SshdFleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "locked"
    shutil.copy(fleet.key, key)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret", "-f", str(key)], check=True)
    error = failure(settings(fleet), target(fleet, private_key=key))
    assert error.slug == "private_key_unusable"
    assert advice(error, r"ssh-add .*") == f"ssh-add {key}"
    # The agent is given the same key in clear: ssh-add would ask a terminal for the passphrase.
    shutil.copy(f"{fleet.key}.pub", f"{key}.pub")
    with agent(tmp_path / "agent", fleet.key) as socket:
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        says_hello(settings(fleet), *(target(fleet, i, private_key=key) for i in range(10)))
        if Plugin.name != "openssh":  # it would offer the keys of whoever runs the tests first
            says_hello(settings(fleet), target(fleet, private_key=None))


@contextlib.contextmanager
def agent(path: Path, key: Path) -> Iterator[str]:
    process = subprocess.Popen(
        ["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not path.exists():
            assert process.poll() is None
        environment = {**os.environ, "SSH_AUTH_SOCK": str(path)}
        subprocess.run(["ssh-add", "-q", str(key)], env=environment, check=True)
        yield str(path)
    finally:
        process.terminate()
        process.wait()


def test_a_password_logs_in_where_the_host_wants_one(tmp_path: Path) -> None:
    class Server(asyncssh.SSHServer):
        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == ("ann", "s3cret")

    async def work(connectors: Connectors) -> None:
        listener = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=Server,
            server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            process_factory=lambda process: process.exit(0),
        )
        try:
            there = {
                "name": "h",
                "address": "127.0.0.1",
                "port": listener.get_port(),
                "user": "ann",
                "connection": Plugin.name,
            }
            conn = await connectors.connect(Target(**there, password="s3cret"))
            await conn.close()
            with pytest.raises(HostError) as error:
                await connectors.connect(Target(**there, password="wrong-one"))
            assert error.value.slug == "auth_failed"
            assert "wrong-one" not in str(error.value)
        finally:
            listener.close()
            await listener.wait_closed()

    with_connectors(bare_settings(tmp_path, host_key_checking="off"), work)


def test_an_alias_of_ssh_config_brings_everything_with_it(
    quiet_fleet: SshdFleet, tmp_path: Path
) -> None:
    fleet = quiet_fleet
    host_key = (fleet.root / "host_ed25519.pub").read_text()
    mine = tmp_path / "mine"
    mine.write_text(f"the-web {host_key}the-gate {host_key}")
    config = tmp_path / "config"
    (tmp_path / "common").write_text(
        f"Port {fleet.port}\nUser {fleet.user}\nIdentityFile {fleet.key}\n"
        f"UserKnownHostsFile {mine}\nIdentitiesOnly yes\n"
    )
    config.write_text(
        f"Host gate\n  HostName {fleet.addresses[0]}\n  HostKeyAlias the-gate\n"
        f"Host web\n  HostName {fleet.addresses[1]}\n  HostKeyAlias the-web\n  ProxyJump gate\n"
        f"Host *\n  Include {tmp_path}/common\n"
    )
    before = connections_to(fleet, 0)
    says_hello(
        SshSettings(ssh_config=config), Target(name="web", address="web", connection=Plugin.name)
    )
    assert connections_to(fleet, 0) - before == 1
    assert connections_to(fleet, 1) == 1


def test_a_proxy_command_of_ssh_config_carries_the_connection(
    fleet: SshdFleet, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    seen = tmp_path / "seen"
    (tmp_path / "relay").write_text(
        f"#!/bin/bash\necho $1 $2 > {seen}\nexec 3<>/dev/tcp/$1/$2; cat <&3 & exec cat >&3\n"
    )
    config.write_text(f"Host *\n  ProxyCommand bash {tmp_path}/relay %h %p\n")
    says_hello(settings(fleet, ssh_config=config), target(fleet))
    assert seen.read_text().split() == [fleet.addresses[0], str(fleet.port)]
