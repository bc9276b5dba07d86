"""One exec request on an embedded host: a real process whose three streams are the channel's, as sshd has it.

No PTY. When the channel closes, the process loses its pipes and nothing more: sshd kills nobody, so
neither does this. What still lives when the fleet is taken down is ended by ``ProcessTable.end_all``.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, SubprocessStreamProtocol
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import asyncssh

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

READ = 64 * 1024
"""Bytes moved at once; twice this is what a pipe's reader may hold before the process has to wait."""

FORWARDED_SIGNALS = frozenset(
    {"ABRT", "ALRM", "HUP", "INT", "KILL", "QUIT", "TERM", "USR1", "USR2"}
)
"""The signals that sshd passes on when a client asks."""

_POLL = 0.02
_REAPED_WITHIN = 5.0


class ProcessTable:
    """The process groups that were started and are not known to be gone."""

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self._starting = 0

    @asynccontextmanager
    async def starting(self) -> AsyncIterator[set[int]]:
        """Around the start of a process, which adds its group to the set it is given."""
        self._starting += 1
        try:
            yield self._groups
        finally:
            self._starting -= 1

    def forget_if_gone(self, group: int) -> None:
        """To be called when a group's first process has ended: its children may live on."""
        if not _lives(group):
            self._groups.discard(group)

    async def end_all(self, grace: float) -> int:
        """Waits ``grace`` seconds for every group to leave, kills the rest; returns how many were killed."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace
        while (self._starting or self._alive()) and loop.time() < deadline:  # noqa: ASYNC110 - nobody announces a group's end
            await asyncio.sleep(_POLL)
        stubborn = self._alive()
        for group in stubborn:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        # A killed grandchild is a zombie until init collects it, and not every container has an init.
        deadline = loop.time() + _REAPED_WITHIN
        while self._alive() and loop.time() < deadline:  # noqa: ASYNC110 - nobody announces a group's end
            await asyncio.sleep(_POLL)
        return len(stubborn)

    def _alive(self) -> frozenset[int]:
        self._groups = {group for group in self._groups if _lives(group)}
        return frozenset(self._groups)


async def execute(
    channel: asyncssh.SSHServerProcess[bytes],
    table: ProcessTable,
    *,
    home: Path,
    environment: Mapping[str, str],
    greeting: bytes,
) -> None:
    """Runs what the client asked for by ``/bin/sh -c`` in ``home`` until it ends or the channel closes."""
    command = ["/bin/sh", "-c", channel.command] if channel.command else ["/bin/sh"]
    loop = asyncio.get_running_loop()
    async with table.starting() as groups:
        transport, protocol = await loop.subprocess_exec(
            lambda: SubprocessStreamProtocol(limit=READ, loop=loop),
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd=home,
            env=dict(environment),
            start_new_session=True,
        )
        group = transport.get_pid()
        groups.add(group)
    process = asyncio.subprocess.Process(transport, protocol, loop)
    ended = asyncio.gather(
        _forward(process.stdout, channel.stdout, greeting),
        _forward(process.stderr, channel.stderr),
        process.wait(),
    )
    feeding = asyncio.create_task(_feed(channel.stdin, process.stdin, group))
    closed = asyncio.create_task(channel.wait_closed())
    try:
        await asyncio.wait((ended, closed), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (ended, feeding, closed):
            task.cancel()
        await asyncio.gather(ended, feeding, closed, return_exceptions=True)
        _close_pipes(transport)
    status = await process.wait()
    table.forget_if_gone(group)
    if not channel.is_closing():
        _report(channel, status)


async def _forward(
    source: asyncio.StreamReader | None, target: asyncssh.SSHWriter[bytes], greeting: bytes = b""
) -> None:
    """What the process says goes to the client, no faster than the client takes it."""
    assert source is not None
    target.write(greeting)
    while data := await source.read(READ):
        target.write(data)
        await target.drain()


async def _feed(
    source: asyncssh.SSHReader[bytes], target: asyncio.StreamWriter | None, group: int
) -> None:
    """What the client says goes to the process, no faster than the process reads it."""
    assert target is not None
    with suppress(ConnectionError, asyncssh.Error):
        while True:
            try:
                data = await source.read(READ)
            except asyncssh.SignalReceived as request:
                _signal(group, request.signal)
                continue
            except (asyncssh.BreakReceived, asyncssh.TerminalSizeChanged):
                continue
            if not data:
                break
            target.write(data)
            await target.drain()
    target.close()


def _signal(group: int, name: str) -> None:
    if name in FORWARDED_SIGNALS:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.Signals[f"SIG{name}"])


def _close_pipes(transport: asyncio.SubprocessTransport) -> None:
    for descriptor in range(3):
        pipe = transport.get_pipe_transport(descriptor)
        if pipe is not None:
            pipe.close()


def _report(channel: asyncssh.SSHServerProcess[bytes], status: int) -> None:
    if status >= 0:
        channel.exit(status)
    else:
        channel.exit_with_signal(signal.Signals(-status).name.removeprefix("SIG"))


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
