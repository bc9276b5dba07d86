"""Reach by SSH: a host that the origin cannot dial either way gets its link as a forwarded channel.

The origin dials a port on our own loopback; each connection there becomes a channel of that host's SSH
connection to its agent. TLS runs end to end through it, so the relay sees nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fleetpush.errors import HostError, HostFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fleetpush.deploy.member import Member
    from fleetpush.remote.connection import ByteStream, Connection

PIECE = 128 * 1024
FORWARD_WITHIN = 10.0


WHY = "no peer port is open between it and this machine, either way"
"""Why a host's link runs through its SSH connection."""


def no_peer_link(member: Member, reason: str, *, forwards: bool = True) -> HostFailure:
    """Nobody who has the content reaches ``member``, and there is no relay for this ``reason``.

    ``forwards``: its SSH connection could carry a link if its sshd let it.
    """
    address, port = member.address or ("", 0)
    # It may trade with others that are cut off as it is.
    who = "nobody who has the content" if member.figures.links else "no peer"
    return HostFailure(
        "no_peer_link",
        f"{who} reaches it at {address} port {port}, it reaches none of them, and its SSH "
        f"connection carries no link ({reason}): open the peer ports between the hosts "
        "(--port-range)" + (", or allow TCP forwarding in its sshd" if forwards else ""),
    )


class Relays:
    """``stands(peer)`` is called when the origin may dial, ``failed(peer, reason)`` when sshd refuses."""

    def __init__(self, stands: Callable[[str], None], failed: Callable[[str, str], None]) -> None:
        self._stands = stands
        self._failed = failed
        self._servers: dict[str, asyncio.Server] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, peer: str, connection: Connection, address: tuple[str, int]) -> None:
        """Listens for the origin's dial to ``peer``, whose agent listens at ``address`` there."""
        self._spawn(self._open(peer, connection, address))

    def port(self, peer: str) -> int | None:
        """Where the origin dials ``peer`` on our loopback; None before it may."""
        server = self._servers.get(peer)
        return server.sockets[0].getsockname()[1] if server is not None else None

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

    async def _open(self, peer: str, connection: Connection, address: tuple[str, int]) -> None:
        # One trial first, so that a refusal is known before the origin waits for a link.
        try:
            (await self._forward(connection, address)).close()
        except HostError as error:
            self._failed(peer, str(error))
            return

        def dialled(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._spawn(self._carry(peer, connection, address, reader, writer))

        self._servers[peer] = await asyncio.start_server(dialled, "127.0.0.1", 0)
        self._stands(peer)

    async def _carry(
        self,
        peer: str,
        connection: Connection,
        address: tuple[str, int],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        try:
            channel = await self._forward(connection, address)
        except HostError as error:
            writer.close()
            self._failed(peer, str(error))
            return
        await _pump_both(reader, writer, channel)

    async def _forward(self, connection: Connection, address: tuple[str, int]) -> ByteStream:
        try:
            async with asyncio.timeout(FORWARD_WITHIN):
                return await connection.forward(*address)
        except TimeoutError:
            raise HostError(
                "forward_refused", f"its sshd opened no channel within {FORWARD_WITHIN:.0f} s"
            ) from None


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
