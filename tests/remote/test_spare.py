"""asyncssh sends no packet that means nothing, and needs none: no cipher that is offered is in CBC mode."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncssh

from fleetpush.remote.asyncssh import login
from fleetpush.remote.connection import Target
from fleetpush.remote.connectors import Connectors
from fleetpush.remote.settings import SshSettings
from tests.remote.talk import bare_settings, run

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

IGNORE = 2


class Open(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return False


async def echo(process: asyncssh.SSHServerProcess[bytes]) -> None:
    process.stdout.write(await process.stdin.read())
    process.exit(0)


def test_what_is_sent_is_heard_and_nothing_is_sent_to_be_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds: list[int] = []
    process_packet = asyncssh.SSHServerConnection.process_packet

    def seen(conn, pkttype, pktid, packet):
        kinds.append(pkttype)
        return process_packet(conn, pkttype, pktid, packet)

    monkeypatch.setattr(asyncssh.SSHServerConnection, "process_packet", seen)

    async def talk() -> bytes:
        key = asyncssh.generate_private_key("ssh-ed25519")
        async with asyncssh.listen(
            "127.0.0.1", 0, server_factory=Open, server_host_keys=[key],
            process_factory=echo, encoding=None,
        ) as server:  # fmt: skip
            connectors = Connectors(bare_settings(tmp_path, host_key_checking="accept-new"))
            port = server.get_port()
            conn = await connectors.connect(Target(name="h", address="127.0.0.1", port=port))
            heard = await run(conn, "echo", b"x" * 200_000)
            await conn.close()
            await connectors.close()
            return bytes(heard.out)

    assert asyncio.run(talk()) == b"x" * 200_000
    assert kinds
    assert IGNORE not in kinds


def test_no_cipher_is_in_cbc_mode() -> None:
    shared = login._shared_options(SshSettings())
    offered = asyncssh.SSHClientConnectionOptions(**shared).encryption_algs
    assert offered
    assert not [name for name in offered if b"cbc" in name]
