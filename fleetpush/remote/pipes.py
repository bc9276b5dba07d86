"""A process whose three streams are pipes of ours, whoever runs it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleetpush.remote.connection import ProcessHandler


class PipedProcess:
    """The streams of a ``connection.Process``; a subclass knows how it ends (``_end_if_over``, ``kill``)."""

    def __init__(self, handler: ProcessHandler) -> None:
        self._handler = handler
        self._stdin: asyncio.WriteTransport | None = None
        self._outputs: list[asyncio.BaseTransport] = []
        self._open_outputs = 2
        self._ended = False

    async def connect(self, pipes: Sequence[IO[bytes]]) -> None:
        """Hands our ends of stdin, stdout and stderr to the event loop."""
        loop = asyncio.get_running_loop()
        stdin, stdout, stderr = pipes
        self._stdin, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, stdin)
        for pipe, is_stderr in ((stdout, False), (stderr, True)):
            transport, _ = await loop.connect_read_pipe(partial(_Reader, self, is_stderr), pipe)
            self._outputs.append(transport)

    def write(self, data: bytes) -> None:
        if self._stdin is not None and not self._stdin.is_closing():
            self._stdin.write(data)

    def write_eof(self) -> None:
        if self._stdin is not None and not self._stdin.is_closing():
            self._stdin.write_eof()

    def unsent(self) -> int:
        return 0 if self._stdin is None else self._stdin.get_write_buffer_size()

    def said(self, data: bytes, stderr: bool) -> None:
        if self._ended:
            return
        if stderr:
            self._handler.stderr(data)
        else:
            self._handler.stdout(data)

    def pipe_closed(self) -> None:
        self._open_outputs -= 1
        self._end_if_over()

    def _end_if_over(self) -> None:
        """Calls ``_end`` if the process is gone and has said everything."""
        raise NotImplementedError

    def _drop_stdin(self) -> None:
        # A transport that has closed itself after write_eof does not bear a second end.
        if self._stdin is not None and not self._stdin.is_closing():
            self._stdin.abort()

    def _close_pipes(self) -> None:
        self._drop_stdin()
        for transport in self._outputs:
            transport.close()

    def _end(self, status: int | None, reason: str) -> None:
        if not self._ended:
            self._ended = True
            self._handler.ended(status, reason)


class _Reader(asyncio.Protocol):
    """One of the process's outputs."""

    def __init__(self, owner: PipedProcess, stderr: bool) -> None:
        self._owner = owner
        self._stderr = stderr

    def data_received(self, data: bytes) -> None:
        self._owner.said(data, self._stderr)

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.pipe_closed()
