"""Processes and TCP streams on channels of an asyncssh connection: callbacks, no tasks."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import asyncssh

from fleetpush.remote.connection import ENDED_BY_SIGNAL

if TYPE_CHECKING:
    from fleetpush.remote.connection import ProcessHandler

_READ_AHEAD = 256 * 1024


class ChannelProcess(asyncssh.SSHClientSession[bytes]):
    """A command on the host. Its handler hears nothing if the command cannot be started."""

    def __init__(self, handler: ProcessHandler, place: str) -> None:
        self._handler = handler
        self._place = place
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._started = False
        self._ended = False
        self._status: int | None = None
        self._reason = ""

    def write(self, data: bytes) -> None:
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write(data)

    def write_eof(self) -> None:
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write_eof()

    def unsent(self) -> int:
        return 0 if self._channel is None else self._channel.get_write_buffer_size()

    def kill(self) -> None:
        """Asks sshd to kill the command's process group (since OpenSSH 7.9) and ends the channel.

        The handler hears of it at once: sshd answers only when the command is gone.
        """
        if self._channel is not None and not self._channel.is_closing():
            with contextlib.suppress(OSError):
                self._channel.send_signal("KILL")
            self._channel.abort()
        self._end(None, "killed from here")

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan

    def session_started(self) -> None:
        self._started = True

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if datatype == asyncssh.EXTENDED_DATA_STDERR:
            self._handler.stderr(data)
        else:
            self._handler.stdout(data)

    def eof_received(self) -> bool:
        return True  # a command that closes its stdout may still read its stdin

    def exit_status_received(self, status: int) -> None:
        self._status = status
        self._reason = f"exit status {status}"

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self._reason = self._reason or f"{ENDED_BY_SIGNAL} {signal}"

    def connection_lost(self, exc: Exception | None) -> None:
        self._channel = None
        text = f" ({exc})" if exc is not None and str(exc) else ""
        gone = f"the connection to {self._place} is gone{text}"
        self._end(self._status, self._reason or gone)

    def _end(self, status: int | None, reason: str) -> None:
        if self._started and not self._ended:
            self._ended = True
            self._handler.ended(status, reason)


class ChannelStream(asyncssh.SSHTCPSession[bytes]):
    """A direct-tcpip channel; reads ahead at most 256 KiB and what is under way."""

    def __init__(self) -> None:
        self._channel: asyncssh.SSHTCPChannel[bytes] | None = None
        self._buffer = bytearray()
        self._ended = False
        self._paused = False
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    async def read(self, limit: int) -> bytes:
        while not self._buffer and not self._ended:
            self._arrived.clear()
            await self._arrived.wait()
        data = bytes(self._buffer[:limit])
        del self._buffer[:limit]
        if self._paused and len(self._buffer) < _READ_AHEAD and self._channel is not None:
            self._paused = False
            self._channel.resume_reading()
        return data

    def write(self, data: bytes) -> None:
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write(data)

    async def drain(self) -> None:
        await self._writable.wait()

    def write_eof(self) -> None:
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write_eof()

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()

    def connection_made(self, chan: asyncssh.SSHTCPChannel[bytes]) -> None:
        self._channel = chan

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._buffer += data
        if len(self._buffer) >= _READ_AHEAD and not self._paused and self._channel is not None:
            self._paused = True
            self._channel.pause_reading()
        self._arrived.set()

    def eof_received(self) -> bool:
        self._ended = True
        self._arrived.set()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._channel = None
        self._ended = True
        self._arrived.set()
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()
