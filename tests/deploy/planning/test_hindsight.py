"""The recap's bound goes by the rates that hosts declare; what nobody declares, by what was seen."""

from typing import NamedTuple

import pytest

from fleetpush.deploy.options import DeployOptions
from fleetpush.deploy.planning.bound import Content
from fleetpush.deploy.planning.hindsight import bound_of_run
from fleetpush.deploy.variables import DeclaredRates

MB = 10**6
FILE = Content(100 * MB, 100)


class Host(NamedTuple):
    name: str
    rates: DeclaredRates = DeclaredRates()
    rack: str = ""


def options(**more):
    return DeployOptions(sources=("f",), inventories=("i",), **more)


def hosts(count):
    return [Host(f"n{i}") for i in range(count)]


def test_without_declared_rates_it_is_the_best_rate_seen():
    seconds, source = bound_of_run(hosts(3), [], options(), 10 * MB, FILE)
    assert seconds == pytest.approx(10 * (100 - 1 + 2) / 100)
    assert source == "best rate of any one host in this run"


@pytest.mark.parametrize(
    ("limited", "least"),
    [
        ({"bwlimit": 5 * MB}, 20.1),
        ({"host_bwlimit": 5 * MB}, 20),
        ({"bwlimit": 5 * MB, "host_bwlimit": 4 * MB}, 25),
        ({"bwlimit": 4 * MB, "host_bwlimit": 5 * MB}, 25.2),
    ],
)
def test_without_declared_rates_the_tightest_limit_is_the_rate(limited, least):
    seconds, source = bound_of_run(hosts(3), [], options(**limited), 10 * MB, FILE)
    assert (seconds, source) == (pytest.approx(least), "rate limit")


@pytest.mark.parametrize("limit", ["bwlimit", "host_bwlimit"])
def test_a_limit_that_nobody_was_seen_to_reach_is_taken_to_have_been_reached(limit):
    seconds, _ = bound_of_run(hosts(3), [], options(**{limit: 50 * MB}), 10 * MB, FILE)
    assert seconds == pytest.approx(2, rel=0.02)


def test_with_no_rate_at_all_there_is_no_bound():
    assert bound_of_run(hosts(3), [], options(), 0.0, FILE) == (None, "")


def test_a_declared_rate_names_its_host():
    slow = Host("slow", DeclaredRates(downlink=1 * MB))
    seconds, source = bound_of_run([*hosts(3), slow], [], options(), 10 * MB, FILE)
    assert (seconds, source) == (pytest.approx(100), "the downlink of slow (declared)")


def test_an_undeclared_origin_is_as_good_as_the_best_host_seen():
    fast = Host("fast", DeclaredRates(uplink=1000 * MB))
    seconds, source = bound_of_run([fast], [], options(), 10 * MB, FILE)
    assert seconds == pytest.approx(10)
    assert source == "the origin's uplink (best rate of any one host in this run)"


def test_a_run_too_short_to_measure_goes_by_what_is_declared_alone():
    fast = Host("fast", DeclaredRates(uplink=50 * MB))
    seconds, source = bound_of_run([fast], [], options(), 0.0, FILE)
    assert (seconds, source) == (pytest.approx(2), "the downlink of fast (declared)")
    slow = Host("slow", DeclaredRates(disk=10 * MB))
    seconds, source = bound_of_run([*hosts(3), slow], [], options(), 0.0, FILE)
    assert (seconds, source) == (pytest.approx(10), "the disk of slow (declared)")


def test_a_limit_caps_what_is_declared():
    fast = Host("fast", DeclaredRates(uplink=50 * MB))
    seconds, source = bound_of_run([fast], [], options(bwlimit=5 * MB), 40 * MB, FILE)
    assert (seconds, source) == (pytest.approx(20), "the origin's uplink (rate limit)")


def test_hosts_that_had_it_send_beside_the_origin():
    fast = DeclaredRates(uplink=90 * MB)
    without, _ = bound_of_run([Host("a", fast)], [], options(), 10 * MB, FILE)
    seconds, _ = bound_of_run([Host("a", fast)], [Host("b", fast)], options(), 10 * MB, FILE)
    assert without == pytest.approx(10)
    assert seconds == pytest.approx(100 / 90)


def test_where_everybody_had_it_there_is_nothing_to_wait_for():
    known = Host("a", DeclaredRates(uplink=MB))
    assert bound_of_run([], [known], options(), MB, FILE) == (0.0, "")
    assert bound_of_run([], hosts(2), options(), MB, FILE)[0] == 0.0
