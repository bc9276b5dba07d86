"""Every frame there is, as hypothesis strategies."""

from __future__ import annotations

from hypothesis import strategies as st

from fleetpush.swarm import wire
from fleetpush.swarm.manifest import BLOCK, MAX_CHUNK_SIZE

U8 = st.integers(0, 0xFF)
U16 = st.integers(0, 0xFFFF)
U32 = st.integers(0, 0xFFFFFFFF)
SKIPS = st.just(0) | st.integers(0, 1 << 300)
TOKENS = st.binary(min_size=wire.TOKEN, max_size=wire.TOKEN)

LARGEST = {
    1: 50,
    2: (1 << 20) // 8,
    3: 4 * 4096,
    4: 97,
    5: 6 + MAX_CHUNK_SIZE // BLOCK // 8,
    6: 5,
    7: 0,
    8: 6 + MAX_CHUNK_SIZE // BLOCK // 8,
    9: 4,
    10: 4,
    11: 4 + MAX_CHUNK_SIZE // BLOCK * 32,
    12: 6 + BLOCK,
    13: 16,
    14: 16,
    15: 16384,
    16: 4,
}
"""The largest body of each type of frame, as PROTOCOL.md has it."""

CONTROL = st.one_of(
    st.builds(
        wire.Hello,
        U8,
        st.binary(min_size=16, max_size=16),
        st.binary(min_size=32, max_size=32),
        st.booleans(),
    ),
    st.builds(wire.Bitfield, st.binary(max_size=300)),
    st.builds(wire.Have, st.lists(U32, max_size=40).map(tuple)),
    st.builds(
        wire.Offer,
        U32,
        U16,
        st.lists(st.tuples(U32, U16), max_size=15).map(tuple),
        st.integers(1, 255),
    ),
    st.builds(wire.Accept, U32, U16, SKIPS),
    st.builds(wire.Decline, U32, U8),
    st.just(wire.Credit()),
    st.builds(wire.Want, U32, U16, SKIPS),
    st.builds(wire.Cancel, U32),
    st.builds(wire.Stop, U32),
    st.builds(wire.Leaves, U32, st.binary(max_size=300)),
    st.builds(wire.Lane, TOKENS),
    st.builds(wire.OpenLane, TOKENS),
    st.builds(wire.Gossip, st.binary(max_size=300)),
    st.builds(wire.Ask, U32),
)
DATA = st.builds(wire.Data, U32, U16, st.binary(max_size=300).map(memoryview))
ANY = st.one_of(CONTROL, DATA)


def encoded(frame: wire.Frame) -> bytes:
    """The bytes of any frame, blocks included."""
    if isinstance(frame, wire.Data):
        return wire.data_head(frame.chunk, frame.block, len(frame.payload)) + bytes(frame.payload)
    return wire.encode(frame)


def kept(frames: list[wire.Frame]) -> list[wire.Frame]:
    """``frames`` with payloads that outlive the buffer they came in."""
    return [
        wire.Data(f.chunk, f.block, memoryview(bytes(f.payload))) if isinstance(f, wire.Data) else f
        for f in frames
    ]
