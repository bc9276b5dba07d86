"""The bound is what arithmetic says, and names what is narrowest; no fleet gets slower by a faster host."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.deploy.planning.bound import Content, bound, limits, slow_hosts
from tests.deploy.planning.fleets import equal, fleet, machine

GB = 10**9


def first(network, content):
    limit = limits(network, content)[0]
    return limit.resource, limit.seconds, limit.hosts


@pytest.mark.parametrize(
    ("hosts", "chunks", "ratio"),
    [(1000, 1000, 1.009), (31, 1000, 1.004), (1000, 250, 1.036), (1, 10, 1.0), (2, 10, 1.1)],
)
def test_equal_hosts_take_one_copy_and_a_chunk_for_each_doubling(hosts, chunks, ratio):
    network = equal(hosts, 5 * GB)
    assert bound(network, Content(5 * GB, chunks)) == pytest.approx(ratio)
    assert limits(network, Content(5 * GB, chunks))[0].resource == "origin_uplink"


def test_the_origins_uplink():
    network = fleet(1 * GB, machine("a", 10 * GB, 10 * GB), machine("b", 10 * GB, 10 * GB))
    # 10 GB at 1 GB/s, then one doubling of a chunk of 1 GB at 10 GB/s.
    assert first(network, Content(10 * GB, 10)) == ("origin_uplink", pytest.approx(10.1), ())


def test_the_slowest_downlink_is_named():
    network = fleet(
        10 * GB, machine("a", 9 * GB, 9 * GB), machine("b", 9 * GB, GB), machine("c", 9 * GB, GB)
    )
    content = Content(10 * GB, 1000)
    assert first(network, content) == ("downlink", pytest.approx(10.0), ("b", "c"))
    assert limits(network, content)[0].reason == "the downlink of b,c"


def test_the_slowest_disk_is_named_and_an_unknown_one_does_not_count():
    network = fleet(
        10 * GB, machine("a", 9 * GB, 9 * GB, disk=2 * GB), machine("b", 9 * GB, 9 * GB)
    )
    assert first(network, Content(10 * GB, 1000)) == ("disk", pytest.approx(5.0), ("a",))


def test_hosts_that_cannot_send_leave_it_all_to_the_origin():
    network = fleet(2 * GB, *(machine(f"n{i}", GB / 10, 10 * GB) for i in range(10)))
    # Ten copies of 3 GB through 2 + 10 * 0.1 GB/s.
    resource, seconds, _ = first(network, Content(3 * GB, 1000))
    assert (resource, seconds) == ("uplinks", pytest.approx(10.0))


def test_a_copy_into_every_rack():
    network = equal(8, 10 * GB, racks=4, rack_uplink=GB)
    assert first(network, Content(5 * GB, 1000))[:2] == ("rack_uplink", pytest.approx(5.0))


def test_a_racks_own_hosts_must_spread_what_its_uplink_lets_in():
    slow = [machine(f"s{i}", GB / 10, 10 * GB, rack="slow") for i in range(10)]
    quick = [machine(f"q{i}", 10 * GB, 10 * GB, rack="quick") for i in range(10)]
    network = fleet(10 * GB, *quick, *slow, rack_uplink=1 * GB)
    # Ten copies of 2 GB through an uplink of 1 GB/s and ten hosts of 0.1 GB/s.
    resource, seconds, hosts = first(network, Content(2 * GB, 1000))
    assert (resource, seconds) == ("rack_uplinks", pytest.approx(10.0))
    assert hosts == tuple(f"s{i}" for i in range(10))


def test_an_agents_processor():
    network = fleet(10 * GB, machine("a", 10 * GB, 10 * GB), cpu=GB / 2)
    assert first(network, Content(5 * GB, 1000))[:2] == ("cpu", pytest.approx(10.0))


def test_nothing_to_move_or_nobody_to_move_it_to_takes_no_time():
    assert bound(equal(3, GB), Content(0, 0)) == 0
    assert limits(fleet(GB), Content(GB, 10)) == []


def test_limits_are_sorted_and_the_first_is_the_bound():
    network = equal(5, GB)
    found = [limit.seconds for limit in limits(network, Content(GB, 100))]
    assert found == sorted(found, reverse=True)
    assert bound(network, Content(GB, 100)) == found[0]


def test_many_names_are_counted_in_the_reason_and_all_listed():
    hosts = [machine(f"host{3 * i}", 9 * GB, GB) for i in range(50)]
    network = fleet(10 * GB, machine("quick", 10 * GB, 10 * GB), *hosts)
    found = limits(network, Content(GB, 1000))[0]
    assert found.reason == "the downlink of 50 hosts, host0 among them"
    assert len(found.hosts) == 50


def test_slow_hosts_are_named_with_what_they_cost():
    hosts = [machine(f"n{i}", GB, GB) for i in range(9)]
    network = fleet(GB, *hosts, machine("old", GB, GB, disk=GB / 10))
    slow = slow_hosts(network, Content(GB, 1000))
    assert slow.hosts == ("old",)
    # 10 s to its disk; the other nine are done after four doublings: (1000 - 1 + 4) / 1000 s.
    assert slow.seconds == pytest.approx(1.003)
    assert slow.saved == pytest.approx(8.997)


def test_hosts_that_hold_nobody_up_are_not_called_slow():
    hosts = [machine(f"n{i}", 10 * GB, 10 * GB) for i in range(9)]
    assert slow_hosts(fleet(GB, *hosts), Content(GB, 1000)) is None
    # Its downlink is a third of the others', but the origin is slower still.
    assert slow_hosts(fleet(GB, *hosts, machine("x", GB, 3 * GB)), Content(GB, 1000)) is None
    assert slow_hosts(fleet(GB, machine("x", GB, GB / 9)), Content(GB, 1000)) is None


rates = st.integers(min_value=1, max_value=1000).map(float)
machines = st.lists(
    st.builds(
        machine,
        st.just("n"),
        rates,
        rates,
        st.none() | rates,
        st.sampled_from(["", "r1", "r2"]),
    ),
    min_size=1,
    max_size=12,
).map(lambda hosts: [host._replace(name=f"n{i}") for i, host in enumerate(hosts)])
networks = st.builds(
    lambda origin, hosts, uplink, cpu: fleet(origin, *hosts, rack_uplink=uplink, cpu=cpu),
    rates,
    machines,
    st.none() | rates,
    st.none() | rates,
)
contents = st.builds(
    Content, st.integers(min_value=1, max_value=10**9), st.integers(min_value=1, max_value=4000)
)
ROUNDING = 1 + 1e-9


@given(networks, contents)
def test_never_below_one_copy_from_the_origin_nor_into_any_host(network, content):
    seconds = bound(network, content) * ROUNDING
    assert seconds >= content.size / network.origin_uplink.value
    for host in network.hosts:
        assert seconds >= content.size / host.intake.value


@given(networks, contents, st.integers(min_value=1, max_value=10**9))
def test_more_bytes_in_as_many_chunks_never_take_less(network, content, more):
    larger = Content(content.size + more, content.chunks)
    assert bound(network, larger) >= bound(network, content)


@given(rates, st.integers(min_value=1, max_value=200), contents, st.none() | rates)
def test_one_more_host_like_the_others_never_takes_less(each, count, content, uplink):
    fewer = bound(equal(count, each, rack_uplink=uplink), content)
    assert bound(equal(count + 1, each, rack_uplink=uplink), content) * ROUNDING >= fewer


@given(
    networks,
    contents,
    st.data(),
    st.sampled_from(["uplink", "downlink", "disk"]),
    st.floats(min_value=1, max_value=100),
)
def test_a_faster_host_never_takes_longer(network, content, data, what, factor):
    index = data.draw(st.integers(min_value=0, max_value=len(network.hosts) - 1))
    host = network.hosts[index]
    old = getattr(host, what)
    if old is None:
        return
    better = host._replace(**{what: old._replace(value=old.value * factor)})
    hosts = (*network.hosts[:index], better, *network.hosts[index + 1 :])
    faster = fleet(network.origin_uplink.value, *hosts)
    assert bound(faster, content) <= bound(
        fleet(network.origin_uplink.value, *network.hosts), content
    )
    racked = type(network)(network.origin_uplink, hosts, network.rack_uplink, network.cpu)
    assert bound(racked, content) <= bound(network, content)


@given(networks, contents)
def test_what_is_saved_without_slow_hosts_is_saved(network, content):
    slow = slow_hosts(network, content)
    if slow is not None:
        assert slow.seconds + slow.saved == pytest.approx(bound(network, content))
        assert 0 < len(slow.hosts) <= len(network.hosts) / 2


def test_the_bound_of_equal_hosts_is_bar_noys_for_any_number():
    for hosts in (1, 2, 3, 7, 8, 100):
        for chunks in (1, 2, 77):
            want = (chunks - 1 + math.ceil(math.log2(hosts + 1))) / chunks
            assert bound(equal(hosts, GB), Content(GB, chunks)) == pytest.approx(want)
