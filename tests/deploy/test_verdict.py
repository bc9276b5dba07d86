"""The rate that a run measures itself against."""

from __future__ import annotations

from fleetpush.deploy.verdict import RateGauge


def test_the_wait_for_the_first_byte_is_in_no_rate() -> None:
    gauge = RateGauge()
    assert [gauge.add("a", total, at) for total, at in ((0, 1.0), (500, 9.0))] == [0.0, 0.0]
    assert gauge.add("a", 1500, 10.0) == gauge.best == 1000.0


def test_the_best_window_of_any_peer_counts() -> None:
    gauge = RateGauge()
    for peer, rate in (("a", 100), ("b", 300), ("c", 200)):
        gauge.add(peer, 1, 0.0)
        gauge.add(peer, 1 + rate, 1.0)
    assert gauge.best == 300.0
