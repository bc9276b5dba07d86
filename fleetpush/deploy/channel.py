"""The CLI's end of an agent's control channel: bytes of a remote process in, messages out.

An agent may be hostile: lines are bounded, what is no message ends that agent only.
"""

from __future__ import annotations

import json
import secrets
import time
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from fleetpush.remote.connection import Process

MAX_NOISE = 1024 * 1024
"""Bytes that a chatty login shell may print before the agent speaks."""

MAX_LINE = 1024 * 1024
STDERR_KEPT = 4096
MESSAGES, MESSAGES_PER_S = 20_000, 500
"""How many an agent may send at once and in the long run: each takes time that all hosts share."""


class Listener(Protocol):
    """Who is told what the agent says. Called in the event loop."""

    def heard(self, message: dict[str, Any]) -> None: ...

    def channel_ended(self, status: int | None, reason: str) -> None: ...

    def channel_broken(self, reason: str) -> None:
        """The agent said something that is no message."""


class Channel(Protocol):
    """What a run does with an agent's channel, whoever owns it. Bytes are of control messages."""

    @property
    def running(self) -> bool: ...

    @property
    def bytes_in(self) -> int: ...

    @property
    def bytes_out(self) -> int: ...

    @property
    def stderr_tail(self) -> bytes: ...

    def say(self, message: dict[str, Any]) -> None:
        """Queues ``message``; ignored once the agent is gone."""

    def kill(self) -> None: ...


class AgentChannel:
    """A ``ProcessHandler``. ``marker`` is what the agent says first; anything before it is noise."""

    def __init__(self, listener: Listener) -> None:
        self.marker = f"fleetpush-{secrets.token_hex(8)}"
        self.bytes_in: int = 0
        self.bytes_out: int = 0
        self.stderr_tail: bytes = b""
        self._listener = listener
        self._process: Process | None = None
        self._pending = bytearray()
        self._speaking = False
        self._broken = False
        self._allowance = float(MESSAGES)
        self._allowed_at = time.monotonic()

    @property
    def running(self) -> bool:
        """The agent's process was started and has not ended."""
        return self._process is not None

    def attach(self, process: Process, payload: bytes) -> None:
        """The process runs: gives it all it needs in one write."""
        self._process = process
        self._write(payload)

    def say(self, message: dict[str, Any]) -> None:
        """Queues ``message``; ignored once the agent is gone."""
        self._write(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    def end_input(self) -> None:
        """The agent takes the end of its stdin as the word to leave."""
        if self._process is not None:
            self._process.write_eof()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _write(self, data: bytes) -> None:
        if self._process is not None:
            self.bytes_out += len(data)
            self._process.write(data)

    # -- ProcessHandler

    def stdout(self, data: bytes) -> None:
        if self._broken:
            return
        self.bytes_in += len(data)
        self._pending += data
        if not self._speaking and not self._skip_noise():
            return
        if b"\n" not in data and len(self._pending) <= MAX_LINE:
            return  # not the whole line again for each of its pieces
        *lines, rest = self._pending.split(b"\n")
        self._pending = bytearray(rest)
        if len(rest) > MAX_LINE:
            self._break("a line without an end")
            return
        if not self._has_allowance(len(lines)):
            self._break("more messages than anybody could want")
            return
        for line in lines:
            if line and not self._broken:
                self._take(bytes(line))

    def _has_allowance(self, messages: int) -> bool:
        now = time.monotonic()
        more = (now - self._allowed_at) * MESSAGES_PER_S
        self._allowed_at = now
        self._allowance = min(float(MESSAGES), self._allowance + more) - messages
        return self._allowance >= 0

    def stderr(self, data: bytes) -> None:
        self.stderr_tail = (self.stderr_tail + data)[-STDERR_KEPT:]

    def ended(self, status: int | None, reason: str) -> None:
        self._process = None
        self._listener.channel_ended(status, reason)

    def _skip_noise(self) -> bool:
        """Whether the agent has begun to speak."""
        mark = f"\n{self.marker}\n".encode()
        at = self._pending.find(mark)
        if at >= 0:
            del self._pending[: at + len(mark)]
            self._speaking = True
        elif len(self._pending) > MAX_NOISE:
            self._break("more than a megabyte of noise from its login shell")
        return self._speaking

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line.decode())
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict) or not isinstance(message.get("is"), str):
            self._break("something that is no message")
            return
        self._listener.heard(message)

    def _break(self, reason: str) -> None:
        self._broken = True
        self._listener.channel_broken(reason)


def no_sense(kind: str, error: Exception) -> str:
    """What is said of a message that could not be taken in."""
    return f"a {kind[:40]!a} message that makes no sense ({str(error)[:200]})"
