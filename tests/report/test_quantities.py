"""Numbers as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.report import quantities


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_950, "1.0 MB"),
     (5_000_000_000, "5.0 GB"), (2.5e12, "2.5 TB")],
)  # fmt: skip
def test_sizes(amount, shown):
    assert quantities.size(amount) == shown


@given(st.integers(0, 10**17))
def test_a_size_stays_short(amount):
    assert len(quantities.size(amount)) <= 8


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0.00s"), (0.824, "0.82s"), (9.996, "10.0s"), (59.96, "1m00s"), (185, "3m05s"), (3720, "1h02m"),
     (90_000, "1d01h")],
)  # fmt: skip
def test_durations(seconds, shown):
    assert quantities.duration(seconds) == shown


@given(st.integers(1, 10**13), st.data())
def test_a_hundred_percent_is_not_said_early(whole, data):
    part = data.draw(st.integers(0, whole - 1))
    assert quantities.percent(part, whole) != "100%"
    assert quantities.percent(whole, whole) == "100%"


def test_clock_and_hosts():
    assert [quantities.clock(s) for s in (7.9, 754, 3723)] == ["0:07", "12:34", "1:02:03"]
    assert [quantities.hosts(n) for n in (1, 1000)] == ["1 host", "1,000 hosts"]
