"""The channel to the CLI over stdin and stdout: one JSON object a line, both ways.

Two blocking threads serve it and the descriptors are never made non-blocking: sudo and sshd may share
them. The threads also keep the lease: they beat, and they notice the silence, however busy the loop is.
"""

from __future__ import annotations

import os
import queue
import select
import threading
from time import monotonic

from fleetpush.lean.json import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

BEAT = 8.0
"""Seconds of silence after which either side says something."""

MAX_LINE = 4 * 1024 * 1024
LEAVE_WITHIN = 10.0
"""Seconds from the end of the lease until the process ends, whatever its loop is doing."""


class Control:
    """``on_message`` and ``on_end`` are called in the reading thread: pass them on to the loop."""

    def __init__(
        self,
        lease: float,
        on_message: Callable[[dict[str, Any]], None],
        on_end: Callable[[str], None],
    ) -> None:
        self.grace = 0.0
        """Seconds beyond ``LEAVE_WITHIN`` that the agent may go on alone."""
        self._lease = lease
        self._on_message = on_message
        self._on_end = on_end
        self._in, self._out = _take_over_stdio()
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_all, name="control-out", daemon=True)

    def start(self) -> None:
        self._writer.start()
        threading.Thread(target=self._read_all, name="control-in", daemon=True).start()

    def read_exactly(self, count: int) -> bytes:
        """``count`` bytes of stdin, before ``start``. Raises EOFError."""
        data = bytearray()
        while len(data) < count:
            part = os.read(self._in, min(1 << 20, count - len(data)))
            if not part:
                raise EOFError("the connection ended during the bootstrap")
            data += part
        return bytes(data)

    def mark(self, marker: str) -> None:
        """The first thing said: what a chatty login shell printed before it is told apart by this line."""
        self._outgoing.put(b"\n" + marker.encode() + b"\n")

    def say(self, message: dict[str, Any]) -> None:
        """Never blocks; from any thread."""
        self._outgoing.put(dumps(message) + b"\n")

    def finish(self) -> None:
        """Waits (bounded) until all that was said is written."""
        self._outgoing.put(None)
        self._writer.join(LEAVE_WITHIN / 2)

    def _write_all(self) -> None:
        while True:
            line = self._next()
            if line is None:
                return
            try:
                while line:
                    line = line[os.write(self._out, line) :]
            except BlockingIOError:
                select.select([], [self._out], [], BEAT)  # somebody else made it non-blocking
            except OSError:
                return  # nobody listens any more: the reader will notice the end of the lease

    def _next(self) -> bytes | None:
        """All that waits to be said, in one piece: each write wakes an sshd and the CLI."""
        try:
            line = self._outgoing.get(timeout=BEAT)
        except queue.Empty:
            return b'{"is":"beat"}\n'
        while line is not None:
            try:
                more = self._outgoing.get_nowait()
            except queue.Empty:
                break
            if more is None:
                self._outgoing.put(None)
                break
            line += more
        return line

    def _read_all(self) -> None:
        reason = self._read_until_end()
        self._on_end(reason)
        # The loop may be stuck in a system call that never returns; the lease ends all the same.
        deadline = monotonic() + LEAVE_WITHIN + self.grace
        while monotonic() < deadline:
            threading.Event().wait(1.0)
        os._exit(1)

    def _read_until_end(self) -> str:
        poller = select.poll()
        poller.register(self._in, select.POLLIN)
        pending = bytearray()
        while True:
            if not poller.poll(self._lease * 1000):
                return f"no sign of life from fleetpush for {self._lease:.0f} s"
            try:
                data = os.read(self._in, 1 << 16)
            except BlockingIOError:
                continue
            except OSError:
                return "the connection broke"
            if not data:
                return "the connection ended"
            pending += data
            if len(pending) > MAX_LINE:
                return "an endless line on the control channel"
            *lines, rest = pending.split(b"\n")
            pending = bytearray(rest)
            for line in lines:
                message = _parsed(bytes(line))
                if message is None:
                    return "something that is no message on the control channel"
                self._on_message(message)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        message = loads(line)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def _take_over_stdio() -> tuple[int, int]:
    """stdin and stdout under other numbers; whoever prints or reads by mistake meets /dev/null."""
    taken = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    return taken
