"""What a connection to a host can do, whatever carries it: a plugin or a local process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from fleetpush.remote.settings import BecomeMethod


@dataclass(frozen=True, kw_only=True)
class Become:
    """Whom to become, and how. ``password`` is for sudo alone; ``exe`` is the program, if not in PATH."""

    user: str = "root"
    method: BecomeMethod = "sudo"
    password: str | None = field(default=None, repr=False)
    exe: str | None = None
    flags: tuple[str, ...] = ()

    @property
    def waits(self) -> bool:
        """Nothing may be written before the other user's shell has spoken."""
        return self.method == "su" or self.password is not None


@dataclass(frozen=True, kw_only=True)
class Target:
    """One host as the connection layer sees it, resolved from inventory and options.

    ``python`` is ansible_python_interpreter where the inventory sets it. ``jump`` is ``[user@]host[:port]``,
    several separated by commas.
    """

    name: str
    address: str
    port: int | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    private_key: Path | None = None
    python: str | None = None
    connection: str = "asyncssh"
    jump: str | None = None
    become: Become | None = None


ENDED_BY_SIGNAL = "ended by signal"
"""How the reason begins that a handler hears when a signal ended its process."""


class ProcessHandler(Protocol):
    """Receives what a remote process says. Called in the event loop; must not block or raise."""

    def stdout(self, data: bytes) -> None: ...

    def stderr(self, data: bytes) -> None: ...

    def ended(self, status: int | None, reason: str) -> None:
        """Called exactly once. ``status`` is None if the connection broke or a signal ended it."""


class Process(Protocol):
    """A process on the host with its three streams; no PTY."""

    def write(self, data: bytes) -> None:
        """Queues ``data`` for stdin; never blocks. Ignored once the process has ended."""

    def write_eof(self) -> None: ...

    def unsent(self) -> int:
        """Bytes queued and not yet taken by the other end."""

    def kill(self) -> None:
        """Ends the channel; a process that ignores the end of its stdin must be ended by its own lease."""


class ByteStream(Protocol):
    """A TCP connection opened from the host's side (direct-tcpip)."""

    async def read(self, limit: int) -> bytes:
        """At most ``limit`` bytes; b"" at the end."""

    def write(self, data: bytes) -> None: ...

    async def drain(self) -> None: ...

    def write_eof(self) -> None: ...

    def close(self) -> None: ...


class Connection(Protocol):
    """One connection, kept for the run."""

    async def start(self, command: str, handler: ProcessHandler) -> Process:
        """Runs ``command`` by the login shell. Raises HostError when the channel cannot be opened."""

    async def forward(self, address: str, port: int) -> ByteStream:
        """A TCP connection from the host to ``address:port``. Raises HostError when refused."""

    async def close(self) -> None:
        """Never raises; returns within two seconds."""


class Connector(Protocol):
    """Opens connections; holds what hosts share: parsed keys, known_hosts, ssh_config, bastions."""

    async def connect(self, target: Target) -> Connection:
        """Raises HostError (``unreachable`` set for refused keys, changed host keys, time-outs)."""

    async def close(self) -> None: ...
