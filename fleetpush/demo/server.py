"""The embedded fleet's SSH server: a process of its own, so that it shares no event loop with the CLI.

``python -m fleetpush.demo.server`` reads its settings as one line of JSON from stdin, answers with one
line ``{"port": N}`` or ``{"error": TEXT}``, and serves until its stdin ends: whoever started it cannot die
without taking it down. Its last word is ``{"killed": N}``, the process groups that had to be killed.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import asyncssh

from fleetpush.demo.execution import ProcessTable, execute

_PORT_ATTEMPTS = 20
_BACKLOG = 128
_GRACE = 3.0
"""Seconds that processes have to leave once their clients are gone."""


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """``homes`` by listening address; keys are paths of files; ``user`` is the only one who may log in."""

    homes: dict[str, str]
    user: str
    host_key: str
    client_key: str
    forwarding: bool
    banner_noise: str
    """Latin-1: what a noisy login shell prints before every command."""

    def as_json(self) -> str:
        return json.dumps(asdict(self))


class _Login(asyncssh.SSHServer):
    """One client connection: who may log in, and whether TCP forwarding is allowed."""

    def __init__(self, fleet: _Fleet) -> None:
        self._fleet = fleet
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._fleet.connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._fleet.connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == self._fleet.settings.user and key == self._fleet.client_key

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> bool:
        return self._fleet.settings.forwarding


class _Fleet:
    """The listeners of all hosts and what runs behind them."""

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.client_key = asyncssh.read_public_key(settings.client_key)
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self._table = ProcessTable()
        self._tasks: set[asyncio.Task[None]] = set()
        self._acceptors: list[asyncssh.SSHAcceptor] = []

    async def open(self) -> int:
        """Listens on every address at one common port, which it returns. Raises OSError."""
        sockets = _listen_everywhere(list(self.settings.homes))
        options = asyncssh.SSHServerConnectionOptions(
            server_factory=lambda: _Login(self),
            process_factory=self._start,
            server_host_keys=[self.settings.host_key],
            encoding=None,
            allow_scp=False,
            line_editor=False,
        )
        for listening in sockets:
            self._acceptors.append(await asyncssh.listen(sock=listening, options=options))
        port: int = sockets[0].getsockname()[1]
        return port

    async def close(self) -> int:
        """Drops every client and leaves no process; returns how many groups had to be killed."""
        for acceptor in self._acceptors:
            acceptor.close()
        for connection in list(self.connections):
            connection.abort()
        return await self._table.end_all(_GRACE)

    def _start(self, channel: asyncssh.SSHServerProcess[bytes]) -> None:
        if channel.subsystem is not None:
            channel.exit(1)
            return
        client = channel.get_extra_info("peername")
        server = channel.get_extra_info("sockname")
        home = Path(self.settings.homes[server[0]])
        environment = {
            "HOME": str(home),
            "PATH": os.pathsep.join((f"{sys.base_prefix}/bin", os.environ.get("PATH", os.defpath))),
            "SHELL": "/bin/sh",
            "USER": self.settings.user,
            "LOGNAME": self.settings.user,
            "SSH_CLIENT": f"{client[0]} {client[1]} {server[1]}",
            "SSH_CONNECTION": f"{client[0]} {client[1]} {server[0]} {server[1]}",
        }
        noise = self.settings.banner_noise.encode("latin-1")
        # A task of ours: asyncssh would cancel its own with the connection, and sshd's processes live on.
        task = asyncio.create_task(
            execute(channel, self._table, home=home, environment=environment, greeting=noise)
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _listen_everywhere(addresses: list[str]) -> list[socket.socket]:
    """One listening socket an address, all at the same free port. Raises OSError."""
    for attempt in range(1, _PORT_ATTEMPTS + 1):
        sockets: list[socket.socket] = []
        port = 0
        try:
            for address in addresses:
                listening = socket.create_server((address, port), backlog=_BACKLOG)
                sockets.append(listening)
                port = listening.getsockname()[1]
        except OSError as error:
            for listening in sockets:
                listening.close()
            # Free on the first address is not free on all of them: take another.
            if error.errno != errno.EADDRINUSE or attempt == _PORT_ATTEMPTS:
                raise
        else:
            return sockets
    raise AssertionError("unreachable")


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    control = asyncio.StreamReader(limit=1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(control), sys.stdin)
    settings = ServerSettings(**json.loads(await control.readline()))
    fleet = _Fleet(settings)
    try:
        port = await fleet.open()
    except OSError as error:
        _say({"error": str(error)})
        return
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, control.feed_eof)
    _say({"port": port})
    await control.read()
    _say({"killed": await fleet.close()})


def _say(word: dict[str, object]) -> None:
    with suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(word) + "\n")
        sys.stdout.flush()


def _raise_descriptor_limit() -> None:
    """A host takes about six descriptors: its listener, its client, three pipes, its process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    _raise_descriptor_limit()
    asyncio.run(_serve())
