"""The ``asyncssh`` connection: one SSH connection a host, many handshakes at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fleetpush.remote import failures
from fleetpush.remote.asyncssh.channels import ChannelProcess, ChannelStream
from fleetpush.remote.asyncssh.errors import is_prohibited
from fleetpush.remote.asyncssh.login import Login
from fleetpush.remote.jump import JumpHosts
from fleetpush.remote.route import route_of

if TYPE_CHECKING:
    import asyncssh

    from fleetpush.remote.connection import ProcessHandler, Target
    from fleetpush.remote.settings import SshSettings

_CLOSE_SECONDS = 1.5


class AsyncsshConnection:
    """A logged-in connection."""

    def __init__(self, conn: asyncssh.SSHClientConnection, place: str, patience: float) -> None:
        self._conn = conn
        self._place = place
        self._patience = patience

    async def start(self, command: str, handler: ProcessHandler) -> ChannelProcess:
        session = ChannelProcess(handler, self._place)
        try:
            async with asyncio.timeout(self._patience):
                await self._conn.create_session(lambda: session, command)
        except TimeoutError:
            raise failures.unreachable(
                "unreachable_timeout",
                f"{self._place} does not answer (waited {self._patience:g} s)",
            ) from None
        except Exception as error:  # asyncssh hands on whatever bad bytes provoke
            if self._conn.is_closed():
                raise failures.lost(self._place, error) from error
            raise failures.no_session(self._place, failures.text_of(error)) from error
        return session

    async def forward(self, address: str, port: int) -> ChannelStream:
        stream = ChannelStream()
        try:
            await self._conn.create_connection(lambda: stream, address, port)
        except Exception as error:  # asyncssh hands on whatever bad bytes provoke
            if self._conn.is_closed():
                raise failures.lost(self._place, error) from error
            raise failures.no_forward(
                self._place,
                f"{address} port {port}",
                failures.text_of(error),
                prohibited=is_prohibited(error),
            ) from error
        return stream

    async def close(self) -> None:
        self._conn.close()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._conn.wait_closed()
        except TimeoutError:
            self._conn.abort()


class AsyncsshConnector:
    """``forks`` handshakes at once; what hosts share is read once, when the first of them connects.

    Raises InputError for an ssh_config or known_hosts that cannot be read.
    """

    def __init__(self, settings: SshSettings) -> None:
        self._settings = settings
        self._login = Login(settings)
        self._jump_hosts = JumpHosts(self._login)
        self._handshakes = asyncio.Semaphore(max(1, settings.forks))

    @property
    def warnings(self) -> list[str]:
        """What was ignored or could not be kept, for the operator; grows as hosts connect."""
        return self._login.warnings

    async def connect(self, target: Target) -> AsyncsshConnection:
        route = route_of(target, self._login.config)
        # The jump host comes first: while its handshake lasts, nobody behind it occupies a slot.
        tunnel = await self._jump_hosts.tunnel(route.jump)
        async with self._handshakes:
            conn = await self._login.open(route, tunnel)
        return AsyncsshConnection(conn, route.place, self._settings.login_timeout)

    async def close(self) -> None:
        await self._jump_hosts.close()
        await self._login.close()
