"""Processes and TCP streams on channels of a paramiko connection.

paramiko's calls may block for as long as the host likes, so each runs in a thread; at most two at a time
for a channel, one that reads and one that writes. All state belongs to the event loop.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fleetpush.remote.connection import ENDED_BY_SIGNAL
from fleetpush.remote.paramiko.threads import Bell

if TYPE_CHECKING:
    from collections.abc import Callable

    import paramiko

    from fleetpush.remote.connection import ProcessHandler
    from fleetpush.remote.paramiko.threads import Threads
    from fleetpush.remote.paramiko.transport import Transport

_READ_AHEAD = 256 * 1024
_WRITE_AHEAD = 256 * 1024
_PIECE = 256 * 1024


class Outbox:
    """What a channel has yet to send. ``moved`` is called when some of it has gone."""

    def __init__(
        self, channel: paramiko.Channel, threads: Threads, moved: Callable[[], None]
    ) -> None:
        self._channel = channel
        self._threads = threads
        self._moved = moved
        self._pending = bytearray()
        self._under_way = 0
        self._busy = False
        self._eof = False
        self._closed = False

    def __len__(self) -> int:
        return len(self._pending) + self._under_way

    def write(self, data: bytes) -> None:
        if not self._closed and not self._eof:
            self._pending += data
            self._next()

    def write_eof(self) -> None:
        if not self._closed and not self._eof:
            self._eof = True
            self._next()

    def close(self) -> None:
        """Drops what is left; the channel itself is its owner's to close."""
        self._closed = True
        self._pending.clear()
        self._under_way = 0

    def _next(self) -> None:
        if self._busy or self._closed:
            return
        piece = bytes(self._pending[:_PIECE])
        del self._pending[: len(piece)]
        if not piece and not self._eof:
            return
        channel = self._channel
        self._busy = True
        self._under_way = len(piece)
        last = self._eof and not piece
        work = channel.shutdown_write if last else lambda: channel.sendall(piece)
        self._threads.call(work).add_done_callback(lambda done: self._done(done, last))

    def _done(self, done: asyncio.Future[None], last: bool) -> None:
        self._busy = False
        self._under_way = 0
        if done.cancelled() or done.exception() is not None or last:
            self.close()  # a channel that is gone takes nothing more, nor does one after its end
        self._moved()
        self._next()


class Inbox:
    """Takes what a channel has to read and hands it to ``heard(stdout, stderr)``; then ``over()`` once."""

    def __init__(
        self,
        channel: paramiko.Channel,
        threads: Threads,
        heard: Callable[[bytes, bytes], None],
        over: Callable[[], None],
    ) -> None:
        self._channel = channel
        self._threads = threads
        self._heard = heard
        self._over = over
        self._busy = False
        self._rung = False
        self._held = False
        self._ended = False
        self._whole_channel = True

    def begin(self, *, until_eof: bool = False) -> None:
        """``until_eof``: over when the other side sends no more, not only when the channel closes."""
        self._whole_channel = not until_eof
        bell = Bell(self._threads, self.ring)
        # Channel.recv has no callback; this is the hook that Channel.fileno() itself is built on.
        self._channel.in_buffer.set_event(bell)
        self._channel.in_stderr_buffer.set_event(Bell(self._threads, self.ring))
        self.ring()

    def hold(self, held: bool) -> None:
        """While held, nothing is read: the window fills and the host stops sending."""
        self._held = held
        if not held:
            self.ring()

    def ring(self) -> None:
        self._rung = True
        if self._busy or self._held or self._ended:
            return
        self._rung = False
        self._busy = True
        self._threads.call(self._take).add_done_callback(self._taken)

    def _take(self) -> tuple[bytes, bytes, bool]:
        channel = self._channel
        # Asked before reading: what comes in between is there for the next time.
        over = bool(channel.closed or (not self._whole_channel and channel.eof_received))
        out = channel.recv(_PIECE) if channel.recv_ready() else b""
        err = channel.recv_stderr(_PIECE) if channel.recv_stderr_ready() else b""
        return out, err, over

    def _taken(self, done: asyncio.Future[tuple[bytes, bytes, bool]]) -> None:
        self._busy = False
        failed = done.cancelled() or done.exception() is not None
        out, err, over = (b"", b"", True) if failed else done.result()
        if out or err:
            self._heard(out, err)
            self.ring()
        elif over:
            if not self._ended:
                self._ended = True
                self._over()
        elif self._rung:
            self.ring()


class ChannelProcess:
    """A command on the host."""

    def __init__(
        self,
        channel: paramiko.Channel,
        transport: Transport,
        threads: Threads,
        handler: ProcessHandler,
        place: str,
    ) -> None:
        self._channel = channel
        self._transport = transport
        self._threads = threads
        self._handler = handler
        self._place = place
        self._ended = False
        self._outbox = Outbox(channel, threads, lambda: None)
        self._inbox = Inbox(channel, threads, self._heard, self._over)
        self._inbox.begin()

    def write(self, data: bytes) -> None:
        self._outbox.write(data)

    def write_eof(self) -> None:
        self._outbox.write_eof()

    def unsent(self) -> int:
        return len(self._outbox)

    def kill(self) -> None:
        """Asks sshd to kill the command's process group (since OpenSSH 7.9) and ends the channel.

        The handler hears of it at once: sshd answers only when the command is gone.
        """
        if not self._ended:
            self._threads.call(self._kill).add_done_callback(_forget)
        self._end(None, "killed from here")

    def _kill(self) -> None:
        self._transport.send_signal(self._channel, "KILL")
        self._channel.close()

    def _heard(self, out: bytes, err: bytes) -> None:
        if out and not self._ended:
            self._handler.stdout(out)
        if err and not self._ended:
            self._handler.stderr(err)

    def _over(self) -> None:
        status, signal = self._channel.exit_status, self._transport.signal_of(self._channel)
        if signal is not None:
            self._end(None, f"{ENDED_BY_SIGNAL} {signal}")
        elif status >= 0:
            self._end(status, f"exit status {status}")
        else:
            why = self._transport.farewell()
            self._end(
                None, f"the connection to {self._place} is gone" + (f" ({why})" if why else "")
            )

    def _end(self, status: int | None, reason: str) -> None:
        self._outbox.close()
        if not self._ended:
            self._ended = True
            self._handler.ended(status, reason)


class ChannelStream:
    """A direct-tcpip channel; reads ahead at most 256 KiB and a piece."""

    def __init__(self, channel: paramiko.Channel, threads: Threads) -> None:
        self._channel = channel
        self._threads = threads
        self._buffer = bytearray()
        self._ended = False
        self._closed = False
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._outbox = Outbox(channel, threads, self._moved)
        self._inbox = Inbox(channel, threads, self._heard, self._over)
        self._inbox.begin(until_eof=True)

    async def read(self, limit: int) -> bytes:
        while not self._buffer and not self._ended:
            self._arrived.clear()
            await self._arrived.wait()
        data = bytes(self._buffer[:limit])
        del self._buffer[:limit]
        if len(self._buffer) < _READ_AHEAD:
            self._inbox.hold(False)
        return data

    def write(self, data: bytes) -> None:
        self._outbox.write(data)
        self._moved()

    async def drain(self) -> None:
        await self._writable.wait()

    def write_eof(self) -> None:
        self._outbox.write_eof()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._outbox.close()
            self._moved()
            self._threads.call(self._channel.close).add_done_callback(_forget)

    def _moved(self) -> None:
        if len(self._outbox) <= _WRITE_AHEAD:
            self._writable.set()
        else:
            self._writable.clear()

    def _heard(self, out: bytes, _err: bytes) -> None:
        self._buffer += out
        if len(self._buffer) >= _READ_AHEAD:
            self._inbox.hold(True)
        self._arrived.set()

    def _over(self) -> None:
        self._ended = True
        self._arrived.set()


def _forget(done: asyncio.Future[None]) -> None:
    """The channel was closed already, or its connection is gone: just as well."""
    if not done.cancelled():
        done.exception()
