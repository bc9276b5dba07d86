"""The tracker introduces both ends of every edge, tries both directions, and never loses its head."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetpush.swarm.plan import plan_for
from fleetpush.swarm.plan.link import pair
from fleetpush.swarm.tracker import (
    LINK_WITHIN,
    DialFailed,
    Introduce,
    Isolated,
    Joined,
    Left,
    LinksCounted,
    Part,
    Relay,
    RelayFailed,
    TellHeld,
    Tick,
    Tracker,
)

ORIGIN = "origin"


def tracker_of(topology: str = "mesh", seed: int = 0) -> Tracker:
    return Tracker(plan_for(topology, ORIGIN, random.Random(seed)), ORIGIN)


def started(*hosts: str, topology: str = "mesh") -> Tracker:
    tracker = tracker_of(topology)
    for peer in (ORIGIN, *hosts):
        tracker.handle(Joined(peer, "", 0), 0.0)
    return tracker


def dials(effects) -> set[tuple[str, str]]:
    return {(e.peer, e.other) for e in effects if isinstance(e, Introduce) and e.dial}


def test_an_introduction_names_both_ends_and_one_dialer():
    tracker = started("a")
    effects = tracker.handle(Joined("b", "r", 0), 1.0)
    by_pair = {}
    for e in effects:
        assert isinstance(e, Introduce)
        by_pair.setdefault(pair(e.peer, e.other), []).append(e)
    standing = by_pair.pop(("a", ORIGIN))
    assert {e.peer for e in standing if e.dial} == {ORIGIN}, "told anew, dialed as before"
    assert set(by_pair) == {("a", "b"), ("b", ORIGIN)}
    for both in by_pair.values():
        assert len(both) == 2
        assert {e.peer for e in both} == {e.other for e in both}
        assert sorted(e.dial for e in both) == [False, True]
    assert dials(effects) == {("b", "a"), (ORIGIN, "b"), (ORIGIN, "a")}


def test_neighbours_of_one_rack_are_told_so():
    tracker = tracker_of()
    tracker.handle(Joined("a", "r1", 0), 0.0)
    local = tracker.handle(Joined("b", "r1", 0), 0.0)
    remote = tracker.handle(Joined("c", "r2", 0), 0.0)
    assert {e.edge.local for e in local} == {True}
    assert {e.edge.local for e in remote if "c" in (e.peer, e.other)} == {False}
    assert {e.edge.local for e in remote if {e.peer, e.other} == {"a", "b"}} <= {True}


def test_a_trees_child_sends_nothing_upwards():
    effects = started(topology="tree").handle(Joined("a", "", 0), 0.0)
    edges = {e.peer: e.edge for e in effects}
    assert edges[ORIGIN].send == (0, 1)
    assert edges["a"].send == ()
    assert edges["a"].stripes == 2


def test_a_dial_that_fails_is_tried_the_other_way_round_then_the_plan_is_asked():
    tracker = started("a", "b")
    flipped = tracker.handle(DialFailed("b", "a"), 1.0)
    assert dials(flipped) == {("a", "b")}
    assert len(flipped) == 2
    assert tracker.handle(DialFailed("b", "a"), 1.0) == [], "it is not its turn"
    asked = tracker.handle(DialFailed("a", "b"), 2.0)
    assert [e for e in asked if isinstance(e, Part)] == [Part("a", "b"), Part("b", "a")]
    others = [e for e in asked if not isinstance(e, Part)]
    assert {pair(e.peer, e.other) for e in others} == {("a", ORIGIN), ("b", ORIGIN)}
    assert dials(others) == {(ORIGIN, "a"), (ORIGIN, "b")}, "those stand: only their route is new"
    assert tracker.handle(DialFailed("a", "b"), 3.0) == []


@pytest.mark.parametrize("topology", ["mesh", "tree", "star"])
def test_a_host_that_the_origin_cannot_link_with_is_relayed_then_fails_by_name_once(topology):
    tracker = started("a", topology=topology)
    assert dials(tracker.handle(DialFailed(ORIGIN, "a"), 1.0)) == {("a", ORIGIN)}
    effects = tracker.handle(DialFailed("a", ORIGIN), 2.0)
    assert [type(e) for e in effects] == [Introduce, Relay]
    assert effects[0][:2] == ("a", ORIGIN)
    assert not effects[0].dial
    assert effects[1].peer == "a"
    assert effects[1].edge.send == tuple(range(effects[1].edge.stripes))
    everything = []
    for now in range(3, 40):
        everything += tracker.handle(RelayFailed("a", "forbidden"), float(now))
        everything += tracker.handle(DialFailed(ORIGIN, "a"), float(now))
        everything += tracker.handle(Tick(), float(now))
    assert [e for e in everything if isinstance(e, Isolated)] == [Isolated("a", "forbidden")]
    assert not [e for e in everything if isinstance(e, Relay)]


def test_a_link_through_ssh_that_breaks_for_good_isolates():
    tracker = started("a")
    tracker.handle(DialFailed(ORIGIN, "a"), 1.0)
    tracker.handle(DialFailed("a", ORIGIN), 2.0)
    effects = tracker.handle(DialFailed(ORIGIN, "a"), 3.0)
    assert [e.peer for e in effects if isinstance(e, Isolated)] == ["a"]


def test_a_host_whose_relay_failed_is_isolated_when_its_last_link_goes():
    tracker = started("a", "b")
    tracker.handle(LinksCounted("a", 1), 1.0)
    tracker.handle(LinksCounted("b", 1), 1.0)
    tracker.handle(DialFailed(ORIGIN, "a"), 1.0)
    tracker.handle(DialFailed("a", ORIGIN), 2.0)
    assert not [e for e in tracker.handle(RelayFailed("a", "no"), 3.0) if isinstance(e, Isolated)]
    assert tracker.handle(Tick(), 30.0) == []
    tracker.handle(LinksCounted("a", 0), 31.0)
    assert Isolated("a", "no") not in tracker.handle(Tick(), 31.0 + LINK_WITHIN)
    assert Isolated("a", "no") in tracker.handle(Tick(), 31.5 + LINK_WITHIN)
    assert Isolated("a", "no") not in tracker.handle(Tick(), 99.0)


def test_a_host_without_a_link_for_ten_seconds_is_relayed_once():
    tracker = started("a", "b")
    tracker.handle(LinksCounted("b", 2), 1.0)
    assert tracker.handle(Tick(), LINK_WITHIN) == []
    effects = tracker.handle(Tick(), LINK_WITHIN + 1)
    assert [e.peer for e in effects if isinstance(e, Relay)] == ["a"]
    assert tracker.handle(Tick(), LINK_WITHIN + 2) == []
    tracker.handle(LinksCounted("b", 0), 50.0)
    assert tracker.handle(Tick(), 50.0 + LINK_WITHIN) == []
    effects = tracker.handle(Tick(), 51.0 + LINK_WITHIN)
    assert [e.peer for e in effects if isinstance(e, Relay)] == ["b"]


def test_a_host_that_nobody_reaches_is_relayed_before_everybody_was_tried():
    hosts = [f"h{i:02}" for i in range(30)]
    tracker = started(*hosts, "x")
    relays, failures, queue = [], 0, [(o, "x") for o in hosts] + [("x", o) for o in hosts]
    while queue and not relays:
        peer, other = queue.pop(0)
        effects = tracker.handle(DialFailed(peer, other), 1.0)
        failures += any(isinstance(e, Part) for e in effects)
        queue += sorted((a, b) for a, b in dials(effects) if "x" in (a, b))
        relays = [e for e in effects if isinstance(e, Relay)]
    assert [r.peer for r in relays] == ["x"]
    assert failures < len(hosts)


def test_what_hosts_hold_is_told_to_the_origin_even_if_it_joins_later():
    tracker = tracker_of()
    assert tracker.handle(Joined("a", "", 0b11), 0.0) == []
    assert TellHeld(0b11) in tracker.handle(Joined(ORIGIN, "", 0b1111), 0.0)
    assert TellHeld(0b100) in tracker.handle(Joined("b", "", 0b100), 0.0)
    assert not [e for e in tracker.handle(Joined("c", "", 0), 0.0) if isinstance(e, TellHeld)]


@pytest.mark.parametrize("topology", ["mesh", "tree", "star"])
def test_an_origin_that_joins_late_is_introduced(topology):
    tracker = tracker_of(topology)
    for host in ("a", "b", "c"):
        tracker.handle(Joined(host, "", 0), 0.0)
    met = {e.other for e in tracker.handle(Joined(ORIGIN, "", 0), 0.0) if e.peer == ORIGIN}
    assert met
    assert topology == "tree" or met == {"a", "b", "c"}


PEERS = st.sampled_from(["a", "b", "c", "d", "e", ORIGIN, "stranger"])
EVENTS = st.one_of(
    st.builds(Joined, st.sampled_from(["a", "b", "c", "d", "e", ORIGIN]), st.just(""), st.just(1)),
    st.builds(Left, PEERS),
    st.builds(DialFailed, PEERS, PEERS),
    st.builds(DialFailed, PEERS, PEERS),
    st.builds(LinksCounted, PEERS, st.integers(0, 2)),
    st.builds(RelayFailed, PEERS, st.just("no")),
    st.just(Tick()),
)


@pytest.mark.parametrize("topology", ["mesh", "tree", "star"])
@given(st.lists(st.tuples(EVENTS, st.sampled_from([0.0, 1.0, 20.0])), min_size=10, max_size=120))
@settings(max_examples=150, deadline=None)
def test_any_sequence_of_events_is_survived_and_only_members_are_spoken_of(topology, events):
    tracker, now, members = tracker_of(topology), 0.0, set()
    known: set[tuple[str, str]] = set()
    isolated: set[str] = set()
    for event, later in events:
        now += later
        effects = tracker.handle(event, now)
        if isinstance(event, Joined):
            if event.peer in members:
                known = {k for k in known if event.peer not in k}
            members.add(event.peer)
            isolated.discard(event.peer)
        elif isinstance(event, Left):
            members.discard(event.peer)
            known = {k for k in known if k[0] != event.peer}
        assert set(tracker.members) == members
        for e in effects:
            if isinstance(e, Introduce):
                assert {e.peer, e.other} <= members
                known.add((e.peer, e.other))
            elif isinstance(e, Part):
                assert e.peer in members
                known.discard((e.peer, e.other))
            elif isinstance(e, Relay):
                assert {e.peer, ORIGIN} <= members
            elif isinstance(e, TellHeld):
                assert ORIGIN in members
            else:
                assert e.peer in members - isolated
                isolated.add(e.peer)
        assert {other for _, other in known} <= members, "an edge to who has left"
        turns = {(e.peer, e.other) for e in effects if isinstance(e, Introduce) and e.dial}
        assert len(turns) == len({pair(*t) for t in turns}), "one dialer"
