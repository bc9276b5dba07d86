"""Reach by SSH: a host that the origin cannot dial either way gets its link as a forwarded channel.

The origin dials a port on our own loopback; each connection there becomes a channel of that host's SSH
connection to its agent. TLS runs end to end through it, so the relay sees nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fleetpush.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fleetpush.remote.connection import ByteStream, Connection

PIECE = 128 * 1024


class Relays:
    """``failed(peer, reason)`` is called when a host's sshd refuses to forward."""

    def __init__(self, failed: Callable[[str, str], None]) -> None:
        self._failed = failed
        self._servers: dict[str, asyncio.Server] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def open(
        self,
        peer: str,
        connection: Connection,
        address: tuple[str, int],
        stands: Callable[[int], None],
    ) -> None:
        """Listens for the origin's dial to ``peer``; ``stands(port)`` tells where."""
        self._spawn(self._open(peer, connection, address, stands))

    def close(self, peer: str) -> None:
        server = self._servers.pop(peer, None)
        if server is not None:
            server.close()

    async def close_all(self) -> None:
        for peer in list(self._servers):
            self.close(peer)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _open(
        self,
        peer: str,
        connection: Connection,
        address: tuple[str, int],
        stands: Callable[[int], None],
    ) -> None:
        # One trial first, so that a refusal is known before the origin waits for a link.
        try:
            (await connection.forward(*address)).close()
        except HostError as error:
            self._failed(peer, str(error))
            return

        async def dialled(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                channel = await connection.forward(*address)
            except HostError as error:
                writer.close()
                self._failed(peer, str(error))
                return
            await _pump_both(reader, writer, channel)

        server = await asyncio.start_server(dialled, "127.0.0.1", 0)
        self._servers[peer] = server
        stands(server.sockets[0].getsockname()[1])


async def _pump_both(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, channel: ByteStream
) -> None:
    """Until either side ends; then both are closed, as a broken link should break at both ends."""

    async def outwards() -> None:
        while data := await reader.read(PIECE):
            channel.write(data)
            await channel.drain()

    async def inwards() -> None:
        while data := await channel.read(PIECE):
            writer.write(data)
            await writer.drain()

    pumps = [asyncio.ensure_future(outwards()), asyncio.ensure_future(inwards())]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        writer.close()
        channel.close()
