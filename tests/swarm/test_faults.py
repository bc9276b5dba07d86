"""Hosts die, freeze, lie and lose their links; the living complete all the same."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetpush.swarm import bitfield
from tests.swarm.network import ORIGIN
from tests.swarm.swarms import HEALING, TOPOLOGIES, check_all_complete, joined, network

TIMES = st.floats(0.0, 0.4)


def names(hosts: int):
    return st.integers(0, hosts - 1).map(lambda i: f"h{i:02}")


@pytest.mark.parametrize("topology", TOPOLOGIES)
@given(st.data(), st.integers(2, 14), st.integers(1, 20))
@settings(max_examples=15, deadline=None)
def test_the_living_complete_whoever_dies(topology, data, hosts, chunks):
    net = joined(network(topology, chunks, seed=data.draw(st.integers(0, 99))), hosts)
    deaths = data.draw(st.dictionaries(names(hosts), TIMES, max_size=hosts - 1))
    for name, when in deaths.items():
        net.at(when, net.die, name)
    net.run()
    died = [n for n in deaths if not net.hosts[n].alive and n not in net.released]
    check_all_complete(net, hosts - len(died))


@pytest.mark.parametrize("topology", HEALING)
def test_the_living_complete_when_half_of_forty_die_at_once(topology):
    net = joined(network(topology, 60, check_every=101), 40)
    for i in range(0, 40, 2):
        net.at(0.1, net.die, f"h{i:02}")
    net.run(10.0)
    check_all_complete(net, 20)


@pytest.mark.parametrize("topology", TOPOLOGIES)
@given(st.data(), st.integers(1, 12), st.integers(1, 20))
@settings(max_examples=15, deadline=None)
def test_links_that_break_heal(topology, data, hosts, chunks):
    net = joined(network(topology, chunks, seed=data.draw(st.integers(0, 99))), hosts)
    ends = st.one_of(st.just(ORIGIN), names(hosts))
    for one, other, when in data.draw(st.lists(st.tuples(ends, ends, TIMES), max_size=60)):
        net.at(when, net.cut, one, other)
    net.run()
    check_all_complete(net, hosts)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_every_link_may_break_again_and_again(topology):
    net = joined(network(topology, 30, check_every=11), 10)
    everyone = [ORIGIN, *(f"h{i:02}" for i in range(10))]
    for beat in range(20):
        for one in everyone:
            for other in everyone:
                net.at(0.02 + 0.031 * beat, net.cut, one, other)
    net.run()
    check_all_complete(net, 10)


@pytest.mark.parametrize("topology", HEALING)
@given(st.data(), st.integers(2, 10))
@settings(max_examples=15, deadline=None)
def test_pairs_that_never_reach_each_other_are_planned_around(topology, data, hosts):
    net = joined(network(topology, 10, seed=data.draw(st.integers(0, 99))), hosts)
    for one, other in data.draw(st.lists(st.tuples(names(hosts), names(hosts)), max_size=20)):
        net.blocked |= {(one, other), (other, one)}
    net.run()
    check_all_complete(net, hosts)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_a_host_that_only_calls_out_and_one_that_can_only_be_called_take_part(topology):
    net = joined(network(topology, 10), 6)
    everyone = [ORIGIN, *(f"h{i:02}" for i in range(6))]
    net.blocked = {(e, "h01") for e in everyone} | {("h02", e) for e in everyone if e != "h01"}
    net.run()
    check_all_complete(net, 6)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_hosts_that_reach_nobody_are_served_through_ssh_or_fail_by_name(topology):
    everyone = [ORIGIN, *(f"h{i:02}" for i in range(6))]
    walls = {(a, b) for a in everyone for b in everyone if "h03" in (a, b)}
    net = joined(network(topology, 10), 6)
    net.blocked = walls
    net.run()
    check_all_complete(net, 6)
    net = joined(network(topology, 10), 6)
    net.blocked, net.relays = walls, False
    net.run(settle=30.0)
    assert net.isolated == ["h03"]
    assert not net.hosts["h03"].peer.complete
    assert all(h.peer.complete for h in net.living)


@pytest.mark.parametrize("topology", TOPOLOGIES)
@given(st.data(), st.integers(2, 12), st.integers(1, 20))
@settings(max_examples=15, deadline=None)
def test_a_resumed_swarm_moves_what_is_missing(topology, data, hosts, chunks):
    net = network(topology, chunks, seed=data.draw(st.integers(0, 99)))
    net.join(ORIGIN)
    haves = {}
    for i in range(hosts):
        haves[f"h{i:02}"] = bitfield.of(data.draw(st.sets(st.integers(0, chunks - 1))))
    for name, have in haves.items():
        net.join_at(data.draw(st.sampled_from([0.0, 0.005, 0.1])), name, have=have)
    net.run()
    assert all(h.peer.complete for h in net.living)
    for name, have in haves.items():
        got = {chunk for chunk, _ in net.hosts[name].received}
        assert not bitfield.of(got) & have, "moved what was there"
        assert set(net.hosts[name].received.values()) <= {1}, "moved a block twice"


@pytest.mark.parametrize("late", range(4))
def test_a_host_that_gets_another_place_in_the_tree_gets_no_block_twice(late):
    net = network("tree", 1)
    net.join(ORIGIN)
    for i in range(4):
        net.join_at(0.005 * (i == late), f"h{i:02}", have=0)
    net.run()
    assert all(h.peer.complete for h in net.living)
    assert all(set(h.received.values()) <= {1} for h in net.living)


def test_the_origin_of_a_mesh_hands_out_only_what_nobody_holds():
    net = network("mesh", 40, check_every=7)
    net.join(ORIGIN)
    net.join("h00", have=bitfield.full(30))
    for i in range(1, 8):
        net.join(f"h{i:02}")
    net.run()
    assert all(h.peer.complete for h in net.living)
    assert net.copies() <= 0.35


@pytest.mark.parametrize("topology", ["mesh", "tree"])
@given(st.data(), st.integers(3, 12))
@settings(max_examples=10, deadline=None)
def test_a_sender_of_wrong_bytes_is_dropped_and_the_rest_complete(topology, data, hosts):
    net = joined(network(topology, 12, seed=data.draw(st.integers(0, 99))), hosts)
    liar = data.draw(names(hosts))
    net.at(0.0001, lambda: setattr(net.hosts[liar], "corrupts", True))
    net.run()
    assert all(h.peer.complete for h in net.living)
    assert {whom for _, whom, _ in net.dropped} <= {liar}
    assert all("do not match" in reason for _, _, reason in net.dropped)


def test_a_sender_of_wrong_bytes_is_met():
    net = joined(network("mesh", 12), 4)
    net.at(0.0001, lambda: setattr(net.hosts["h02"], "corrupts", True))
    net.run()
    assert {whom for _, whom, _ in net.dropped} == {"h02"}


@given(st.data(), st.integers(3, 14), st.integers(4, 30))
@settings(max_examples=15, deadline=None)
def test_hosts_that_fall_silent_do_not_keep_a_mesh_from_completing(data, hosts, chunks):
    """Their links stand, and nobody tells the others: it is for the peers to notice."""
    net = joined(network("mesh", chunks, seed=data.draw(st.integers(0, 99))), hosts)
    silent = data.draw(st.dictionaries(names(hosts), st.floats(0.003, 0.2), min_size=1, max_size=3))
    for name, when in silent.items():
        net.at(when, net.freeze, name)
    net.run(20.0)
    for name in silent:
        net.thaw(name)
    net.run()
    check_all_complete(net, hosts)


@given(st.data(), st.integers(3, 14), st.integers(4, 30))
@settings(max_examples=10, deadline=None)
def test_children_of_a_silent_host_complete_once_it_is_declared_dead(data, hosts, chunks):
    net = joined(network("tree", chunks, seed=data.draw(st.integers(0, 99))), hosts)
    silent = data.draw(st.dictionaries(names(hosts), st.floats(0.003, 0.2), min_size=1, max_size=3))
    for name, when in silent.items():
        net.at(when, net.freeze, name)
        net.at(5.0, net.die, name)
    net.run(10.0)


def test_many_silent_hosts_hold_back_a_large_mesh_for_seconds_only():
    net = joined(network("mesh", 60, check_every=101), 40)
    for i in range(5):
        net.at(0.05, net.freeze, f"h{i:02}")
    net.run(12.0)
    assert len([h for h in net.served if h.peer.complete]) >= 36
