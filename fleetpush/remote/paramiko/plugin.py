"""The ``paramiko`` connection: for servers that asyncssh cannot talk to, and to keep the interface honest.

A connection has a thread of its own for as long as it lives; what may block runs in further ones.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import paramiko

from fleetpush.remote import failures
from fleetpush.remote.jump import JumpHosts
from fleetpush.remote.paramiko.channels import ChannelProcess, ChannelStream
from fleetpush.remote.paramiko.login import Login
from fleetpush.remote.paramiko.threads import Threads
from fleetpush.remote.paramiko.transport import Refused
from fleetpush.remote.route import route_of

if TYPE_CHECKING:
    from fleetpush.remote.connection import ProcessHandler, Target
    from fleetpush.remote.paramiko.login import Link
    from fleetpush.remote.settings import SshSettings

_CLOSE_SECONDS = 1.5
_KEEPALIVES = 3
_MOST_HANDSHAKES = 64
"""Threads that shake hands at once: more of them wait for each other's turn in Python anyway."""


class ParamikoConnection:
    """A logged-in connection."""

    def __init__(self, link: Link, threads: Threads, place: str, settings: SshSettings) -> None:
        self._link = link
        self._threads = threads
        self._place = place
        self._patience = settings.login_timeout
        self._watch = asyncio.create_task(self._keep_alive(settings.keepalive))

    async def start(self, command: str, handler: ProcessHandler) -> ChannelProcess:
        transport = self._link.transport

        def begin() -> paramiko.Channel:
            channel = transport.open_session(timeout=self._patience)
            channel.exec_command(command)
            return channel

        try:
            async with asyncio.timeout(self._patience):
                channel = await self._threads.call(begin)
        except TimeoutError:
            raise failures.unreachable(
                "unreachable_timeout",
                f"{self._place} does not answer (waited {self._patience:g} s)",
            ) from None
        except (OSError, EOFError, paramiko.SSHException) as error:
            if self._link.is_closed():
                raise failures.lost(self._place, error) from error
            raise failures.no_session(self._place, failures.text_of(error)) from error
        return ChannelProcess(channel, transport, self._threads, handler, self._place)

    async def forward(self, address: str, port: int) -> ChannelStream:
        transport = self._link.transport
        try:
            channel = await self._threads.call(lambda: transport.dial(address, port))
        except (OSError, EOFError, paramiko.SSHException) as error:
            if self._link.is_closed():
                raise failures.lost(self._place, error) from error
            raise failures.no_forward(
                self._place,
                f"{address} port {port}",
                failures.text_of(error),
                prohibited=isinstance(error, Refused) and error.prohibited,
            ) from error
        return ChannelStream(channel, self._threads)

    async def close(self) -> None:
        self._watch.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._link.wait_closed()

    async def _keep_alive(self, every: float) -> None:
        """Hangs up on a host that leaves keepalives unanswered; paramiko's own expect no answer."""
        transport = self._link.transport
        while not self._link.is_closed():
            await asyncio.sleep(every)
            try:
                async with asyncio.timeout(every * _KEEPALIVES):
                    await self._threads.call(
                        lambda: transport.global_request("keepalive@openssh.com", wait=True)
                    )
            except (TimeoutError, OSError, EOFError, paramiko.SSHException):
                self._link.abort()
                return


class ParamikoConnector:
    """``forks`` handshakes at once, 64 at most; what hosts share is read once, at the first connect.

    Raises InputError for an ssh_config or known_hosts that cannot be read.
    """

    def __init__(self, settings: SshSettings) -> None:
        self._settings = settings
        self._threads = Threads()
        self._login = Login(settings, self._threads)
        self._jump_hosts = JumpHosts(self._login)
        self._handshakes = asyncio.Semaphore(min(max(1, settings.forks), _MOST_HANDSHAKES))

    @property
    def warnings(self) -> list[str]:
        """What was ignored or could not be kept, for the operator; grows as hosts connect."""
        return self._login.warnings

    async def connect(self, target: Target) -> ParamikoConnection:
        route = route_of(target, self._login.config)
        # The jump host comes first: while its handshake lasts, nobody behind it occupies a slot.
        tunnel = await self._jump_hosts.tunnel(route.jump)
        async with self._handshakes:
            link = await self._login.open(route, tunnel)
        return ParamikoConnection(link, self._threads, route.place, self._settings)

    async def close(self) -> None:
        await self._jump_hosts.close()
        await self._login.close()
        self._threads.close()
