"""One non-blocking connection that carries frames, in TLS or clear.

Control frames go out first and coalesce; blocks are pulled from the owner one at a time when the socket
takes them, so a frame never waits behind more than a block of our own and nothing piles up in memory.
"""

from __future__ import annotations

import errno
import sys

from fleetpush.errors import RemoteProtocolError
from fleetpush.lean.compiled import Struct, StructError
from fleetpush.lean.sockets import socket, ssl
from fleetpush.net.loop import READ, WRITE
from fleetpush.swarm.wire import Decoder, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from fleetpush.net.loop import Loop, Timer
    from fleetpush.net.tls import Contexts
    from fleetpush.swarm.wire import Frame

    class Owner(Protocol):
        """What a link tells, and asks. It may close the link in any of these calls."""

        def opened(self, link: Link) -> None:
            """Connected, and authenticated if it is TLS."""

        def received(self, link: Link, frames: list[Frame], size: int) -> None:
            """Whole frames; a ``Data`` payload is valid only during the call."""

        def closed(self, link: Link, reason: str) -> None:
            """Called once, also when it never opened; not when ``close`` was called by the owner."""

        def next_block(self, link: Link) -> tuple[bytes, bytes | memoryview] | None:
            """The next block's head and the block; None if there is none now (``want_write`` resumes)."""

        def block_out(self, link: Link) -> None:
            """The block that ``next_block`` gave last is in the kernel's hands."""


READ_BUFFER = 256 * 1024
RECORD = 16 * 1024
"""The most that TLS hands out in one call."""

FEW, MANY = 4 * 1024, 32 * 1024
"""How many of a block's bytes the kernel may wait for before it wakes us, if so many are to come: every
packet costs a wake-up otherwise, and nothing can be done with a part. MANY fits any window."""

LITTLE = 64 * 1024
"""Bytes that a link reads in one go once it had to pause for so many seconds: several links read before the
first of them is told to, and what they took is over the limit at once."""

TURN = 256 * 1024
"""Bytes a link may write before other links get their turn."""

UNSENT_LOW_WATER = 128 * 1024
"""TCP_NOTSENT_LOWAT: how much may wait in the kernel beyond what is in flight."""

MAX_BACKLOG = 8 * 1024 * 1024
"""Bytes of control frames that may wait for a reader: twice what news of the largest content takes. Whoever
asks for more and does not read would have us keep it all."""

SO_MEMINFO = 55
MEMINFO = Struct("=8xI")
"""What Linux (since 4.12) says of a socket's memory; the third number is what of it is in queues of this
machine."""

MEMINFO_KNOWN = sys.platform == "linux"

CONNECT_WITHIN = 2.5
HANDSHAKE_WITHIN = 15.0
"""Seconds; the kernel answers a connect at once (it asks a second time after one second), a busy agent may
take its time over the handshake."""

_shared = memoryview(
    bytearray(READ_BUFFER)
)  # one loop, one thread: every link reads into the same buffer


class Link:
    """``sock`` is non-blocking and connected or connecting; ``server``: the other side dialled."""

    def __init__(
        self, loop: Loop, sock: socket.socket, owner: Owner, tls: Contexts | None, *, server: bool
    ) -> None:
        self.session: Any = None
        """Whom the owner took this link to belong to."""
        self.is_open = False
        self.is_closed = False
        self.is_server = server
        self.is_tls = tls is not None
        self.bytes_in = 0
        self.bytes_out = 0
        self._loop = loop
        self._owner = owner
        self._sock = sock
        self._fd = sock.fileno()
        self._decoder = Decoder()
        self._control = bytearray()
        self._choked = False
        self._sending = memoryview(b"")
        self._rest = memoryview(b"")
        """What follows ``_sending``: the rest of a block."""
        self._block_in_flight = False
        self._mask = 0
        self._reading = True
        self._most = READ_BUFFER
        self._low_water = 1
        self._deadline: Timer | None = loop.call_later(
            HANDSHAKE_WITHIN if server else CONNECT_WITHIN, self._too_slow
        )
        tune(sock)
        self._tls = tls
        self._take: Callable[[int, memoryview], int]
        self._pending: Callable[[], int] = _none
        self._step = self._connect if not server else self._handshake
        self._interest(WRITE if not server else READ)

    @property
    def tls_socket(self) -> ssl.SSLSocket:
        assert isinstance(self._sock, ssl.SSLSocket)
        return self._sock

    def send(self, frame: Frame) -> None:
        """Queues a control frame; ``want_write`` sets it going. A link with too many of them ends soon."""
        if len(self._control) < MAX_BACKLOG:
            self._control += encode(frame)
        elif not self._choked:
            self._choked = True
            self._loop.call_soon(lambda: self._fail("it does not read what it asked for"))

    @property
    def backlog(self) -> int:
        """Bytes of control frames not yet taken by the socket."""
        return len(self._control)

    def queued(self) -> int:
        """Bytes that wait in the queues of this machine; 0 where the system does not tell."""
        if self.is_closed or not MEMINFO_KNOWN:
            return 0
        try:
            found = self._sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, MEMINFO.size)
            return int(MEMINFO.unpack(found)[0])
        except (OSError, StructError):
            return 0

    def want_write(self) -> None:
        """There is something to send: tries at once."""
        if self.is_open and not self.is_closed and not self._mask & WRITE:
            self._write()

    def pause_reading(self, seconds: float) -> None:
        """Leaves what arrives in the kernel for a while."""
        if not self._reading or self.is_closed:
            return
        self._reading = False
        self._interest(self._mask & ~READ)
        if seconds > 0:
            self._most = LITTLE
            self._loop.call_later(seconds, self.resume_reading)

    def resume_reading(self) -> None:
        if not self._reading and not self.is_closed:
            self._reading = True
            self._interest(self._mask | READ)
            # TLS may hold decrypted bytes that the socket will not announce again.
            self._loop.call_soon(self._read)

    def close(self) -> None:
        """Idempotent; the owner is not told."""
        if self.is_closed:
            return
        self.is_closed = True
        self.is_open = False
        if self._deadline is not None:
            self._deadline.cancel()
        self._interest(0)
        self._sock.close()

    # -- getting connected

    def _connect(self) -> None:
        problem = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if problem:
            self._fail(errno_text(problem))
            return
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = self._loop.call_later(HANDSHAKE_WITHIN, self._too_slow)
        self._step = self._handshake
        self._handshake()

    def _handshake(self) -> None:
        if self._tls is not None:
            try:
                if not isinstance(self._sock, ssl.SSLSocket):
                    self._sock = self._tls.wrap(self._sock, server=self.is_server)
                self.tls_socket.do_handshake()
            except ssl.SSLWantReadError:
                self._interest(READ)
                return
            except ssl.SSLWantWriteError:
                self._interest(WRITE)
                return
            except OSError as error:
                self._fail(f"no TLS with it: {getattr(error, 'reason', None) or error}")
                return
        if self._deadline is not None:
            self._deadline.cancel()
        self._bind()
        self.is_open = True
        self._interest(READ)
        self._owner.opened(self)
        if self.is_open and self._reading and self.is_tls:
            self._read()

    def _bind(self) -> None:
        """To the socket's own functions: they are called for every record."""
        sock: Any = self._sock
        self._take = getattr(sock, "take", None) or (lambda count, room: sock.recv_into(room))
        if self.is_tls:
            self._pending = sock.pending

    def _too_slow(self) -> None:
        self._fail("no answer")

    # -- moving bytes

    def _ready(self, mask: int) -> None:
        if self.is_closed:
            return
        if not self.is_open:
            self._step()
            return
        if mask & READ:
            self._read()
        if mask & WRITE and not self.is_closed:
            self._write()

    def _read(self) -> None:
        if self.is_closed or not self._reading or not self.is_open:
            return
        filled, ended = self._fill()
        if filled:
            self.bytes_in += filled
            try:
                frames = self._decoder.feed(_shared[:filled])
            except RemoteProtocolError as error:
                self._fail(f"it sent {error}")
                return
            self._owner.received(self, frames, filled)
            self._wait_for(self._decoder.missing)
        if ended:
            self._fail(ended)
        elif filled == self._most and not self.is_closed:
            self._loop.call_soon(self._read)

    def _fill(self) -> tuple[int, str]:
        """Reads what there is into the shared buffer: how much, and why nothing more will come."""
        filled, take, most = 0, self._take, self._most
        # What is left waits for a whole pause: no look for more is saved where blocks come.
        may_be_all = self.is_tls and not self._decoder.missing
        try:
            while filled < most:
                count = take(most - filled, _shared[filled:most])
                if not count:
                    return filled, "it closed the link"
                filled += count
                if may_be_all and filled < RECORD and not self._pending():
                    break  # a few frames, and most likely no more; if there are, the socket says so again
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError, InterruptedError):
            pass
        except ssl.SSLEOFError:
            return filled, "it closed the link"
        except ssl.SSLError as error:
            return filled, f"no TLS with it: {error.reason or error}"
        except OSError as error:
            return filled, errno_text(error.errno or 0)
        return filled, ""

    def _wait_for(self, missing: int) -> None:
        """``missing`` bytes are to come of a frame that has begun."""
        if self.is_tls:
            missing -= RECORD  # so much of them may have come, in a record that has not come whole
        low_water = 1 if missing < FEW else min(missing, MANY)
        if low_water != self._low_water and not self.is_closed:
            self._low_water = low_water
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, low_water)

    def _write(self) -> None:
        budget = TURN
        while budget > 0:
            if not self._sending and not self._compose():
                self._interest(self._mask & ~WRITE)
                return
            try:
                count = self._sock.send(self._sending)
            except (ssl.SSLWantWriteError, BlockingIOError, InterruptedError):
                break
            except ssl.SSLWantReadError:
                self._interest(self._mask & ~WRITE)
                return
            except OSError as error:
                self._fail(errno_text(error.errno or 0))
                return
            self.bytes_out += count
            budget -= count
            self._sending = self._sending[count:]
            if not self._sending and self._block_in_flight:
                self._block_in_flight = False
                self._owner.block_out(self)
                if self.is_closed:
                    return
        self._interest(self._mask | WRITE)

    def _compose(self) -> bool:
        """Fills ``_sending`` with the waiting control frames and one block."""
        if self._rest:
            # The rest of a block goes out from where it was read into, uncopied.
            self._sending, self._rest = self._rest, memoryview(b"")
            self._block_in_flight = True
            return True
        block = self._owner.next_block(self)
        if self.is_closed or (block is None and not self._control):
            return False
        control, self._control = self._control, bytearray()
        if block is not None:
            head, payload = block
            control += head
            # Frames, head and the block's beginning fill one record and packet together.
            first = RECORD - len(control) % RECORD
            control += payload[:first]
            self._rest = memoryview(payload)[first:]
            self._block_in_flight = not self._rest
        self._sending = memoryview(control)
        return True

    def _interest(self, mask: int) -> None:
        if self._reading is False:
            mask &= ~READ
        if mask == self._mask:
            return
        if not mask:
            self._loop.unregister(self._fd)
        elif self._mask:
            self._loop.modify(self._fd, mask, self._ready)
        else:
            self._loop.register(self._fd, mask, self._ready)
        self._mask = mask

    def _fail(self, reason: str) -> None:
        if not self.is_closed:
            self.close()
            self._owner.closed(self, reason)


def _none() -> int:
    return 0


def tune(sock: socket.socket) -> None:
    """Small frames at once, short queues, a dead other end noticed within about ten seconds."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_NOTSENT_LOWAT", UNSENT_LOW_WATER),
        ("TCP_KEEPIDLE", 5),
        ("TCP_KEEPINTVL", 2),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", 12_000),
    ):
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def errno_text(number: int) -> str:
    """What the system calls it, in words that do not carry addresses or paths."""
    known = {
        errno.ECONNREFUSED: "connection refused",
        errno.ETIMEDOUT: "no answer",
        errno.EHOSTUNREACH: "no route to it",
        errno.ENETUNREACH: "no route to it",
        errno.ECONNRESET: "it reset the connection",
        errno.EPIPE: "it closed the link",
    }
    return known.get(number, errno.errorcode.get(number, "the connection broke"))
