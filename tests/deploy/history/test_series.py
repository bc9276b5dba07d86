"""A series is bounded, in order, and ends with what was said last."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fleetpush.deploy.history.series import Series

STEPS = st.lists(
    st.tuples(st.integers(0, 5000), st.integers(-(2**40), 2**40)), min_size=1, max_size=400
)


def points(steps):
    """Points at whole milliseconds, never going back."""
    at = 0
    for step, value in steps:
        at += step
        yield at / 1000, value


@given(STEPS, st.integers(4, 40))
def test_it_is_bounded_and_has_the_first_and_the_last(steps, limit):
    series, given_points = Series(limit), list(points(steps))
    for at, value in given_points:
        series.add(at, value)
    kept = series.points()
    assert len(kept) <= limit + 1
    assert kept[0] == given_points[0]
    assert kept[-1][0] == given_points[-1][0]
    assert set(kept) <= set(given_points)
    assert all(before[0] <= after[0] for before, after in pairwise(kept))


@given(STEPS)
def test_json_gives_the_same_points(steps):
    series = Series(50)
    for at, value in points(steps):
        series.add(at, value)
    again = Series.from_json(series.as_json(), 50)
    assert again.points() == series.points()


def test_points_stay_evenly_spread_however_long_it_goes_on():
    series = Series(120)
    for tick in range(100_000):
        series.add(tick / 4, tick)
    gaps = [after[0] - before[0] for before, after in pairwise(series.points()[:-1])]
    assert len(gaps) > 50
    assert max(gaps) <= 3 * min(gaps)


def test_an_empty_one_is_empty():
    assert Series(10).points() == Series.from_json(Series(10).as_json(), 10).points() == []
