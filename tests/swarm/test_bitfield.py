"""Bitfields are sets of chunk numbers; availability counts who has what."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetpush.swarm import bitfield
from fleetpush.swarm.neighbour import Availability

SETS = st.sets(st.integers(0, 130))


@given(SETS, SETS)
def test_masks_are_sets(one, other):
    a, b = bitfield.of(one), bitfield.of(other)
    assert list(bitfield.chunks(a)) == sorted(one)
    assert list(bitfield.chunks(a & ~b)) == sorted(one - other)
    assert bitfield.count(a | b) == len(one | other)
    if one:
        assert bitfield.lowest(a) == min(one)


@given(SETS.filter(bool), st.integers(0, 200))
def test_rotation_finds_the_next_one_and_wraps(chunks, start):
    after = [c for c in sorted(chunks) if c >= start]
    expected = after[0] if after else min(chunks)
    assert bitfield.from_rotation(bitfield.of(chunks), start) == expected


@given(SETS, st.integers(0, 200))
def test_bytes_hold_exactly_the_chunks_there_are(chunks, count):
    mask = bitfield.of(chunks) & bitfield.full(count)
    data = bitfield.to_bytes(mask, count)
    assert len(data) == bitfield.size(count)
    assert bitfield.from_bytes(data, count) == mask


@given(st.binary(max_size=20), st.integers(0, 150))
def test_bytes_that_do_not_fit_are_refused(data, count):
    try:
        mask = bitfield.from_bytes(data, count)
    except ValueError:
        assert len(data) != bitfield.size(count) or int.from_bytes(data, "little") >> count
    else:
        assert bitfield.to_bytes(mask, count) == data


def test_a_chunk_beyond_the_last_is_refused():
    with pytest.raises(ValueError, match="9 chunks"):
        bitfield.from_bytes(b"\x00\x02", 9)


@given(st.data(), st.integers(2, 40))
@settings(max_examples=60, deadline=None)
def test_availability_knows_the_rarest(data, count):
    availability, held = Availability(), []
    masks = st.sets(st.integers(0, count - 1))
    for _ in range(data.draw(st.integers(0, 12))):
        if held and data.draw(st.booleans()):
            gone = held.pop(data.draw(st.integers(0, len(held) - 1)))
            availability.remove(bitfield.of(gone))
        else:
            held.append(data.draw(masks))
            availability.add(bitfield.of(held[-1]))
        counts = [sum(c in mask for mask in held) for c in range(count)]
        assert [availability.count(c) for c in range(count)] == counts
        candidates = data.draw(st.sets(st.integers(0, count - 1), min_size=1))
        fewest = min(counts[c] for c in candidates)
        rarest = availability.rarest(bitfield.of(candidates))
        assert rarest == bitfield.of(c for c in candidates if counts[c] == fewest)
