"""What is on its way: bounded, each source known, the stalled beside the count."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fleetpush.swarm import bitfield
from fleetpush.swarm.inbound import (
    LATE_CHUNK_TIMES,
    MIN_LATE,
    MIN_LATE_AT_END,
    MIN_STALL,
    Reservations,
)

PEERS = st.sampled_from("abcd")
CHUNKS = st.integers(0, 9)
STEPS = st.lists(
    st.tuples(st.sampled_from(["reserve", "release", "finish", "progress", "wait"]), CHUNKS, PEERS),
    max_size=40,
)


@given(STEPS, st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_the_books_agree_with_what_was_reserved(steps, limit):
    books, truth, since, now = Reservations(limit), {}, {}, 0.0
    for what, chunk, peer in steps:
        sources = truth.get(chunk, {})
        if what == "reserve" and peer not in sources:
            books.reserve(chunk, peer, now)
            truth.setdefault(chunk, {})[peer] = since[chunk, peer] = now
        elif what == "release":
            assert books.release(chunk, peer) == (peer in sources)
            sources.pop(peer, None)
        elif what == "finish":
            others, took = books.finish(chunk, peer, now)
            assert others == [p for p in sources if p != peer]
            assert took == (now - since[chunk, peer] if peer in sources else 0.0)
            truth.pop(chunk, None)
        elif what == "progress":
            books.progressed(chunk, peer, now)
            if peer in sources:
                sources[peer] = now
        else:
            now += MIN_STALL / 2
        truth = {c: s for c, s in truth.items() if s}
        assert books.mask == bitfield.of(truth)
        assert {(i.chunk, i.peer) for i in books} == {(c, p) for c, s in truth.items() for p in s}
        assert len(books) == sum(len(s) for s in truth.values())
        stalled = {
            (c, p)
            for c, s in truth.items()
            for p, at in s.items()
            if at < now - books.stall_after()
        }
        assert {(i.chunk, i.peer) for i in books.stalled(now)} == stalled
        for p in "abcd":
            assert books.expects(p, chunk) == (p in truth.get(chunk, {}))
            assert sorted(books.from_peer(p)) == sorted(c for c, s in truth.items() if p in s)


@given(st.integers(1, 5), st.integers(0, 12), st.integers(0, 12))
@settings(max_examples=100, deadline=None)
def test_there_is_room_up_to_the_limit_and_twice_that_beside_the_stalled(limit, stalled, live):
    books = Reservations(limit)
    for i in range(stalled):
        books.reserve(i, "slow", 0.0)
        books.progressed(i, "slow", 0.0)
    now = MIN_STALL + 1
    for i in range(live):
        books.reserve(100 + i, "quick", now)
    room = books.room(now)
    assert room >= 0
    if stalled + live + room > limit:
        assert live + room <= limit or room == 0
        assert stalled + live + room <= 2 * limit or room == 0
    if live < limit and stalled + live < 2 * limit:
        assert room > 0


def test_what_never_began_takes_no_room_and_others_may_send_it():
    books = Reservations(3)
    for chunk in range(9):
        books.reserve(chunk, "liar", 0.0)
    assert books.room(MIN_STALL / 2) == 0
    later = 2 * MIN_STALL
    assert books.room(later) == 3
    assert not books.comes(0, later)
    assert books.waits_for("liar", later)
    books.progressed(0, "liar", later)
    assert books.comes(0, later)
    assert books.comes(1, later), "what waits behind another chunk of the same neighbour"
    assert books.idle_sources(1, 2 * later) == ["liar"]


def test_a_chunk_time_is_the_median_of_the_last_and_never_tiny():
    books = Reservations(3)
    assert books.chunk_time() == 0.05
    for chunk, seconds in enumerate([0.001] * 3 + [2.0] * 20):
        books.reserve(chunk, "a", 10.0)
        books.finish(chunk, "a", 10.0 + seconds)
    assert books.chunk_time() == 2.0
    assert books.stall_after() == 24.0


@given(st.floats(0.001, 2.0))
def test_at_the_end_what_takes_longer_than_the_median_is_late_and_before_it_four_times(usual):
    books, now = Reservations(9), 10.0
    for chunk in range(5):
        books.reserve(chunk, "a", now - usual)
        books.finish(chunk, "a", now)
    books.reserve(5, "b", now)
    soon = max(MIN_LATE_AT_END, usual)
    assert not books.late(now + 0.99 * soon, at_end=True)
    assert books.late(now + 1.01 * soon, at_end=True)
    late = max(MIN_LATE, LATE_CHUNK_TIMES * usual)
    assert not books.late(now + 0.99 * late)
    assert books.late(now + 1.01 * late)
