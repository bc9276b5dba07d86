"""OpenSSH's multiplexing protocol (PROTOCOL.mux, version 4): sessions on the connection of a master.

Spoken here rather than by a second ``ssh`` a command: half the processes, and the master tells what that
``ssh`` hides behind its exit status 255.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_HELLO = 1
_NEW_SESSION = 0x10000002
_ALIVE_CHECK = 0x10000004
_NEW_STDIO_FWD = 0x10000008
_PERMISSION_DENIED, _FAILURE, _EXIT_MESSAGE = 0x80000002, 0x80000003, 0x80000004
_ALIVE, _SESSION_OPENED = 0x80000005, 0x80000006
_VERSION = 4
_NO_ESCAPE_CHARACTER = 0xFFFFFFFF
_LONGEST = 256 * 1024


class MuxError(Exception):
    """The master does not do it; the text is its reason."""


class MuxCall(asyncio.Protocol):
    """One request and what the master says about it. ``over`` is called when it has no more to say."""

    def __init__(self, over: Callable[[], None]) -> None:
        self.status: int | None = None
        self._over = over
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 4:
            size = int.from_bytes(self._buffer[:4], "big")
            if size > _LONGEST:
                self.close()
                return
            if len(self._buffer) < 4 + size:
                return
            message = bytes(self._buffer[4 : 4 + size])
            del self._buffer[: 4 + size]
            self._take(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._fail("the master is gone")
        self._over()

    def close(self) -> None:
        """Hangs up; the master closes the channel."""
        if self._transport is not None:
            self._transport.abort()

    def _take(self, message: bytes) -> None:
        if len(message) < 12:
            return
        kind, _request, third = struct.unpack(">III", message[:12])
        if kind in (_SESSION_OPENED, _ALIVE):
            if not self.opened.done():
                self.opened.set_result(None)
        elif kind == _EXIT_MESSAGE:
            self.status = third
        elif kind in (_PERMISSION_DENIED, _FAILURE):
            self._fail(message[12 : 12 + third].decode(errors="replace"))

    def _fail(self, why: str) -> None:
        if not self.opened.done():
            self.opened.set_exception(MuxError(why))
            self.opened.exception()  # it may be that nobody waits for it any more


async def open_session(
    path: str, command: str, fds: Sequence[int], over: Callable[[], None]
) -> MuxCall:
    """Runs ``command`` with stdin, stdout and stderr of the host on ``fds``. Raises MuxError, OSError."""
    # Flags: terminal, X11, agent, subsystem; none of them.
    flags = struct.pack(">IIIII", 0, 0, 0, 0, _NO_ESCAPE_CHARACTER)
    body = _string(b"") + flags + _string(b"") + _string(command.encode())
    return await _call(path, _NEW_SESSION, body, fds, over)


async def open_forward(
    path: str, address: str, port: int, fds: Sequence[int], over: Callable[[], None]
) -> MuxCall:
    """A TCP connection from the host's side, read from and written to ``fds``. Raises as above."""
    body = _string(b"") + _string(address.encode()) + struct.pack(">I", port)
    return await _call(path, _NEW_STDIO_FWD, body, fds, over)


async def is_alive(path: str) -> bool:
    """Whether the master at ``path`` answers."""
    try:
        call = await _call(path, _ALIVE_CHECK, b"", (), lambda: None)
    except (OSError, MuxError):
        return False
    call.close()
    return True


async def _call(
    path: str, kind: int, body: bytes, fds: Sequence[int], over: Callable[[], None]
) -> MuxCall:
    loop = asyncio.get_running_loop()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await loop.sock_connect(sock, path)
        hello = struct.pack(">II", _HELLO, _VERSION)
        await loop.sock_sendall(sock, _packet(hello) + _packet(struct.pack(">II", kind, 0) + body))
        for fd in fds:
            await _pass(sock, fd)
        _, call = await loop.create_unix_connection(lambda: MuxCall(over), sock=sock)
    except BaseException:  # cancelled, too
        sock.close()
        raise
    try:
        await asyncio.shield(call.opened)
    except BaseException:  # cancelled, too
        call.close()
        raise
    return call


async def _pass(sock: socket.socket, fd: int) -> None:
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
    while True:
        with contextlib.suppress(BlockingIOError):
            sock.sendmsg([b"\0"], rights)
            return
        await asyncio.sleep(0.01)


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


_packet = _string
