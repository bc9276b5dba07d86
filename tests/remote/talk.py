"""Talking to a process on a connection: a handler that keeps what it hears."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fleetpush.remote.connection import Target
from fleetpush.remote.connectors import Connectors
from fleetpush.remote.settings import SshSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fleetpush.remote.connection import Connection
    from tests.fleet.sshd import SshdFleet


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
