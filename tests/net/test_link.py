"""Two links over TCP, with a line between them that passes bytes on in pieces."""

from __future__ import annotations

import fcntl
import random
import socket
import sys
import termios
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleetpush.net.link import LITTLE, READ_BUFFER, RECORD, Link
from fleetpush.net.loop import READ
from fleetpush.net.tls import Contexts
from fleetpush.swarm.manifest import BLOCK
from fleetpush.swarm.wire import Cancel, Data, data_head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fleetpush.swarm.wire import Frame
    from tests.net.nodes import Rig

GAP = 0.0002
"""Seconds between two pieces."""


class End:
    """An owner: sends the blocks that it is given, keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[Frame] = []
        self.blocks_heard: list[bytes] = []
        self.reason = ""
        self.blocks: list[bytes] = []

    def opened(self, link: Link) -> None:
        """There is nothing to do yet."""

    def received(self, link: Link, frames: list[Frame], size: int) -> None:
        self.heard += frames
        self.blocks_heard += [bytes(f.payload) for f in frames if isinstance(f, Data)]

    def closed(self, link: Link, reason: str) -> None:
        self.reason = reason

    def next_block(self, link: Link) -> tuple[bytes, bytes] | None:
        if not self.blocks:
            return None
        block = self.blocks.pop(0)
        return data_head(1, 0, len(block)), block

    def block_out(self, link: Link) -> None:
        """It asks for the next one by itself."""


class Line:
    """Between two links: what one sends reaches the other in pieces of ``sizes()`` bytes."""

    def __init__(self, rig: Rig, *, encrypt: bool, sizes: Callable[[], int]) -> None:
        self.rig = rig
        self._sizes = sizes
        self._outer, self._inner = _connected(), _connected()
        self._is_cut = False
        self.pieces = 0
        self.most: int | None = None
        """Pieces until it is cut."""
        contexts = {name: Contexts(*rig.papers(name)) if encrypt else None for name in ("a", "b")}
        self.one, self.other = End(), End()
        self.near = Link(rig.loop, self._outer[0], self.one, contexts["a"], server=False)
        self.far = Link(rig.loop, self._inner[0], self.other, contexts["b"], server=True)
        self._pass_on(self._outer[1], self._inner[1])
        self._pass_on(self._inner[1], self._outer[1])
        if not encrypt:
            self.far._handshake()  # in clear nothing comes that would wake it
        rig.until(lambda: self.near.is_open and self.far.is_open)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        def watch() -> None:
            if not self._is_cut:
                self.rig.loop.register(source.fileno(), READ, more)

        def more(mask: int) -> None:
            self.rig.loop.unregister(source.fileno())
            if not self._is_cut:
                target.sendall(source.recv(self._sizes()))
                self.pieces += 1
                if self.pieces == self.most:
                    self.cut()
                self.rig.loop.call_later(GAP, watch)

        watch()

    def cut(self) -> None:
        """Both links come to an end as if the other side had gone."""
        self._is_cut = True
        for sock in (self._outer[1], self._inner[1]):
            sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._is_cut = True
        for end in (self.near, self.far, self._outer[1], self._inner[1]):
            end.close()


def _connected() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        other, _ = server.accept()
    one.setblocking(False)
    return one, other


@pytest.fixture
def line_of(rig) -> Iterator[Callable[..., Line]]:
    lines: list[Line] = []

    def make(**how: object) -> Line:
        lines.append(Line(rig, **how))
        return lines[-1]

    yield make
    for line in lines:
        line.close()


@pytest.mark.parametrize("encrypt", [True, False])
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    lengths=st.lists(st.integers(1, BLOCK), min_size=1, max_size=3),
    seed=st.integers(0, 99),
    most=st.sampled_from([700, 9_000, 70_000]),
)
def test_the_last_byte_of_a_block_is_enough_whatever_the_pieces(
    line_of, encrypt, lengths, seed, most
):
    rng = random.Random(seed)
    line = line_of(encrypt=encrypt, sizes=lambda: rng.randint(1, most))
    blocks = [rng.randbytes(length) for length in lengths]
    line.one.blocks = list(blocks)
    line.near.want_write()
    line.rig.until(lambda: len(line.other.heard) == len(blocks))  # and nothing follows
    assert line.other.blocks_heard == blocks
    line.near.send(Cancel(7))
    line.near.want_write()
    line.rig.until(lambda: line.other.heard[-1] == Cancel(7))
    line.close()


@pytest.mark.parametrize("encrypt", [True, False])
def test_the_pieces_of_a_block_do_not_wake_us_one_by_one(line_of, encrypt, monkeypatch):
    line = line_of(encrypt=encrypt, sizes=lambda: 1024)
    line.one.blocks = [random.Random(1).randbytes(BLOCK)]
    fills, fill = [], Link._fill
    monkeypatch.setattr(Link, "_fill", lambda link: fills.append(link) or fill(link))
    before = line.pieces
    line.near.want_write()
    line.rig.until(lambda: bool(line.other.heard))
    pieces = line.pieces - before
    assert pieces >= BLOCK // 1024
    # In TLS the first and the last record wake us all the same.
    assert fills.count(line.far) < pieces * (3 if encrypt else 1) // 4


@pytest.mark.parametrize("encrypt", [True, False])
def test_a_link_that_ends_within_a_block_is_closed_at_once(line_of, encrypt):
    line = line_of(encrypt=encrypt, sizes=lambda: 1024)
    line.one.blocks = [bytes(BLOCK)]
    line.most = line.pieces + 40
    line.near.want_write()
    line.rig.until(lambda: bool(line.other.reason))
    assert not line.other.heard


def waiting(sock: socket.socket) -> int:
    """Bytes that have come and nobody has read."""
    return int.from_bytes(fcntl.ioctl(sock, termios.FIONREAD, bytes(4)), sys.byteorder)


@pytest.mark.parametrize("encrypt", [True, False])
@pytest.mark.parametrize("came", [0, BLOCK - 100])
def test_all_that_gathered_in_a_pause_is_read_in_one_go(line_of, encrypt, came, monkeypatch):
    """Were it one block a time, or less, each would cost a whole pause, and the line would stand still."""
    line = line_of(encrypt=encrypt, sizes=lambda: BLOCK)
    line.far._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    blocks = [random.Random(seed).randbytes(BLOCK) for seed in range(3)]
    first, *others = [data_head(0, i, BLOCK) + block for i, block in enumerate(blocks)]
    pour(line.near, first[:came])
    line.rig.until(lambda: line.far.bytes_in == came)
    line.far.pause_reading(0.0)
    # In TLS each block ends in a record that is not full, as the last one to come would.
    for piece in (first[came:], *others):
        pour(line.near, piece)
    rest = len(first[came:] + b"".join(others))
    assert RECORD < rest < READ_BUFFER
    line.rig.until(lambda: waiting(line.far._sock) >= rest)
    turns, received = [], End.received

    def counted(end, link, frames, size):
        turns.append((end, len(frames)))
        received(end, link, frames, size)

    monkeypatch.setattr(End, "received", counted)
    line.far.resume_reading()
    line.rig.until(lambda: len(line.other.blocks_heard) == 3)
    assert turns == [(line.other, 3)]
    assert line.other.blocks_heard == blocks


@pytest.mark.parametrize("encrypt", [True, False])
def test_a_link_that_had_to_pause_reads_little_in_one_go(line_of, encrypt, monkeypatch):
    """It is told to pause by who has a limit, and after the fact."""
    line = line_of(encrypt=encrypt, sizes=lambda: BLOCK)
    line.far._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    line.far.pause_reading(3600.0)
    stream = b"".join(data_head(0, i, BLOCK) + bytes(BLOCK) for i in range(3))
    pour(line.near, stream)
    line.rig.until(lambda: waiting(line.far._sock) >= len(stream))
    sizes, received = [], End.received

    def counted(end, link, frames, size):
        sizes.append(size)
        received(end, link, frames, size)

    monkeypatch.setattr(End, "received", counted)
    line.far.resume_reading()
    line.rig.until(lambda: len(line.other.blocks_heard) == 3)
    assert sizes == [LITTLE] * 3 + [len(stream) - 3 * LITTLE]


def pour(link: Link, data: bytes) -> None:
    """Puts ``data`` on its socket as it is."""
    while data:
        data = data[link._sock.send(data) :]
