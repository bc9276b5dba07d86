"""A line that carries away what it is given, and what the peer may give it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.net.egress import (
    DEPTH,
    GATHERED,
    GATHERED_AHEAD,
    LEAST,
    LONGEST_PAUSE,
    LONGEST_WAIT,
    Egress,
)
from fleetpush.net.loop import SHORTEST
from fleetpush.swarm.manifest import BLOCK

AT_WORK = 20e-6
"""Seconds that handing over a block takes."""

TIMER = 50e-6
"""Seconds: no timer is finer."""


class Line:
    """One queue for all ways, drained at ``rate`` bytes a second; it tells what is in it if it ``tells``."""

    def __init__(self, rate: float, *, tells: bool = True) -> None:
        self.rate = rate
        self.tells = tells
        self.now = 0.0
        self.waits = 0.0
        self.idle = 0.0
        self.most = 0.0

    def queued(self) -> int:
        return int(self.waits) if self.tells else 0

    def take(self, count: int) -> None:
        self.waits += count
        self.most = max(self.most, self.waits)

    def run(self, seconds: float) -> None:
        self.now += seconds
        self.idle += max(0.0, seconds - self.waits / self.rate)
        self.waits = max(0.0, self.waits - seconds * self.rate)


def feed(line: Line, egress: Egress, until: float, *, pauses: bool = False) -> int:
    """Gives it all it may have. Returns the bytes. ``pauses``: looks only as often as it must, each time when
    there is nothing to give."""
    given = 0
    while line.now < until:
        delay = egress.delay(line.now)
        if delay:
            line.run(max(delay, egress.pause(ahead=True) if pauses else 0.0, TIMER))
            continue
        egress.sent(line, BLOCK, line.now)
        line.take(BLOCK)
        given += BLOCK
        line.run(AT_WORK)
    return given


@given(rate=st.floats(100e3, 2e9))
def test_the_line_stays_busy_and_its_queue_short(rate: float) -> None:
    line, egress = Line(rate), Egress(None)
    feed(line, egress, 1.0)
    line.idle = 0.0
    feed(line, egress, 3.0)
    assert line.most <= max(LEAST, 1.1 * rate * DEPTH) + BLOCK
    assert line.idle < 0.02 * 2.0


@given(rate=st.floats(100e3, 2e9))
def test_pauses_leave_the_line_busy(rate: float) -> None:
    line, egress = Line(rate), Egress(None)
    feed(line, egress, 1.0, pauses=True)
    line.idle = 0.0
    feed(line, egress, 3.0, pauses=True)
    assert line.idle < 0.02 * 2.0


@given(rate=st.floats(100e3, 2e9))
def test_a_pause_is_as_long_as_the_line_needs_for_what_gathers(rate: float) -> None:
    line, egress = Line(rate), Egress(None)
    assert egress.pause(ahead=True) == 0.0  # nobody knows yet
    feed(line, egress, 2.0)
    for ahead, gathered in ((False, GATHERED), (True, GATHERED_AHEAD)):
        wanted = min(LONGEST_PAUSE, gathered / rate)
        assert egress.pause(ahead=ahead) == pytest.approx(wanted, rel=0.1)


def test_there_is_no_pause_where_the_line_takes_whatever_it_is_given() -> None:
    line, egress = Line(100e9), Egress(None)
    while line.now < 1.0:
        egress.delay(line.now)
        egress.sent(line, BLOCK, line.now)
        line.take(BLOCK)
        line.run(0.01)  # a processor that has no more to give: 6.5 MB/s
        assert egress.pause(ahead=True) == 0.0


def test_a_fast_line_has_no_pause_that_is_worth_it() -> None:
    line, egress = Line(125e6), Egress(None)
    feed(line, egress, 1.0)
    assert egress.pause(ahead=True) < SHORTEST


def test_a_line_that_becomes_slower_gets_a_shorter_queue_again() -> None:
    line, egress = Line(100e6), Egress(None)
    feed(line, egress, 1.0)
    line.rate = 20e6
    feed(line, egress, 2.0)
    line.most = 0.0
    feed(line, egress, 3.0)
    assert line.most <= 1.1 * line.rate * DEPTH + BLOCK


def test_where_nobody_knows_what_waits_nothing_is_held_back() -> None:
    line, egress = Line(1e6, tells=False), Egress(None)
    for _ in range(100):
        assert egress.delay(0.0) == 0.0
        egress.sent(line, BLOCK, line.now)


@pytest.mark.parametrize("known", [True, False])
def test_a_limit_holds_whatever_the_line_carries(known: bool) -> None:
    limit = 4e6
    line, egress = Line(100e6, tells=known), Egress(limit)
    given = feed(line, egress, 3.0)
    assert given == pytest.approx(3.0 * limit, rel=0.05)
    egress.limit(2 * limit, line.now)
    assert feed(line, egress, 6.0) == pytest.approx(6.0 * limit, rel=0.05)


class Elsewhere:
    """A slow neighbour's link: what it has been given leaves this machine at ``rate`` bytes a second, since
    the far end of the line takes no more."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.waits = 0.0

    def queued(self) -> int:
        return int(self.waits)


def feed_both(line: Line, slow: Elsewhere, egress: Egress, until: float) -> int:
    """As ``feed``, to eight neighbours in turn; one is ``slow``, and takes 1 MB beyond what it reads."""
    given = turn = 0
    while line.now < until:
        before = line.now
        delay = egress.delay(line.now)
        if delay:
            line.run(max(delay, TIMER))
        else:
            turn += 1
            if turn % 8 == 0 and slow.waits + BLOCK <= 1e6:
                egress.sent(slow, BLOCK, line.now)
                slow.waits += BLOCK
            else:
                egress.sent(line, BLOCK, line.now)
                line.take(BLOCK)
                given += BLOCK
            line.run(AT_WORK)
        slow.waits = max(0.0, slow.waits - slow.rate * (line.now - before))
    return given


@pytest.mark.parametrize("rate", [1e6, 4e6, 10e6])
def test_what_waits_for_a_slow_neighbour_alone_holds_up_nobody_else(rate: float) -> None:
    line, slow, egress = Line(rate), Elsewhere(rate / 100), Egress(None)
    feed(line, egress, 1.0)
    feed_both(line, slow, egress, 6.0)
    line.most = 0.0
    assert feed_both(line, slow, egress, 9.0) >= 0.95 * 3.0 * rate
    assert slow.waits > max(LEAST, 1.1 * rate * DEPTH), "more than all others may have"
    assert line.most <= max(LEAST, 1.1 * rate * DEPTH) + BLOCK


def test_who_reads_nothing_is_waited_for_only_as_long_as_a_line_may_take() -> None:
    dead, egress = Elsewhere(0.0), Egress(None)
    while not egress.delay(0.0):
        egress.sent(dead, BLOCK, 0.0)
        dead.waits += BLOCK
    assert egress.delay(LONGEST_WAIT - 0.1) > 0.0, "it may be our line"
    assert egress.delay(2 * LONGEST_WAIT + 0.1) == 0.0
    assert dead.queued() >= LEAST


def test_a_line_that_is_full_takes_nothing_for_anybody() -> None:
    """Each link alone may have little waiting."""
    ways, egress = [Elsewhere(0.0) for _ in range(8)], Egress(None)
    given = 0
    for step in range(200):
        now = step / 1000
        if not egress.delay(now):
            egress.sent(ways[given % 8], BLOCK, now)
            ways[given % 8].waits += BLOCK
            given += 1
    assert given * BLOCK <= LEAST + BLOCK
