"""The ``openssh`` connection: the operator's own ``ssh``, for GSSAPI, hardware keys and odd configurations.

One process a host, and one more where it is behind a jump host: ``ssh`` as a master without a session of
its own. Its sessions are opened by its multiplexing protocol, without a further ``ssh`` each.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fleetpush.errors import InputError
from fleetpush.remote import failures
from fleetpush.remote.jump import JumpHosts
from fleetpush.remote.openssh.channels import MuxProcess, MuxStream
from fleetpush.remote.openssh.errors import is_prohibited
from fleetpush.remote.openssh.login import Login
from fleetpush.remote.openssh.mux import MuxError
from fleetpush.remote.openssh.room import Room

if TYPE_CHECKING:
    from fleetpush.remote.connection import ProcessHandler, Target
    from fleetpush.remote.openssh.master import Master
    from fleetpush.remote.settings import SshSettings

_MOST_LOGINS = 32
"""Processes that log in at once: each wants a tenth of a second of a processor."""

_CLOSE_SECONDS = 1.8


class OpensshConnection:
    """A logged-in connection."""

    def __init__(self, master: Master, patience: float) -> None:
        self._master = master
        self._patience = patience
        self._processes: list[MuxProcess] = []

    async def start(self, command: str, handler: ProcessHandler) -> MuxProcess:
        master = self._master
        process = MuxProcess(handler, master.fate)
        try:
            async with asyncio.timeout(self._patience):
                await process.attach(master.path, command)
        except TimeoutError:
            raise failures.unreachable(
                "unreachable_timeout",
                f"{master.place} does not answer (waited {self._patience:g} s)",
            ) from None
        except (MuxError, OSError) as error:
            await self._check_alive(error)
            raise failures.no_session(master.place, failures.text_of(error)) from error
        self._processes.append(process)
        return process

    async def forward(self, address: str, port: int) -> MuxStream:
        master = self._master
        stream = MuxStream()
        try:
            await stream.attach(master.path, address, port)
        except (MuxError, OSError) as error:
            await self._check_alive(error)
            await master.news()  # the reason comes by another way than the refusal
            why = master.said.refused_channel or failures.text_of(error)
            raise failures.no_forward(
                master.place, f"{address} port {port}", why, prohibited=is_prohibited(why)
            ) from error
        return stream

    async def close(self) -> None:
        for process in self._processes:
            process.hang_up("the connection was closed")
        self._processes.clear()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._master.wait_closed()
        except TimeoutError:
            self._master.abort()

    async def _check_alive(self, error: Exception) -> None:
        """A master that has just lost its host is about to end."""
        for _ in range(3):
            if self._master.is_closed():
                raise failures.lost(self._master.place, None) from error
            await self._master.news()


class OpensshConnector:
    """``forks`` logins at once, 32 at most. Raises InputError where masters cannot live on this machine."""

    def __init__(self, settings: SshSettings) -> None:
        try:
            self._room = Room()
        except OSError as error:
            raise InputError(f"cannot make a directory for ssh's sockets: {error}") from error
        self._settings = settings
        self._login = Login(settings, self._room)
        self._jump_hosts = JumpHosts(self._login)
        self._logins = asyncio.Semaphore(min(max(1, settings.forks), _MOST_LOGINS))

    @property
    def warnings(self) -> list[str]:
        """What was ignored or could not be kept, for the operator; grows as hosts connect."""
        return self._login.warnings

    async def connect(self, target: Target) -> OpensshConnection:
        async with self._logins:
            route = await self._login.route_of(target)
        # The jump host comes first: while its handshake lasts, nobody behind it occupies a slot.
        tunnel = await self._jump_hosts.tunnel(route.jump)
        async with self._logins:
            master = await self._login.open(route, tunnel)
        return OpensshConnection(master, self._settings.login_timeout)

    async def close(self) -> None:
        await self._jump_hosts.close()
        await self._room.close()
