"""A line that carries away what it is given, and what the peer may give it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.net.egress import DEPTH, LEAST, Egress
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


def feed(line: Line, egress: Egress, until: float) -> int:
    """Gives it all it may have, to one of three ways in turn. Returns the bytes."""
    given = 0
    while line.now < until:
        delay = egress.delay(line.now)
        if delay:
            line.run(max(delay, TIMER))
            continue
        egress.sent(line, BLOCK)
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
        egress.sent(line, BLOCK)


@pytest.mark.parametrize("known", [True, False])
def test_a_limit_holds_whatever_the_line_carries(known: bool) -> None:
    limit = 4e6
    line, egress = Line(100e6, tells=known), Egress(limit)
    given = feed(line, egress, 3.0)
    assert given == pytest.approx(3.0 * limit, rel=0.05)
    egress.limit(2 * limit, line.now)
    assert feed(line, egress, 6.0) == pytest.approx(6.0 * limit, rel=0.05)
