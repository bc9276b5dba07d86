"""The channel to the CLI over stdin and stdout: one JSON object a line, both ways.

Two blocking threads serve it and the descriptors are never made non-blocking: sudo and sshd may share
them. The threads also keep the lease: they beat, and they notice the silence, however busy the loop is.
"""

from __future__ import annotations

import select
from time import monotonic, sleep

from fleetpush.lean.json import dumps, loads
from fleetpush.lean.system import os
from fleetpush.lean.threads import Lock, Queue, start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

BEAT = 8.0
"""Seconds of silence after which either side says something."""

MAX_LINE = 4 * 1024 * 1024
MAX_TOLD = 256 * 1024 * 1024
"""Bytes of a configuration, and of a manifest, at the most."""

LEAVE_WITHIN = 10.0
"""Seconds from the end of the lease until the process ends, whatever its loop is doing."""


class Lines:
    """Cuts what comes over the channel into messages."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """The messages that ``data`` completes. Raises ValueError at what is none."""
        self._pending += data
        if b"\n" not in data:  # not the whole line again for each of its pieces
            if len(self._pending) > MAX_LINE:
                raise ValueError("an endless line on the control channel")
            return
        *lines, self._pending = self._pending.split(b"\n")
        for line in lines:
            yield _parsed(bytes(line), "message")


class Control:
    """``on_message`` and ``on_end`` are called in the reading thread: pass them on to the loop.

    ``on_end`` is told why, and whether it is because of something that makes no sense.
    """

    def __init__(
        self,
        lease: float,
        on_message: Callable[[dict[str, Any]], None],
        on_end: Callable[[str, bool], None],
    ) -> None:
        self.grace = 0.0
        """Seconds beyond ``LEAVE_WITHIN`` that the agent may go on alone."""
        self._lease = lease
        self._on_message = on_message
        self._on_end = on_end
        self._in, self._out = _take_over_stdio()
        self._poller = select.poll()
        self._poller.register(self._in, select.POLLIN)
        self._outgoing = Queue()
        """Of bytes; None is the end."""
        self._writing = Lock()
        """The writing thread's, for as long as it runs."""

    def start(self) -> None:
        self._writing.acquire()
        start(self._write_all)
        start(self._read_all)

    def told(self) -> tuple[dict[str, Any], bytes]:
        """The configuration and the manifest that came behind the archive; before ``start``.

        Raises EOFError where they do not come, ValueError for what makes no sense.
        """
        lengths = self._read_exactly(8)
        size, more = (int.from_bytes(part, "big") for part in (lengths[:4], lengths[4:]))
        if max(size, more) > MAX_TOLD:
            raise ValueError(f"it is to read {max(size, more)} bytes, which makes no sense")
        return _parsed(self._read_exactly(size), "configuration"), self._read_exactly(more)

    def _read_exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            part = self._read(min(1 << 20, count - len(data)))
            if isinstance(part, str):
                raise EOFError(f"{part} during the bootstrap")
            data += part
        return bytes(data)

    def mark(self, marker: str) -> None:
        """The first thing said: what a chatty login shell printed before it is told apart by this line."""
        self._outgoing.put(b"\n" + marker.encode() + b"\n")

    def say(self, message: dict[str, Any], *, waits: bool = False) -> None:
        """Never blocks; from any thread. With ``waits`` it goes with the next one, or at ``hurry``."""
        self._outgoing.put(dumps(message) + b"\n", rings=not waits)

    def hurry(self) -> None:
        """Whatever was to wait is said now."""
        self._outgoing.ring()

    def finish(self) -> None:
        """Waits (bounded) until all that was said is written."""
        self._outgoing.put(None)
        self._writing.acquire(timeout=LEAVE_WITHIN / 2)

    def _write_all(self) -> None:
        try:
            # In one piece all that waits to be said: each write wakes an sshd and the CLI.
            while self._wrote(self._outgoing.take(BEAT) or [b'{"is":"beat"}\n']):
                pass
        except OSError:
            pass  # nobody listens any more: the reader will notice the end of the lease
        finally:
            self._writing.release()

    def _wrote(self, lines: list[Any]) -> bool:
        """Whether more are to follow. Raises OSError."""
        more = None not in lines
        left = b"".join(lines if more else lines[: lines.index(None)])
        while left:
            try:
                left = left[os.write(self._out, left) :]
            except BlockingIOError:
                select.select([], [self._out], [], BEAT)  # somebody else made it non-blocking
        return more

    def _read_all(self) -> None:
        try:
            reason, nonsense = self._read_until_end(), False
        except ValueError as error:
            reason, nonsense = str(error), True
        self._on_end(reason, nonsense)
        # The loop may be stuck in a system call that never returns; the lease ends all the same.
        deadline = monotonic() + LEAVE_WITHIN + self.grace
        while monotonic() < deadline:
            sleep(1.0)
        os._exit(1)  # noqa: SLF001 - its public name

    def _read_until_end(self) -> str:
        lines = Lines()
        while True:
            data = self._read(1 << 16)
            if isinstance(data, str):
                return data
            for message in lines.feed(data):
                self._on_message(message)

    def _read(self, most: int) -> bytes | str:
        """What comes next, or why nothing will."""
        while True:
            if not self._poller.poll(self._lease * 1000):
                return f"no sign of life from fleetpush for {self._lease:.0f} s"
            try:
                return os.read(self._in, most) or "the connection ended"
            except BlockingIOError:
                continue
            except OSError:
                return "the connection broke"


def _parsed(data: bytes, what: str) -> dict[str, Any]:
    """Raises ValueError for anything but an object in JSON."""
    try:
        value = loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ValueError(f"something that is no {what} on the control channel")
    return value


def _take_over_stdio() -> tuple[int, int]:
    """stdin and stdout under other numbers; whoever prints or reads by mistake meets /dev/null."""
    taken = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    return taken
