"""Frames between peers, as bytes. See PROTOCOL.md for what they mean.

A frame is a 4-byte head (type in the highest byte, length of the body in the other three) and its body,
all numbers big-endian. Every type has its own largest body; nothing is allocated from a length alone.
"""

from __future__ import annotations

from fleetpush.errors import RemoteProtocolError
from fleetpush.lean.compiled import Struct, StructError
from fleetpush.record import Record
from fleetpush.swarm.manifest import BLOCK, DIGEST, MAX_CHUNK_SIZE, MAX_CHUNKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = 1

INFLIGHT, BUSY = 1, 2
"""Why an offer is declined: another peer is sending it; no room. One of a chunk that is whole already gets a
HAVE."""

_HEAD = Struct("!I")
_CHUNK = Struct("!I")
_PAIR = Struct("!IH")
_OFFER = Struct("!BIH")
_REASON = Struct("!IB")
_HELLO = Struct("!B16s32sB")


class Hello(Record):
    """First frame both ways. ``digest`` is the manifest's; ``frugal``: sends only on request."""

    __slots__ = ("version", "run", "digest", "frugal")

    def __init__(self, version: int, run: bytes, digest: bytes, frugal: bool = False) -> None:
        self.version = version
        self.run = run
        self.digest = digest
        self.frugal = frugal

    def same_run(self, other: Hello) -> bool:
        """Whether both speak of one run and content, in one protocol."""
        return (self.version, self.run, self.digest) == (other.version, other.run, other.digest)


class Bitfield(Record):
    """What the sender has; second frame both ways."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class Have(Record):
    """Chunks the sender has had since."""

    __slots__ = ("chunks",)

    def __init__(self, chunks: tuple[int, ...]) -> None:
        self.chunks = chunks


class Offer(Record):
    """I can send you ``chunk`` now, of which I have the first ``blocks``, or one of the ``others`` (chunk,
    blocks), which I like less; ``limit`` of them all."""

    __slots__ = ("chunk", "blocks", "others", "limit")

    def __init__(
        self, chunk: int, blocks: int, others: tuple[tuple[int, int], ...] = (), limit: int = 1
    ) -> None:
        self.chunk = chunk
        self.blocks = blocks
        self.others = others
        self.limit = limit


class Accept(Record):
    """Send me ``chunk`` from ``block`` on, but for the blocks in ``skip``; I have reserved it for you."""

    __slots__ = ("chunk", "block", "skip")

    def __init__(self, chunk: int, block: int, skip: int = 0) -> None:
        self.chunk = chunk
        self.block = block
        self.skip = skip


class Decline(Record):
    """No more of the offer that named ``chunk``, because ``why``."""

    __slots__ = ("chunk", "why")

    def __init__(self, chunk: int, why: int) -> None:
        self.chunk = chunk
        self.why = why


class Credit(Record):
    """I have room again, and what I said was in flight may be offered anew."""

    __slots__ = ()


class Want(Record):
    """An acceptance without an offer: send ``chunk`` if you can."""

    __slots__ = ("chunk", "block", "skip")

    def __init__(self, chunk: int, block: int, skip: int = 0) -> None:
        self.chunk = chunk
        self.block = block
        self.skip = skip


class Cancel(Record):
    """Receiver: I no longer want ``chunk`` from you."""

    __slots__ = ("chunk",)

    def __init__(self, chunk: int) -> None:
        self.chunk = chunk


class Stop(Record):
    """Sender: I break off (or cannot serve) ``chunk``."""

    __slots__ = ("chunk",)

    def __init__(self, chunk: int) -> None:
        self.chunk = chunk


class Leaves(Record):
    """The block digests of ``chunk``, joined; comes before its first block."""

    __slots__ = ("chunk", "digests")

    def __init__(self, chunk: int, digests: bytes) -> None:
        self.chunk = chunk
        self.digests = digests


class Data(Record):
    """One block. ``payload`` is valid only until the decoder is fed again."""

    __slots__ = ("chunk", "block", "payload")

    def __init__(self, chunk: int, block: int, payload: memoryview) -> None:
        self.chunk = chunk
        self.block = block
        self.payload = payload


class Lane(Record):
    """First frame of a bulk connection: a single-use token received over the control link."""

    __slots__ = ("token",)

    def __init__(self, token: bytes) -> None:
        self.token = token


class OpenLane(Record):
    """On the control link, from the side that was dialled: dial a bulk connection with this token."""

    __slots__ = ("token",)

    def __init__(self, token: bytes) -> None:
        self.token = token


class Gossip(Record):
    """What the sender has heard of peers: see ``rumour``."""

    __slots__ = ("payload",)

    def __init__(self, payload: bytes) -> None:
        self.payload = payload


class Ask(Record):
    """Send me the leaves of ``chunk``: they will tell which of its blocks I want of you."""

    __slots__ = ("chunk",)

    def __init__(self, chunk: int) -> None:
        self.chunk = chunk


if TYPE_CHECKING:
    from typing import Union

    Frame = Union[
        Hello, Bitfield, Have, Offer, Accept, Decline, Credit, Want, Cancel, Stop, Leaves, Data, Lane,
        OpenLane, Gossip, Ask,
    ]  # fmt: skip

TOKEN = 16
"""Bytes in a lane's token."""


def encode(frame: Frame) -> bytes:
    """The bytes of any frame but ``Data``, whose payload is never copied: see ``data_head``."""
    code, pack = _ENCODERS[type(frame)]
    body = pack(frame)
    return _HEAD.pack(code << 24 | len(body)) + body


def data_head(chunk: int, block: int, length: int) -> bytes:
    """What goes before a block's ``length`` bytes of payload."""
    return _HEAD.pack(_DATA_CODE << 24 | (_PAIR.size + length)) + _PAIR.pack(chunk, block)


class Decoder:
    """Bytes in, frames out, whatever the cuts between them. Holds at most one frame's bytes."""

    __slots__ = ("_pending", "missing")

    def __init__(self) -> None:
        self.missing = 0
        """Bytes that are still to come of a frame whose head has come."""
        self._pending = bytearray()

    def feed(self, data: memoryview) -> list[Frame]:
        """The frames completed by ``data``. Raises RemoteProtocolError; the decoder is then done for."""
        try:
            return self._completed_by(data)
        except StructError:
            raise RemoteProtocolError("a frame whose body has the wrong size") from None

    def _completed_by(self, data: memoryview) -> list[Frame]:
        frames: list[Frame] = []
        at, end = 0, len(data)
        self.missing = 0
        if self._pending:
            at = self._finish_pending(data, frames)
        while end - at >= 4:
            (head,) = _HEAD.unpack_from(data, at)
            length = head & 0xFFFFFF
            decode = _decoder_for(head >> 24, length)
            stop = at + 4 + length
            if stop > end:
                self.missing = stop - end
                break
            frames.append(decode(data[at + 4 : stop]))
            at = stop
        if at < end:
            self._pending += data[at:]
        return frames

    def _finish_pending(self, data: memoryview, frames: list[Frame]) -> int:
        """Completes the frame that an earlier feed began; returns how much of ``data`` it took."""
        pending, at = self._pending, 0
        if len(pending) < 4:
            at = min(4 - len(pending), len(data))
            pending += data[:at]
            if len(pending) < 4:
                return at
        (head,) = _HEAD.unpack_from(pending)
        length = head & 0xFFFFFF
        decode = _decoder_for(head >> 24, length)
        take = min(4 + length - len(pending), len(data) - at)
        pending += data[at : at + take]
        at += int(take)
        self.missing = 4 + length - len(pending)
        if not self.missing:
            # A new buffer each time: the frame may keep a view into the old one.
            self._pending = bytearray()
            frames.append(decode(memoryview(pending)[4:]))
        return at


def _decoder_for(code: int, length: int) -> Callable[[memoryview], Frame]:
    try:
        limit, decode = _DECODERS[code]
    except KeyError:
        raise RemoteProtocolError(f"a frame of unknown type {code}") from None
    if length > limit:
        raise RemoteProtocolError(f"a frame of type {code} with {length} bytes, more than {limit}")
    return decode


def _hello(body: memoryview) -> Hello:
    version, run, digest, frugal = _HELLO.unpack(body)
    return Hello(version, run, digest, bool(frugal))


def _have(body: memoryview) -> Have:
    if len(body) % 4:
        raise RemoteProtocolError("a have frame whose body has the wrong size")
    return Have(Struct(f"!{len(body) // 4}I").unpack(body))


def _leaves(body: memoryview) -> Leaves:
    (chunk,) = _CHUNK.unpack_from(body)
    return Leaves(chunk, bytes(body[4:]))


def _data(body: memoryview) -> Data:
    chunk, block = _PAIR.unpack_from(body)
    return Data(chunk, block, body[_PAIR.size :])


def _offer(body: memoryview) -> Offer:
    limit, chunk, blocks = _OFFER.unpack_from(body)
    if not limit:
        raise RemoteProtocolError("an offer of nothing")
    return Offer(chunk, blocks, tuple(_PAIR.iter_unpack(body[_OFFER.size :])), limit)


def _pack_offer(frame: Offer) -> bytes:
    body = _OFFER.pack(frame.limit, frame.chunk, frame.blocks)
    for chunk, blocks in frame.others:
        body += _PAIR.pack(chunk, blocks)
    return body


def _token(body: memoryview) -> bytes:
    if len(body) != TOKEN:
        raise RemoteProtocolError("a token of the wrong size")
    return bytes(body)


def _wanted(body: memoryview) -> tuple[int, int, int]:
    chunk, block = _PAIR.unpack_from(body)
    return chunk, block, int.from_bytes(body[_PAIR.size :], "little")


def _pack_wanted(frame: Accept | Want) -> bytes:
    skip = frame.skip.to_bytes((frame.skip.bit_length() + 7) // 8, "little")
    return _PAIR.pack(frame.chunk, frame.block) + skip


MAX_OFFER = 16
"""Chunks that one offer may name."""

MAX_GOSSIP = 16384
"""Bytes of a gossip frame's body."""

_MAX_HAVE = 4096
_MAX_WANTED = _PAIR.size + MAX_CHUNK_SIZE // BLOCK // 8
_DATA_CODE = 12
_DECODERS: dict[int, tuple[int, Callable[[memoryview], Frame]]] = {
    1: (_HELLO.size, _hello),
    2: (MAX_CHUNKS // 8, lambda body: Bitfield(bytes(body))),
    3: (4 * _MAX_HAVE, _have),
    4: (1 + MAX_OFFER * _PAIR.size, _offer),
    5: (_MAX_WANTED, lambda body: Accept(*_wanted(body))),
    6: (5, lambda body: Decline(*_REASON.unpack(body))),
    7: (0, lambda body: Credit()),
    8: (_MAX_WANTED, lambda body: Want(*_wanted(body))),
    9: (4, lambda body: Cancel(*_CHUNK.unpack(body))),
    10: (4, lambda body: Stop(*_CHUNK.unpack(body))),
    11: (4 + MAX_CHUNK_SIZE // BLOCK * DIGEST, _leaves),
    _DATA_CODE: (_PAIR.size + BLOCK, _data),
    13: (TOKEN, lambda body: Lane(_token(body))),
    14: (TOKEN, lambda body: OpenLane(_token(body))),
    15: (MAX_GOSSIP, lambda body: Gossip(bytes(body))),
    16: (4, lambda body: Ask(*_CHUNK.unpack(body))),
}

_ENCODERS: dict[type, tuple[int, Callable[..., bytes]]] = {
    Hello: (1, lambda f: _HELLO.pack(f.version, f.run, f.digest, f.frugal)),
    Bitfield: (2, lambda f: f.data),
    Have: (3, lambda f: Struct(f"!{len(f.chunks)}I").pack(*f.chunks)),
    Offer: (4, _pack_offer),
    Accept: (5, _pack_wanted),
    Decline: (6, lambda f: _REASON.pack(f.chunk, f.why)),
    Credit: (7, lambda f: b""),
    Want: (8, _pack_wanted),
    Cancel: (9, lambda f: _CHUNK.pack(f.chunk)),
    Stop: (10, lambda f: _CHUNK.pack(f.chunk)),
    Leaves: (11, lambda f: _CHUNK.pack(f.chunk) + f.digests),
    Lane: (13, lambda f: f.token),
    OpenLane: (14, lambda f: f.token),
    Gossip: (15, lambda f: f.payload),
    Ask: (16, lambda f: _CHUNK.pack(f.chunk)),
}


def have_frames(chunks: list[int]) -> list[Have]:
    """``chunks`` as frames of bounded size."""
    return [Have(tuple(chunks[i : i + _MAX_HAVE])) for i in range(0, len(chunks), _MAX_HAVE)]
