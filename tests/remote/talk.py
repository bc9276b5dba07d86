"""Talking to a process on a connection: a handler that keeps what it hears."""

from __future__ import annotations

import asyncio
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from fleetpush.errors import HostError
from fleetpush.remote.connection import Target
from fleetpush.remote.connectors import Connectors
from fleetpush.remote.settings import SshSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from fleetpush.remote.connection import Connection
    from tests.fleet.sshd import SshdFleet


class Plugin:
    """The connection plugin that the tests are about at the moment."""

    name = "asyncssh"


class Heard:
    """A ProcessHandler for tests: everything so far, and ways to wait for more."""

    def __init__(self) -> None:
        self.out = bytearray()
        self.err = bytearray()
        self.ends: list[tuple[int | None, str]] = []
        self._changed = asyncio.Event()

    def stdout(self, data: bytes) -> None:
        self.out += data
        self._changed.set()

    def stderr(self, data: bytes) -> None:
        self.err += data
        self._changed.set()

    def ended(self, status: int | None, reason: str) -> None:
        self.ends.append((status, reason))
        self._changed.set()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not true():
                self._changed.clear()
                await self._changed.wait()

    async def end(self) -> tuple[int | None, str]:
        await self.until(lambda: bool(self.ends))
        return self.ends[0]


async def run(conn: Connection, command: str, stdin: bytes = b"") -> Heard:
    """Runs ``command`` to its end."""
    heard = Heard()
    process = await conn.start(command, heard)
    process.write(stdin)
    process.write_eof()
    await heard.end()
    return heard


async def eventually(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.02)


def target(fleet: SshdFleet, index: int = 0, **changes: object) -> Target:
    fields: dict[str, object] = {
        "name": f"node{index + 1:04d}",
        "address": fleet.addresses[index],
        "port": fleet.port,
        "user": fleet.user,
        "private_key": fleet.key,
        "connection": Plugin.name,
    }
    return Target(**{**fields, **changes})  # type: ignore[arg-type]


def settings(fleet: SshdFleet, **changes: object) -> SshSettings:
    fields: dict[str, object] = {
        "ssh_config": fleet.root / "no_ssh_config",
        "known_hosts": fleet.known_hosts,
    }
    (fleet.root / "no_ssh_config").touch()
    return SshSettings(**{**fields, **changes})  # type: ignore[arg-type]


def with_connectors(
    chosen: SshSettings, work: Callable[[Connectors], Awaitable[object]]
) -> Connectors:
    """Runs ``work`` in an event loop with connectors that are closed at the end."""

    async def whole() -> Connectors:
        connectors = Connectors(chosen)
        try:
            await work(connectors)
        finally:
            await connectors.close()
        return connectors

    return asyncio.run(whole())


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


def connections_to(fleet: SshdFleet, index: int) -> int:
    return fleet.log().count(f" on {fleet.addresses[index]} port ")


def bare_settings(tmp_path: Path, **changes: object) -> SshSettings:
    """Settings that read nothing of the machine that runs the tests."""
    (tmp_path / "empty").touch()
    files = {"ssh_config": tmp_path / "empty", "known_hosts": tmp_path / "known_hosts"}
    return SshSettings(**files, **changes)  # type: ignore[arg-type]
