"""What only a connection by ``ssh`` processes can get wrong: what it leaves behind, and where secrets go."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import asyncssh
import pytest

from fleetpush.errors import InputError
from fleetpush.remote.connection import Target
from fleetpush.remote.connectors import Connectors
from fleetpush.remote.settings import SshSettings
from tests.remote.talk import (
    Heard,
    Plugin,
    bare_settings,
    eventually,
    run,
    says_hello,
    settings,
    target,
    with_connectors,
)

if TYPE_CHECKING:
    from tests.fleet.sshd import SshdFleet


@pytest.fixture(autouse=True)
def openssh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the sockets are."""
    monkeypatch.setattr(Plugin, "name", "openssh")
    short = Path("/tmp") / f"fpt-{os.getpid()}-{abs(hash(tmp_path)) % 10**6}"
    short.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(short))
    yield short
    short.rmdir()  # nothing may be left in it


def masters(room: Path) -> dict[int, Path]:
    """The ssh processes that have their sockets below ``room``."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and f"{room}/".encode() in (entry / "cmdline").read_bytes():
                found[int(entry.name)] = entry
        except OSError:
            pass
    return found


@pytest.mark.sshd
def test_a_connection_is_one_process_and_leaves_none(fleet: SshdFleet, openssh: Path) -> None:
    async def work(connectors: Connectors) -> None:
        conn = await connectors.connect(target(fleet))
        [room] = openssh.iterdir()
        assert room.stat().st_mode & 0o777 == 0o700
        for _ in range(3):
            await conn.start("cat", Heard())
        ssh = [e for e in masters(openssh).values() if (e / "comm").read_text() == "ssh\n"]
        assert len(ssh) == 1
        await conn.close()
        assert [p.name for p in room.iterdir()] == []

    with_connectors(settings(fleet), work)
    assert not masters(openssh)


@pytest.mark.sshd
def test_the_operators_own_control_path_is_left_alone(
    fleet: SshdFleet, tmp_path: Path, openssh: Path
) -> None:
    own = openssh / "own"
    config = tmp_path / "config"
    config.write_text(f"Host *\n  ControlMaster auto\n  ControlPath {own}\n  ControlPersist 60\n")
    says_hello(settings(fleet, ssh_config=config), target(fleet), target(fleet, 1))
    assert not own.exists()


@pytest.mark.sshd
def test_masters_end_with_a_program_that_is_killed(fleet: SshdFleet, openssh: Path) -> None:
    program = f"""
import asyncio, tempfile
from pathlib import Path
from fleetpush.remote.connection import Target
from fleetpush.remote.connectors import Connectors
from fleetpush.remote.settings import SshSettings
tempfile.tempdir = {str(openssh)!r}
async def main():
    known = Path({str(fleet.known_hosts)!r})
    connectors = Connectors(SshSettings(ssh_config=Path("/dev/null"), known_hosts=known))
    there = Target(name="h", address={fleet.addresses[0]!r}, port={fleet.port}, user={fleet.user!r},
                   private_key=Path({str(fleet.key)!r}), connection="openssh")
    await connectors.connect(there)
    print("up", flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        assert masters(openssh)
        process.send_signal(signal.SIGKILL)
    asyncio.run(eventually(lambda: not masters(openssh) and not list(openssh.iterdir())))


def test_a_password_is_on_no_command_line_disk_or_environment(
    tmp_path: Path, openssh: Path
) -> None:
    class Server(asyncssh.SSHServer):
        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            seen.extend(_everywhere(openssh))
            return password == "s3cret-word"

    seen: list[bytes] = []

    async def work(connectors: Connectors) -> None:
        listener = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=Server,
            server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        )
        async with listener:
            there = Target(
                name="h",
                address="127.0.0.1",
                port=listener.get_port(),
                user="ann",
                password="s3cret-word",
                connection="openssh",
            )
            conn = await connectors.connect(there)
            await conn.close()

    with_connectors(bare_settings(tmp_path, host_key_checking="off"), work)
    assert any(b"askpass" in text for text in seen), "it looked in the right places"
    assert not [text for text in seen if b"s3cret-word" in text]


def _everywhere(room: Path) -> list[bytes]:
    found = []
    for entry in masters(room).values():
        found += [(entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()]
    return found + [path.read_bytes() for path in room.rglob("*") if path.is_file()]


async def test_a_bad_ssh_config_is_bad_input(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host *\n  NoSuchKeyword yes\n")
    connectors = Connectors(SshSettings(ssh_config=config))
    with pytest.raises(InputError, match="config"):
        await connectors.connect(Target(name="h", address="h", connection="openssh"))
    await connectors.close()


@pytest.mark.sshd
def test_a_remote_status_of_255_is_the_commands_own(fleet: SshdFleet) -> None:
    async def work(connectors: Connectors) -> None:
        conn = await connectors.connect(target(fleet))
        assert (await run(conn, "exit 255")).ends == [(255, "exit status 255")]
        await conn.close()

    with_connectors(settings(fleet), work)
