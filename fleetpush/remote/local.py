"""The ``local`` connection: processes on this machine behind the same interface."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from typing import IO, TYPE_CHECKING

from fleetpush.errors import HostError
from fleetpush.remote.connection import ENDED_BY_SIGNAL
from fleetpush.remote.pipes import PipedProcess

if TYPE_CHECKING:
    from fleetpush.remote.connection import ProcessHandler, Target

SHELL = "/bin/sh"


class LocalProcess(PipedProcess):
    """``/bin/sh -c command`` in a session of its own, so that Ctrl-C in the terminal does not hit it.

    Not asyncio's subprocess: its transport kills the process when the event loop ends, but an agent may
    be told to outlive this program (``--detach-grace``).
    """

    def __init__(self, handler: ProcessHandler, popen: subprocess.Popen[bytes]) -> None:
        super().__init__(handler)
        self._popen = popen
        self._status: int | None = None
        self._exited = False

    async def attach(self) -> None:
        """Connects the pipes to the event loop and starts to wait for the end."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._wait, args=(loop,), daemon=True, name="wait").start()
        pipes = _pipes(self._popen)
        try:
            await self.connect(pipes)
        except BaseException:  # cancelled half-way: nobody has a handle to end it by
            self.kill()
            for each in pipes:
                each.close()
            raise

    def kill(self) -> None:
        """Kills the process group and closes the pipes."""
        if not self._exited:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)
        self.hang_up("killed from here")

    def hang_up(self, reason: str) -> None:
        """Closes the pipes as a lost connection does; the process itself lives on if it likes."""
        self._close_pipes()
        self._end(None, reason)

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        status = self._popen.wait()
        with contextlib.suppress(RuntimeError):  # the event loop is closed: nobody listens any more
            loop.call_soon_threadsafe(self._exit, status)

    def _exit(self, status: int) -> None:
        self._exited = True
        self._status = status
        self._drop_stdin()
        self._end_if_over()

    def _end_if_over(self) -> None:
        if not self._exited or self._open_outputs or self._status is None:
            return
        if self._status < 0:
            self._end(None, f"{ENDED_BY_SIGNAL} {signal.Signals(-self._status).name}")
        else:
            self._end(self._status, f"exit status {self._status}")


class LocalStream:
    """A plain TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, limit: int) -> bytes:
        try:
            return await self._reader.read(limit)
        except OSError:
            return b""

    def write(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(data)

    async def drain(self) -> None:
        with contextlib.suppress(OSError):
            await self._writer.drain()

    def write_eof(self) -> None:
        if not self._writer.is_closing():
            with contextlib.suppress(OSError):
                self._writer.write_eof()

    def close(self) -> None:
        self._writer.close()


class LocalConnection:
    """Nothing to log in to; keeps account of the processes so that closing hangs up on them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._processes: list[LocalProcess] = []

    async def start(self, command: str, handler: ProcessHandler) -> LocalProcess:
        process = LocalProcess(handler, _shell(command, self._name))
        self._processes.append(process)
        await process.attach()
        return process

    async def forward(self, address: str, port: int) -> LocalStream:
        try:
            return LocalStream(*await asyncio.open_connection(address, port))
        except OSError as error:
            raise HostError(
                "forward_refused", f"{self._name} cannot connect to {address} port {port}: {error}"
            ) from error

    async def close(self) -> None:
        for process in self._processes:
            process.hang_up("the connection was closed")
        self._processes.clear()


class LocalConnector:
    """Every target is this machine."""

    async def connect(self, target: Target) -> LocalConnection:
        return LocalConnection(target.name)

    async def close(self) -> None:
        pass


def _shell(command: str, name: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(
            [SHELL, "-c", command],
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            start_new_session=True,
            bufsize=0,
        )
    except OSError as error:
        raise HostError("session_refused", f"{name}: cannot start {SHELL}: {error}") from error


def _pipes(popen: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    assert popen.stdin is not None
    assert popen.stdout is not None
    assert popen.stderr is not None
    return popen.stdin, popen.stdout, popen.stderr
