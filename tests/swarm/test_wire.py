"""Frames survive any cuts between their bytes, and no bytes do harm."""

from __future__ import annotations

import contextlib
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetpush.errors import RemoteProtocolError
from fleetpush.swarm import wire
from fleetpush.swarm.manifest import BLOCK
from fleetpush.swarm.picker import SPARE
from fleetpush.swarm.plan import shape_of
from tests.swarm.frames import ANY, LARGEST, encoded, kept


def decoded(decoder: wire.Decoder, pieces: list[bytes]) -> list[wire.Frame]:
    """What comes out when every piece arrives in the same buffer, overwritten each time."""
    frames: list[wire.Frame] = []
    buffer = bytearray(max((len(p) for p in pieces), default=0))
    for piece in pieces:
        buffer[: len(piece)] = piece
        frames += kept(decoder.feed(memoryview(buffer)[: len(piece)]))
        buffer[: len(piece)] = bytes(len(piece))
    return frames


@given(st.lists(ANY, max_size=8), st.lists(st.integers(0, 3000), max_size=30))
@settings(max_examples=200, deadline=None)
def test_frames_come_out_as_they_went_in_wherever_the_bytes_are_cut(frames, cuts):
    data = b"".join(encoded(f) for f in frames)
    ends = sorted({min(c, len(data)) for c in cuts} | {len(data)})
    pieces = [data[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    assert decoded(wire.Decoder(), pieces) == frames


@given(ANY)
@settings(max_examples=60, deadline=None)
def test_frames_come_out_when_bytes_arrive_one_by_one(frame):
    data = encoded(frame) + encoded(wire.Credit())
    pieces = [data[i : i + 1] for i in range(len(data))]
    assert decoded(wire.Decoder(), pieces) == [frame, wire.Credit()]


@given(st.lists(st.binary(max_size=200), max_size=6))
@settings(max_examples=200, deadline=None)
def test_arbitrary_bytes_raise_nothing_but_a_remote_fault(pieces):
    decoder = wire.Decoder()
    with contextlib.suppress(RemoteProtocolError):
        decoded(decoder, pieces)


@given(st.sampled_from(sorted(LARGEST)), st.binary(max_size=80), st.integers(0, 84))
@settings(max_examples=300, deadline=None)
def test_any_body_under_a_known_type_is_a_frame_or_a_remote_fault(code, body, cut):
    data = (code << 24 | len(body)).to_bytes(4, "big") + body
    try:
        frames = decoded(wire.Decoder(), [data[:cut], data[cut:]])
    except RemoteProtocolError:
        return
    assert [encoded(f)[0] for f in frames] == [code]


@pytest.mark.parametrize("code", sorted(LARGEST))
def test_every_type_has_a_largest_body(code):
    head = (code << 24 | (LARGEST[code] + 1)).to_bytes(4, "big")
    with pytest.raises(RemoteProtocolError, match=f"type {code} "):
        wire.Decoder().feed(memoryview(head))


@pytest.mark.parametrize("code", sorted(LARGEST))
@pytest.mark.parametrize("cut", [0, 2, 4])
def test_the_head_alone_is_enough_to_refuse_and_the_largest_body_is_not_refused(code, cut):
    head = (code << 24 | LARGEST[code]).to_bytes(4, "big")
    assert decoded(wire.Decoder(), [head[:cut], head[cut:]]) == (
        [wire.Credit()] if LARGEST[code] == 0 else []
    )


@pytest.mark.parametrize("code", [0, 17, 255])
@pytest.mark.parametrize("cut", [0, 3])
def test_an_unknown_type_is_a_remote_fault(code, cut):
    head = (code << 24).to_bytes(4, "big")
    decoder = wire.Decoder()
    with pytest.raises(RemoteProtocolError, match="unknown type"):
        decoded(decoder, [head[:cut], head[cut:]])


def test_a_length_alone_allocates_nothing():
    head = (11 << 24 | LARGEST[11]).to_bytes(4, "big")
    decoders = [wire.Decoder() for _ in range(100)]
    tracemalloc.start()
    try:
        for decoder in decoders:
            decoder.feed(memoryview(head))
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@given(st.lists(st.integers(0, 1 << 20), max_size=20), st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_have_frames_say_every_chunk_in_frames_that_the_decoder_takes(some, more):
    chunks = some + list(range(more))
    frames = wire.have_frames(chunks)
    assert [c for f in frames for c in f.chunks] == chunks
    assert decoded(wire.Decoder(), [b"".join(wire.encode(f) for f in frames)]) == frames


@pytest.mark.parametrize("blocks", [1, 2, 3, 4, 64])
def test_a_whole_bundle_and_its_spares_fit_an_offer(blocks):
    bundle = shape_of("mesh", blocks * BLOCK).bundle
    chunks = tuple((chunk, 1) for chunk in range(1, bundle + SPARE))
    offer = wire.Offer(0, 1, chunks, bundle)
    assert decoded(wire.Decoder(), [wire.encode(offer)]) == [offer]
