"""Each topology's least is reckoned by its shape; none is below the bound; racks cost what crosses them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.deploy.planning.bound import Content, bound
from fleetpush.deploy.planning.prediction import FACTORS, floor, predict
from fleetpush.deploy.planning.racks import crossing
from tests.deploy.planning.fleets import equal, fleet, machine
from tests.deploy.planning.test_bound import contents, networks

GB = 10**9


def test_a_star_sends_a_copy_to_every_host():
    assert floor("star", equal(100, GB), Content(GB, 1000), None) == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("hosts", "chunks", "ratio"), [(31, 1000, 1.01), (1000, 250, 1.08), (1000, 1000, 1.02)]
)
def test_striped_trees_are_what_the_study_says(hosts, chunks, ratio):
    assert floor("tree", equal(hosts, GB), Content(GB, chunks), None) == pytest.approx(
        ratio, abs=0.005
    )


@pytest.mark.parametrize(
    ("hosts", "fanout", "seconds"),
    [
        (31, 1, 1.030),  # a chain: thirty hops of a chunk after the first
        (2, 2, 2.0),  # the origin serves both
        (6, 2, 2.002),  # and they two each: one hop of two chunks
        (7, 2, 2.004),
        (5, 9, 5.0),  # fewer hosts than children
    ],
)
def test_a_plain_tree_pays_for_its_fanout_and_its_depth(hosts, fanout, seconds):
    assert floor("tree", equal(hosts, GB), Content(GB, 1000), fanout) == pytest.approx(seconds)


def test_a_tree_crawls_with_its_slowest_host_and_a_mesh_does_not():
    hosts = [machine(f"n{i}", GB, GB) for i in range(20)]
    network = fleet(GB, *hosts, machine("slow", GB / 10, GB))
    assert floor("mesh", network, Content(GB, 1000), None) < 1.1
    assert floor("tree", network, Content(GB, 1000), None) > 10


@given(networks, contents, st.none() | st.integers(min_value=1, max_value=20))
def test_no_plan_beats_the_bound(network, content, fanout):
    for prediction in predict(network, content, fanout).values():
        assert prediction.makespan_s >= prediction.floor_s >= bound(network, content)


def test_a_mesh_of_one_rack_is_the_bound_times_its_factor():
    network, content = equal(1000, 5 * GB), Content(5 * GB, 1000)
    found = predict(network, content, None)["mesh"]
    assert found.makespan_s == pytest.approx(1.009 * FACTORS["mesh"])


def test_nothing_to_move_takes_no_time_in_any_plan():
    assert {p.makespan_s for p in predict(equal(3, GB), Content(0, 0), None).values()} == {0.0}


def test_a_plan_blind_to_racks_crosses_with_nearly_every_copy():
    network = equal(1000, GB, racks=25, rack_uplink=10 * GB)
    found = crossing(network, Content(5 * GB, 1000))
    assert (found.racks, found.aware_copies) == (25, 24)
    assert found.blind_copies == pytest.approx((1 - 1 / 25) * 1000)
    # Of a rack's forty copies 38.4 come from outside, by an uplink that takes 0.5 s a copy.
    assert found.blind_s == pytest.approx(38.4 * 0.5)
    assert found.aware_s == pytest.approx(0.5)


def test_one_rack_crosses_nothing():
    found = crossing(equal(10, GB, rack_uplink=GB), Content(GB, 1000))
    assert (found.racks, found.blind_copies, found.aware_copies) == (1, 0, 0)
    assert found.blind_s == found.aware_s == pytest.approx(1.0)


def test_without_a_known_uplink_only_copies_are_counted():
    found = crossing(equal(10, GB, racks=2), Content(GB, 1000))
    assert (found.blind_copies, found.blind_s, found.aware_s) == (5, None, None)
