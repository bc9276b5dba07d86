"""Where callers come in: the listening socket of a peer, and who of them speaks TLS.

Not one byte of a caller is trusted here: it becomes a link, or it is hung up on.
"""

from __future__ import annotations

import errno

from fleetpush.lean.sockets import socket
from fleetpush.net.binding import bound
from fleetpush.net.loop import READ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from fleetpush.net.loop import Loop, Timer
    from fleetpush.swarm.picker import Rng

REST = 0.2
"""Seconds without accepting after the system had no descriptor for a caller."""

SPEAK_WITHIN = 5.0
"""Seconds that a caller may keep its first byte back."""

_TLS_HANDSHAKE = 0x16


class Listener:
    """``taken(sock, tls)`` is given each caller, while there is ``room`` beside so many that are silent yet.

    ``clear``: some may open in clear; their first byte tells.
    """

    def __init__(
        self,
        loop: Loop,
        rng: Rng,
        *,
        clear: bool,
        room: Callable[[int], bool],
        taken: Callable[[socket.socket, bool], None],
    ) -> None:
        self._loop = loop
        self._rng = rng
        self._clear = clear
        self._room = room
        self._taken = taken
        self._socket: socket.socket | None = None
        self._resting: Timer | None = None
        self.silent: dict[int, tuple[socket.socket, Timer]] = {}
        """Callers of which not even the first byte came, by descriptor."""

    def listen(self, address: str, ports: tuple[int, int]) -> tuple[str, int]:
        """Binds ``address`` ("" for all, of IPv4 and IPv6) on the first free port of ``ports``, both ends
        included.

        Starts at a random port of the range, so that many runs on one machine do not all try the same ones.
        Raises OSError (EADDRINUSE when the whole range is taken, EADDRNOTAVAIL for a foreign address).
        """
        first, last = ports
        count = last - first + 1
        start = int(self._rng.random() * count)
        for step in range(count):
            try:
                sock = bound(address, first + (start + step) % count)
            except OSError as error:
                if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                    raise
            else:
                sock.setblocking(False)
                self._socket = sock
                self._loop.register(sock.fileno(), READ, self._acceptable)
                host, port = sock.getsockname()[:2]
                return str(host), int(port)
        raise OSError(errno.EADDRINUSE, f"no free port from {first} to {last}")

    def close(self) -> None:
        for fd in list(self.silent):
            self._hear(fd).close()
        if self._socket is None:
            return
        if self._resting is None:
            self._loop.unregister(self._socket.fileno())
        else:
            self._resting.cancel()
        self._socket.close()
        self._socket = None

    def _acceptable(self, mask: int) -> None:
        while self._socket is not None:
            try:
                sock, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue  # the caller is gone already
            except OSError:
                self._rest()
                return
            sock.setblocking(False)
            if not self._room(len(self.silent)):
                sock.close()
            elif self._clear:
                self._tell_apart(sock)
            else:
                self._taken(sock, True)

    def _rest(self) -> None:
        """Out of descriptors or memory: callers wait in the kernel until some are free again."""
        listening = self._socket
        assert listening is not None
        self._loop.unregister(listening.fileno())

        def again() -> None:
            self._resting = None
            self._loop.register(listening.fileno(), READ, self._acceptable)

        self._resting = self._loop.call_later(REST, again)

    def _tell_apart(self, sock: socket.socket) -> None:
        """TLS or a lane in clear, by the first byte."""
        fd = sock.fileno()
        timer = self._loop.call_later(SPEAK_WITHIN, lambda: self._hear(fd).close())
        self.silent[fd] = sock, timer

        def first_byte(mask: int) -> None:
            self._hear(fd)
            try:
                head = sock.recv(1, socket.MSG_PEEK)
            except OSError:
                head = b""
            if head:
                self._taken(sock, head[0] == _TLS_HANDSHAKE)
            else:
                sock.close()

        self._loop.register(fd, READ, first_byte)

    def _hear(self, fd: int) -> socket.socket:
        """The caller on ``fd`` is silent no more."""
        sock, timer = self.silent.pop(fd)
        timer.cancel()
        self._loop.unregister(fd)
        return sock
