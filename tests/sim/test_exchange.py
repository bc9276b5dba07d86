"""Whole fleets in virtual time: they complete, never faster than physics, and the same way each time."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fleetpush.sim.fleet import Fleet
from fleetpush.sim.outcome import outcome, simulate
from fleetpush.sim.scenario import Scenario
from fleetpush.swarm.manifest import BLOCK
from fleetpush.swarm.picker import Rarest

OF_THIS_MACHINE = {"wall_s", "cpu_s", "messages_per_s", "events_per_s"}
TROUBLED = {
    "deaths": {"deaths": 0.1},
    "slow hosts": {"slow": 0.1, "slowness": 10.0},
    "racks": {"racks": 4, "oversubscription": 4.0},
    "staggered arrivals": {"stagger": 0.3},
    "busy processors": {"cpu_per_message": 0.0002},
    "all of it": {
        "deaths": 0.1,
        "slow": 0.1,
        "racks": 4,
        "oversubscription": 2.0,
        "stagger": 0.1,
    },
}


def figures(found):
    return {k: v for k, v in found.as_json().items() if k not in OF_THIS_MACHINE}


def played(scenario):
    """The fleet after its run, and the outcome; every core is consistent with itself."""
    fleet = Fleet(scenario)
    fleet.run()
    for machine in fleet.machines.values():
        machine.peer.check_invariants()
    return fleet, outcome(fleet, 0.0, 0.0)


def test_the_same_seed_gives_the_same_run():
    scenario = Scenario(hosts=20, chunks=30, seed=5, **TROUBLED["all of it"])
    assert figures(simulate(scenario)) == figures(simulate(scenario))
    assert simulate(scenario).curve == simulate(scenario).curve


def test_another_seed_gives_another_run():
    one, other = (simulate(Scenario(hosts=20, chunks=30, seed=seed)) for seed in (1, 2))
    assert one.makespan != other.makespan


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_in_a_short_run_no_host_is_left_far_behind_by_its_place_in_the_mesh(seed):
    """Over before the first tick: whoever had half the neighbours took a fifth longer."""
    fast = 125e6
    found = simulate(Scenario(hosts=24, chunks=200, blocks=4, rate=fast, seed=seed))
    assert found.makespan < 0.7, "it was to be short"
    assert found.makespan < 1.05 * found.completed_by(0.5)


def test_nothing_depends_on_the_order_of_hashes():
    code = (
        "import json; from fleetpush.sim.outcome import simulate\n"
        "from fleetpush.sim.scenario import Scenario\n"
        "scenario = Scenario(hosts=20, chunks=20, deaths=.2, slow=.1, racks=3, stagger=.1)\n"
        "print(json.dumps(simulate(scenario).as_json()))"
    )
    told = []
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", code]
        run = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        told.append(json.loads(run.stdout))
    one, other = ({k: v for k, v in t.items() if k not in OF_THIS_MACHINE} for t in told)
    assert one == other


shares = st.sampled_from([0.0, 0.1, 0.3])
scenarios = st.builds(
    lambda topology, racks, **more: Scenario(
        topology=topology, racks=min(racks, more["hosts"]), **more
    ),
    topology=st.sampled_from(["mesh", "mesh", "tree", "star"]),
    hosts=st.integers(3, 12),
    chunks=st.integers(1, 12),
    blocks=st.integers(1, 6),
    seed=st.integers(0, 10_000),
    rate=st.sampled_from([1e6, 125e6, 5e9]),
    latency=st.sampled_from([0.0, 0.0002, 0.02]),
    slow=shares,
    slowness=st.sampled_from([1.0, 3.0, 10.0]),
    deaths=shares,
    racks=st.integers(1, 4),
    oversubscription=st.sampled_from([1.0, 4.0]),
    stagger=st.sampled_from([0.0, 0.5]),
    cpu_per_message=st.sampled_from([0.0, 0.0001]),
    slots=st.sampled_from([None, 1, 4]),
    credit=st.sampled_from([None, 1, 6]),
)


A_LINK_COMES_BACK = {
    "topology": "tree",
    "slow": 0.3,
    "slowness": 3.0,
    "deaths": 0.3,
    "stagger": 0.5,
}


@given(scenarios)
@example(
    Scenario(hosts=9, chunks=1, blocks=1, seed=330, rate=1e6, latency=0.0, **A_LINK_COMES_BACK)
)
@settings(max_examples=60)
def test_every_survivor_completes_and_none_beats_the_bound(scenario):
    fleet, found = played(scenario)
    assert found.lacking == ()
    assert found.dropped == ()
    assert found.completed == found.survivors
    assert found.ratio >= found.bound_ratio - 1e-9
    every = [scenario.blocks] * scenario.chunks
    assert all(m.stored == every for m in fleet.hosts if m.drawn.dies_at is None)


@pytest.mark.parametrize("hosts", [1, 7, 20])
def test_a_star_takes_a_copy_for_each_host(hosts):
    found = simulate(Scenario(hosts=hosts, chunks=40, topology="star"))
    assert found.ratio == pytest.approx(hosts, rel=0.05)
    assert found.origin_copies == hosts


@pytest.mark.parametrize(("topology", "limit"), [("tree", 1.25), ("mesh", 1.6)])
def test_peers_that_pass_it_on_take_hardly_longer_than_one_copy(topology, limit):
    found = simulate(Scenario(hosts=31, chunks=200, topology=topology))
    assert 1 < found.ratio < limit
    assert found.origin_copies == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("topology", ["mesh", "tree", "star"])
@pytest.mark.parametrize("trouble", TROUBLED.values(), ids=TROUBLED.keys())
def test_trouble_stops_nobody_who_lives(topology, trouble):
    fleet, found = played(Scenario(hosts=20, chunks=30, topology=topology, **trouble))
    assert found.lacking == ()
    assert found.dropped == ()
    doomed = [m for m in fleet.hosts if m.drawn.dies_at is not None]
    assert found.survivors == 20 - len(doomed)
    assert len(doomed) == (2 if "deaths" in trouble else 0)
    assert not any(m.alive for m in doomed if m.drawn.dies_at < fleet.clock.now)
    assert "stagger" in trouble or not any(m.alive for m in doomed)


@pytest.mark.parametrize("topology", ["mesh", "tree"])
def test_offers_that_travel_for_longer_than_a_chunk_takes_do_not_stop_the_line(topology):
    long_way = {"rate": 6.25e6, "latency": 0.04, "blocks": 3, "chunks": 500}
    found = simulate(Scenario(hosts=15, topology=topology, **long_way))
    # The chain of hosts alone takes some five chunks' time and as many times the way.
    assert found.ratio < 1.15


def test_slow_hosts_are_told_apart():
    found = simulate(Scenario(hosts=20, chunks=60, slow=0.1, slowness=20.0))
    assert found.ratio >= found.bound_ratio >= 20
    assert found.ratio_unslowed < 10


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("chunks", [200, 500], ids=["by offers", "by routes"])
def test_slow_hosts_hardly_hold_up_the_others(chunks, seed):
    scenario = Scenario(hosts=40, chunks=chunks, rate=3e6, seed=seed)
    usual = simulate(scenario)
    slowed = simulate(replace(scenario, slow=0.05, slowness=10.0))
    assert slowed.ratio_unslowed < usual.ratio + 0.08


@pytest.mark.parametrize("hosts", [15, 60])
def test_by_routes_a_chunk_waits_for_no_answer(hosts):
    """On a way on which an offer and its answer take longer than a chunk."""
    long_way = Scenario(hosts=hosts, chunks=500, blocks=3, rate=6.25e6, latency=0.04)
    assert simulate(long_way).ratio < 1.03
    assert simulate(replace(long_way, racks=2)).ratio > 1.05  # where there are none


def test_hosts_of_many_speeds_do_as_without_routes():
    scenario = Scenario(hosts=30, chunks=400, blocks=3, rate=6.25e6, slow=0.3, slowness=2.0)
    assert simulate(scenario).ratio_unslowed < 1.15


def test_a_rack_fetches_little_more_than_one_copy():
    found = simulate(Scenario(hosts=32, chunks=200, rate=12.5e6, racks=4, oversubscription=4.0))
    assert found.copies_per_rack < 1.2
    assert found.ratio < 1.2


def test_a_busy_processor_takes_longer():
    idle, busy = (
        simulate(Scenario(hosts=10, chunks=40, cpu_per_message=cpu)) for cpu in (0.0, 0.001)
    )
    assert busy.makespan > 1.5 * idle.makespan


def test_arrivals_spread_over_the_time_given():
    fleet, found = played(Scenario(hosts=30, chunks=20, stagger=2.0))
    moments = sorted(m.drawn.arrives_at for m in fleet.hosts)
    assert 0 <= moments[0] < 0.5
    assert 1.5 < moments[-1] < 2
    assert moments[-1] - moments[0] - 0.1 < found.makespan < 2.1


@pytest.mark.parametrize("racks", [1, 4])
def test_copies_into_racks_are_those_that_hosts_took_from_outside(racks):
    fleet = Fleet(Scenario(hosts=16, chunks=30, racks=racks, oversubscription=2.0))
    place = {drawn.name: drawn.rack for drawn in fleet.drawn}
    came = []
    for name, rack in place.items():
        assert rack == int(name.removeprefix("h")) * racks // 16

    taken = fleet.transport._take

    def take(way, position):
        came.append((way.sender.name, way.receiver.name))
        taken(way, position)

    fleet.transport._take = take
    fleet.run()
    found = outcome(fleet, 0.0, 0.0)
    from_outside = sum(place.get(sender) != place[receiver] for sender, receiver in came)
    assert len(came) >= 16 * 30 * 4
    assert found.copies_per_rack == from_outside / (racks * 30 * 4)
    if racks == 1:
        assert found.copies_per_rack == found.origin_copies


def test_hosts_that_are_never_offered_anything_are_reported_and_not_waited_for(monkeypatch):
    monkeypatch.setattr(Rarest, "next_offer", lambda self, peer, room: None)
    found = simulate(Scenario(hosts=12, chunks=80))
    assert found.lacking
    assert found.ratio is None
    assert found.makespan is None
    assert found.completed < 12
    assert {one.host for one in found.lacking} < {f"h{n:02}" for n in range(12)} | {"none"}
    assert all(0 < one.chunks <= 80 for one in found.lacking)


def test_an_outcome_counts_what_was_sent_and_wasted():
    fleet, found = played(Scenario(hosts=15, chunks=30))
    blocks = 30 * 4
    sent = sum(m.sent for m in fleet.machines.values())
    assert sent >= 15 * blocks * (1 + found.wasted)
    assert sum(len(m.stored) for m in fleet.hosts) == 15 * 30
    assert 0 < found.control_share < 0.05
    assert found.control_messages_per_chunk == pytest.approx(found.control_messages / (15 * 30))
    assert found.scenario.size == 30 * 4 * BLOCK


def test_completions_by_share():
    found = simulate(Scenario(hosts=10, chunks=10))
    assert found.completed_by(1.0) == found.makespan == found.completions[-1]
    assert found.completed_by(0.5) == found.completions[4]
    assert found.completed_by(0.05) == found.completions[0]


def test_a_mesh_of_a_smaller_degree_has_fewer_links():
    def most(degree):
        fleet, found = played(Scenario(hosts=60, chunks=10, degree=degree))
        assert not found.lacking
        return max(len(m.sessions) for m in fleet.hosts)

    assert most(4) < most(20)


def test_several_origins_send_one_copy_between_them():
    found = simulate(Scenario(hosts=12, chunks=40, blocks=1, origins=3))
    assert found.completed == 12
    assert found.origin_copies == pytest.approx(1.0, abs=0.05)
    assert found.ratio >= found.bound_ratio >= 1.0
