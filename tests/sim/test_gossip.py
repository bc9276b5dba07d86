"""Fleets whose peers find each other: everybody completes without a tracker, whatever is lost on the way."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetpush.errors import UsageError
from fleetpush.sim.gossip import GossipFleet
from fleetpush.sim.outcome import outcome, simulate
from fleetpush.sim.scenario import Scenario
from fleetpush.swarm import choosing

OF_THIS_MACHINE = {"wall_s", "cpu_s", "messages_per_s", "events_per_s"}
SMALL = Scenario(hosts=24, chunks=40, discovery="gossip", rate=12.5e6)

scenarios = st.builds(
    lambda racks, **more: Scenario(discovery="gossip", racks=min(racks, more["hosts"]), **more),
    hosts=st.integers(1, 14),
    chunks=st.integers(1, 12),
    blocks=st.integers(1, 6),
    seed=st.integers(0, 10_000),
    rate=st.sampled_from([1e6, 125e6]),
    latency=st.sampled_from([0.0, 0.0002, 0.02]),
    loss=st.sampled_from([0.0, 0.05, 0.5]),
    slow=st.sampled_from([0.0, 0.1]),
    racks=st.integers(1, 3),
    stagger=st.sampled_from([0.0, 0.5]),
)


def played(scenario):
    """The fleet after its run, and the outcome; every core is consistent with itself."""
    fleet = GossipFleet(scenario)
    fleet.run()
    for machine in fleet.machines.values():
        machine.peer.check_invariants()
        if machine.alive:
            fleet.talkers[machine.name].check_invariants()
    return fleet, outcome(fleet, 0.0, 0.0)


@given(scenarios)
@settings(max_examples=15, deadline=None)
def test_every_host_completes_whatever_gossip_is_lost(scenario):
    _, found = played(scenario)
    assert found.lacking == ()
    assert found.dropped == ()
    assert found.ratio >= found.bound_ratio - 1e-9


def test_those_that_live_complete_when_others_die():
    for seed in range(2):
        _, found = played(replace(SMALL, deaths=0.15, loss=0.05, seed=seed, racks=1 + seed))
        assert found.lacking == ()


def test_each_chunk_comes_into_a_rack_about_once():
    found = simulate(replace(SMALL, hosts=40, racks=4, oversubscription=4.0))
    assert found.lacking == ()
    assert found.copies_per_rack < 1.5


def test_it_comes_near_to_what_a_tracker_makes_of_it_and_the_origin_sends_one_copy():
    by_gossip, by_tracker = simulate(SMALL), simulate(replace(SMALL, discovery="tracker"))
    assert by_gossip.ratio < by_tracker.ratio * 1.05
    assert by_gossip.origin_copies == 1
    # The run is told who is complete, and nothing else.
    assert by_gossip.tracker_events <= SMALL.hosts < by_tracker.tracker_events


def test_hosts_learn_of_each_other_from_each_other():
    fleet, _ = played(replace(SMALL, hosts=40))
    for talker in fleet.talkers.values():
        assert len(talker.members) == 40
        assert choosing.FEW_LINKS <= len(talker.links) <= choosing.VIEW


def test_the_same_seed_gives_the_same_run_and_losses_change_it():
    one, again, lossy = (
        json.dumps({k: v for k, v in simulate(s).as_json().items() if k not in OF_THIS_MACHINE})
        for s in (SMALL, SMALL, replace(SMALL, loss=0.3))
    )
    assert one == again != lossy


@pytest.mark.parametrize("loss", [-0.1, 1.5])
def test_a_share_that_is_none_is_refused(loss):
    with pytest.raises(UsageError, match="--loss"):
        replace(SMALL, loss=loss)
