"""What the asyncssh connection promises beyond the common suite, against a real sshd."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import asyncssh
import pytest

from fleetpush.errors import HostError
from fleetpush.inventory.load import load
from fleetpush.remote.connection import Target
from fleetpush.remote.settings import SshSettings
from fleetpush.remote.target import target_of
from tests.fleet.sshd import SshdFleet, sshd_fleet
from tests.remote.listener import Listener
from tests.remote.talk import Heard, eventually, run, settings, target, with_connectors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fleetpush.remote.connectors import Connectors

pytestmark = pytest.mark.sshd


def says_hello(chosen: SshSettings, *targets: Target) -> list[str]:
    """Connects to all at once and runs a command on each; returns the connectors' warnings."""

    async def hello(connectors: Connectors, one: Target) -> None:
        conn = await connectors.connect(one)
        assert (await run(conn, "echo hello")).out == b"hello\n"
        await conn.close()

    async def work(connectors: Connectors) -> None:
        await asyncio.gather(*(hello(connectors, one) for one in targets))

    return with_connectors(chosen, work).warnings


def failure(chosen: SshSettings, one: Target) -> HostError:
    """Why ``one`` cannot be reached."""
    caught: list[HostError] = []

    async def work(connectors: Connectors) -> None:
        with pytest.raises(HostError) as error:
            await connectors.connect(one)
        caught.append(error.value)

    with_connectors(chosen, work)
    assert caught[0].failure.unreachable
    return caught[0]


def new_key(path: Path, passphrase: str = "") -> Path:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(path)]
    subprocess.run(command, check=True)
    return path


def advice(error: HostError, pattern: str) -> str:
    """The command line that the message tells the operator to run."""
    found = re.search(pattern, str(error))
    assert found, str(error)
    return found[0]


# Logging in


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
        says_hello(settings(fleet), target(fleet, private_key=None))


@contextlib.contextmanager
def agent(path: Path, key: Path) -> AsyncIterator[str]:
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

    with_connectors(_bare(tmp_path, host_key_checking="off"), work)


def _bare(tmp_path: Path, **changes: object) -> SshSettings:
    """Settings that read nothing of the machine that runs the tests."""
    (tmp_path / "empty").touch()
    files = {"ssh_config": tmp_path / "empty", "known_hosts": tmp_path / "known_hosts"}
    return SshSettings(**files, **changes)  # type: ignore[arg-type]


# Host keys


def test_an_unknown_host_key_is_refused_until_the_advice_is_followed(
    fleet: SshdFleet, tmp_path: Path
) -> None:
    chosen = settings(fleet, known_hosts=tmp_path / "mine")
    error = failure(chosen, target(fleet))
    assert error.slug == "host_key_unknown"
    assert "SHA256:" in str(error)
    command = advice(error, r"ssh-keyscan .* >> \S+")
    subprocess.run(command, shell=True, check=True, stderr=subprocess.DEVNULL)
    says_hello(chosen, target(fleet))
    assert failure(chosen, target(fleet, 1)).slug == "host_key_unknown"


@pytest.mark.parametrize("checking", ["strict", "accept-new"])
def test_a_changed_host_key_is_refused_until_the_old_one_is_forgotten(
    fleet: SshdFleet, tmp_path: Path, checking: str
) -> None:
    other = new_key(tmp_path / "other")
    mine = tmp_path / "mine"
    words = (tmp_path / "other.pub").read_text().split()
    mine.write_text(f"[{fleet.addresses[0]}]:{fleet.port} {words[0]} {words[1]}\n")
    assert other.exists()
    before = mine.read_text()
    error = failure(settings(fleet, known_hosts=mine, host_key_checking=checking), target(fleet))
    assert error.slug == "host_key_changed"
    assert mine.read_text() == before
    command = advice(error, r"ssh-keygen -R .*")
    subprocess.run(command, shell=True, check=True, capture_output=True)
    says_hello(settings(fleet, known_hosts=mine, host_key_checking="accept-new"), target(fleet))


def test_a_revoked_host_key_is_refused(fleet: SshdFleet, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text(re.sub("^", "@revoked ", fleet.known_hosts.read_text(), flags=re.MULTILINE))
    for checking in ("strict", "accept-new"):
        chosen = settings(fleet, known_hosts=mine, host_key_checking=checking)
        assert failure(chosen, target(fleet)).slug == "host_key_invalid"


def test_accept_new_keeps_each_new_key_once(fleet: SshdFleet, tmp_path: Path) -> None:
    mine = tmp_path / "dir" / "mine"
    chosen = settings(fleet, known_hosts=mine, host_key_checking="accept-new")
    hosts = [target(fleet, i % 5) for i in range(30)]
    says_hello(chosen, *hosts)
    lines = mine.read_text().splitlines()
    assert sorted(lines) == sorted(fleet.known_hosts.read_text().splitlines()[:5])
    says_hello(settings(fleet, known_hosts=mine), *hosts)


def test_accept_new_goes_on_and_warns_when_the_file_cannot_be_written(
    fleet: SshdFleet, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    mine = tmp_path / "file" / "known_hosts"
    chosen = settings(fleet, known_hosts=mine, host_key_checking="accept-new")
    warnings = says_hello(chosen, target(fleet), target(fleet, 1))
    assert len(warnings) == 1
    assert str(mine) in warnings[0]


def test_off_asks_for_no_host_key(fleet: SshdFleet, tmp_path: Path) -> None:
    chosen = settings(fleet, known_hosts=tmp_path / "none", host_key_checking="off")
    says_hello(chosen, target(fleet))
    assert not (tmp_path / "none").exists()


# Hosts that do not answer as they should


def test_a_closed_port_refuses(fleet: SshdFleet, unused_port: int) -> None:
    error = failure(settings(fleet), target(fleet, port=unused_port))
    assert error.slug == "connection_refused"
    assert str(unused_port) in str(error)


def test_a_name_that_cannot_resolve_is_named(fleet: SshdFleet) -> None:
    error = failure(settings(fleet), target(fleet, address="no..such..host"))
    assert error.slug == "name_resolution"
    assert "no..such..host" in str(error)


@pytest.mark.parametrize(
    ("greeting", "slug"),
    [
        (b"", "unreachable_timeout"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "unreachable_timeout"),
        (b"SSH-1.5-ancient\r\n", "not_ssh"),
        (b"SSH-2.0-\xff\xfe\r\n", "not_ssh"),
        (b"SSH-2.0-x\r\n" + bytes(5000), "not_ssh"),
        (b"HTTP/1.1 400 Bad Request\r\n" * 4000, "not_ssh"),
    ],
)
def test_a_port_without_an_sshd_costs_the_time_out_at_most(
    fleet: SshdFleet, greeting: bytes, slug: str
) -> None:
    with Listener(greeting) as listener:
        there = target(fleet, address="127.0.0.1", port=listener.port)
        assert failure(settings(fleet, connect_timeout=0.4), there).slug == slug


def test_a_listener_that_hangs_up_is_tried_again_and_named(fleet: SshdFleet) -> None:
    with Listener(hang_up=True) as listener:
        there = target(fleet, address="127.0.0.1", port=listener.port)
        error = failure(settings(fleet, connect_timeout=1.5), there)
        assert error.slug == "handshake_refused"
        assert "MaxStartups" in str(error)
        assert listener.calls > 1


def test_a_login_that_never_ends_times_out_by_its_own_clock(tmp_path: Path) -> None:
    class Server(asyncssh.SSHServer):
        async def begin_auth(self, _username: str) -> bool:
            await asyncio.sleep(3600)
            return True

    async def work(connectors: Connectors) -> None:
        host_key = asyncssh.generate_private_key("ssh-ed25519")
        listener = await asyncssh.listen(
            "127.0.0.1", 0, server_factory=Server, server_host_keys=[host_key]
        )
        try:
            there = Target(name="h", address="127.0.0.1", port=listener.get_port(), user="ann")
            with pytest.raises(HostError, match="login") as error:
                await connectors.connect(there)
            assert error.value.slug == "unreachable_timeout"
        finally:
            listener.close()
            await listener.wait_closed()

    times = {"connect_timeout": 60.0, "login_timeout": 0.3}
    with_connectors(_bare(tmp_path, host_key_checking="off", **times), work)


def test_a_cut_connection_ends_its_processes(fleet: SshdFleet) -> None:
    async def work(connectors: Connectors) -> None:
        conn = await connectors.connect(target(fleet))
        heard = Heard()
        process = await conn.start("echo up; cat", heard)
        await heard.until(lambda: heard.out == b"up\n")
        fleet.cut()
        status, reason = await heard.end()
        assert status is None
        assert fleet.addresses[0] in reason
        process.write(b"ignored")
        process.kill()
        with pytest.raises(HostError) as error:
            await conn.start("true", Heard())
        assert error.value.slug == "connection_lost"
        with pytest.raises(HostError):
            await conn.forward("127.0.0.1", 1)
        await conn.close()
        assert len(heard.ends) == 1

    with_connectors(settings(fleet), work)


def test_a_chatty_shell_speaks_before_the_command_and_leaves_stdin_alone() -> None:
    with sshd_fleet(1, noisy=True) as fleet:

        async def work(connectors: Connectors) -> None:
            conn = await connectors.connect(target(fleet))
            heard = await run(conn, "cat", b"payload")
            assert heard.out.startswith(b"Welcome")
            assert heard.out.endswith(b"\npayload")
            assert b"stty" in heard.err
            await conn.close()

        with_connectors(settings(fleet), work)


# Many hosts


def test_each_host_has_a_home_of_its_own(fleet: SshdFleet) -> None:
    async def work(connectors: Connectors) -> None:
        for index in (0, 7):
            conn = await connectors.connect(target(fleet, index))
            await run(conn, "pwd > where")
            await conn.close()
            where = fleet.home(index) / "where"
            assert where.read_text().strip() == str(fleet.home(index))

    with_connectors(settings(fleet), work)


def test_an_sshd_at_its_max_startups_is_tried_again_until_all_are_in() -> None:
    with sshd_fleet(60, config="MaxStartups 3:100:5") as fleet:
        hosts = [target(fleet, index) for index in range(60)]
        says_hello(settings(fleet, connect_timeout=60), *hosts)
        assert "MaxStartups" in fleet.log()


def test_forks_bounds_the_handshakes_under_way(fleet: SshdFleet) -> None:
    with Listener() as listener:

        async def work(connectors: Connectors) -> None:
            there = target(fleet, address="127.0.0.1", port=listener.port)
            results = await asyncio.gather(
                *(connectors.connect(there) for _ in range(12)), return_exceptions=True
            )
            assert all(isinstance(result, HostError) for result in results)

        with_connectors(settings(fleet, connect_timeout=0.3, forks=4), work)
        assert listener.calls == 12
        assert 1 < listener.most <= 5  # the listener sees the end of one a moment after us


def test_a_connect_that_is_cancelled_leaves_its_slot_to_others(fleet: SshdFleet) -> None:
    with Listener() as listener:

        async def work(connectors: Connectors) -> None:
            silent = target(fleet, address="127.0.0.1", port=listener.port)
            waiting = asyncio.create_task(connectors.connect(silent))
            await eventually(lambda: listener.calls == 1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            conn = await connectors.connect(target(fleet))
            assert (await run(conn, "echo hi")).out == b"hi\n"
            await conn.close()

        with_connectors(settings(fleet, forks=1), work)


def test_the_hosts_of_an_inventory_are_reached_as_it_says(fleet: SshdFleet, tmp_path: Path) -> None:
    inventory = load([str(fleet.inventory(tmp_path / "fleet.yaml"))], cwd=tmp_path)
    chosen = settings(fleet)
    targets = [target_of(host, chosen) for host in inventory.hosts.values()]
    assert targets == [target(fleet, index) for index in range(40)]
    says_hello(chosen, *targets[::10])


# Jump hosts


def connections_to(fleet: SshdFleet, index: int) -> int:
    return fleet.log().count(f" on {fleet.addresses[index]} port ")


def hop(fleet: SshdFleet, index: int) -> str:
    return f"{fleet.user}@{fleet.addresses[index]}:{fleet.port}"


@pytest.fixture
def quiet_fleet() -> AsyncIterator[SshdFleet]:
    """A fleet whose log belongs to one test."""
    with sshd_fleet(22) as fleet:
        yield fleet


def test_hosts_behind_a_jump_host_share_one_connection_to_it(quiet_fleet: SshdFleet) -> None:
    fleet = quiet_fleet
    before = connections_to(fleet, 0)
    chosen = settings(fleet, private_key=fleet.key)
    says_hello(chosen, *(target(fleet, i, jump=hop(fleet, 0)) for i in range(2, 22)))
    assert connections_to(fleet, 0) - before == 1
    assert connections_to(fleet, 21) == 1


def test_a_chain_of_jump_hosts_shares_every_hop(quiet_fleet: SshdFleet) -> None:
    fleet = quiet_fleet
    before = connections_to(fleet, 0)
    chosen = settings(fleet, private_key=fleet.key)
    chain = f"{hop(fleet, 0)},{hop(fleet, 1)}"
    direct = target(fleet, 2, jump=hop(fleet, 0))
    says_hello(chosen, direct, *(target(fleet, i, jump=chain) for i in range(3, 9)))
    assert connections_to(fleet, 0) - before == 1
    assert connections_to(fleet, 1) == 1


def test_a_lost_jump_host_is_connected_anew_for_later_hosts(quiet_fleet: SshdFleet) -> None:
    fleet = quiet_fleet

    async def work(connectors: Connectors) -> None:
        for index in (1, 2):
            conn = await connectors.connect(target(fleet, index, jump=hop(fleet, 0)))
            assert (await run(conn, "echo hi")).out == b"hi\n"
            heard = Heard()
            await conn.start("cat", heard)
            fleet.cut()
            assert (await heard.end())[0] is None
            await eventually(lambda: not fleet.sessions())

    with_connectors(settings(fleet, private_key=fleet.key), work)


def test_a_jump_host_that_fails_is_named_for_every_host_behind_it(
    fleet: SshdFleet, unused_port: int
) -> None:
    broken = f"{fleet.user}@{fleet.addresses[0]}:{unused_port}"

    async def work(connectors: Connectors) -> None:
        hosts = [target(fleet, i, jump=broken) for i in range(6)]
        results = await asyncio.gather(
            *(connectors.connect(one) for one in hosts), return_exceptions=True
        )
        for error in results:
            assert isinstance(error, HostError)
            assert error.slug == "jump_failed"
            assert broken in str(error)
            assert error.failure.unreachable

    with_connectors(settings(fleet), work)


def test_a_jump_host_says_which_host_it_cannot_reach(fleet: SshdFleet, unused_port: int) -> None:
    chosen = settings(fleet, private_key=fleet.key)
    error = failure(chosen, target(fleet, 1, jump=hop(fleet, 0), port=unused_port))
    assert error.slug == "connection_refused"
    assert fleet.addresses[1] in str(error)
    assert hop(fleet, 0) in str(error)


def test_forbidden_forwarding_is_told_apart(fleet: SshdFleet) -> None:
    with sshd_fleet(2, config="AllowTcpForwarding no") as closed:
        chosen = settings(closed, private_key=closed.key)
        error = failure(chosen, target(closed, 1, jump=hop(closed, 0)))
        assert error.slug == "jump_failed"
        assert "AllowTcpForwarding" in str(error)

        async def work(connectors: Connectors) -> None:
            conn = await connectors.connect(target(closed))
            with pytest.raises(HostError) as refusal:
                await conn.forward("127.0.0.1", closed.port)
            assert refusal.value.slug == "forwarding_prohibited"
            await conn.close()

        with_connectors(chosen, work)


def test_a_jump_spec_that_makes_no_sense_is_the_hosts_failure(fleet: SshdFleet) -> None:
    error = failure(settings(fleet), target(fleet, jump="me@bastion:ssh"))
    assert error.slug == "jump_failed"
    assert "me@bastion:ssh" in str(error)


# ssh_config


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
    says_hello(SshSettings(ssh_config=config), Target(name="web", address="web"))
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
