"""Processes and TCP streams on pipes that a master of OpenSSH serves."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from fleetpush.remote.connection import ENDED_BY_SIGNAL
from fleetpush.remote.openssh import mux
from fleetpush.remote.pipes import PipedProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleetpush.remote.connection import ProcessHandler

_READ_AHEAD = 128 * 1024


class MuxProcess(PipedProcess):
    """A command on the host. ``fate`` tells, once the channel is gone, why if not by exit status."""

    def __init__(self, handler: ProcessHandler, fate: Callable[[], asyncio.Task[str]]) -> None:
        super().__init__(handler)
        self._fate = fate
        self._call: mux.MuxCall | None = None
        self._hung_up = False
        self._begun = False

    async def attach(self, path: str, command: str) -> None:
        """Starts ``command`` by the master at ``path``. Raises mux.MuxError, OSError."""
        pipes = [os.pipe() for _ in range(3)]
        theirs = [pipes[0][0], pipes[1][1], pipes[2][1]]
        ours = [
            os.fdopen(pipes[0][1], "wb", 0),
            os.fdopen(pipes[1][0], "rb", 0),
            os.fdopen(pipes[2][0], "rb", 0),
        ]
        try:
            self._call = await mux.open_session(path, command, theirs, self._over)
            await self.connect(ours)
        except BaseException:  # cancelled, too
            if self._call is not None:
                self._call.close()
            for each in (self._stdin, *self._outputs):
                if each is not None:
                    each.close()
            for end in ours:
                end.close()
            raise
        finally:
            for fd in theirs:
                os.close(fd)
        self._begun = True
        self._end_if_over()

    def kill(self) -> None:
        """Ends the channel; OpenSSH's master has no way to send a signal with it."""
        self.hang_up("killed from here")

    def hang_up(self, reason: str) -> None:
        if self._call is not None:
            self._call.close()
        self._close_pipes()
        self._end(None, reason)

    def _over(self) -> None:
        self._hung_up = True
        self._end_if_over()

    def _end_if_over(self) -> None:
        if not self._begun or not self._hung_up or self._open_outputs or self._ended:
            return
        assert self._call is not None
        status = self._call.status
        if status is not None:
            self._end(status, f"exit status {status}")
        else:
            self._fate().add_done_callback(lambda fate: self._end(None, fate.result()))

    def _end(self, status: int | None, reason: str) -> None:
        self._drop_stdin()  # the master does not close it
        super()._end(status, reason)


SIGNALLED = f"{ENDED_BY_SIGNAL} (OpenSSH does not tell which)"
"""Why a command is gone that ended without a status while its connection lives."""


class _Writing(asyncio.Protocol):
    def __init__(self) -> None:
        self.writable = asyncio.Event()
        self.writable.set()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.writable.set()


class MuxStream:
    """A forwarded TCP connection; reads ahead at most 256 KiB."""

    def __init__(self) -> None:
        self._reader = asyncio.StreamReader(_READ_AHEAD)
        self._writing = _Writing()
        self._call: mux.MuxCall | None = None
        self._out: asyncio.WriteTransport | None = None
        self._in: asyncio.BaseTransport | None = None

    async def attach(self, path: str, address: str, port: int) -> None:
        """Raises mux.MuxError, OSError."""
        loop = asyncio.get_running_loop()
        outwards, inwards = os.pipe(), os.pipe()
        theirs = (outwards[0], inwards[1])
        ours = (os.fdopen(outwards[1], "wb", 0), os.fdopen(inwards[0], "rb", 0))
        try:
            self._call = await mux.open_forward(path, address, port, theirs, lambda: None)
            self._out, _ = await loop.connect_write_pipe(lambda: self._writing, ours[0])
            protocol = asyncio.StreamReaderProtocol(self._reader)
            self._in, _ = await loop.connect_read_pipe(lambda: protocol, ours[1])
        except BaseException:  # cancelled, too
            self.close()
            for end in ours:
                end.close()
            raise
        finally:
            for fd in theirs:
                os.close(fd)

    async def read(self, limit: int) -> bytes:
        try:
            return await self._reader.read(limit)
        except OSError:
            return b""

    def write(self, data: bytes) -> None:
        if self._out is not None and not self._out.is_closing():
            self._out.write(data)

    async def drain(self) -> None:
        await self._writing.writable.wait()

    def write_eof(self) -> None:
        if self._out is not None and not self._out.is_closing():
            self._out.write_eof()

    def close(self) -> None:
        if self._call is not None:
            self._call.close()
        if self._out is not None and not self._out.is_closing():
            self._out.abort()
        if self._in is not None:
            self._in.close()
