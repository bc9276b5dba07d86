"""Plans stay connected, bounded and true to their books whoever comes, goes or cannot be reached."""

import os
import random
import subprocess
import sys
from collections import Counter, deque
from math import log2

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetpush.swarm.plan import plan_for
from fleetpush.swarm.plan.link import pair
from fleetpush.swarm.plan.mesh import (
    DEGREE,
    DEGREE_OF_MANY,
    IN_RACK,
    ORIGIN_DEGREE,
    OUT_OF_RACK,
)

ORIGIN = "origin"
SHAPES = {
    "mesh": {},
    "small mesh": {"chunks": 10},
    "tree": {},
    "chain": {"fanout": 1},
    "plain tree": {"fanout": 3},
    "star": {},
}


def plan_of(shape: str, seed: int):
    topology = {"small mesh": "mesh", "chain": "tree", "plain tree": "tree"}.get(shape, shape)
    return plan_for(topology, ORIGIN, random.Random(seed), **SHAPES[shape])


HOSTS = st.integers(0, 19).map(lambda i: f"h{i:02}")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["join", "join", "join", "leave", "unreachable", "adopt"]),
        HOSTS,
        st.one_of(HOSTS, st.just(ORIGIN)),
    ),
    min_size=20,
    max_size=100,
)


def flows(plan, stripe: int) -> dict[str, list[str]]:
    """Who sends ``stripe`` to whom."""
    out: dict[str, list[str]] = {}
    for a, b in plan.links.pairs():
        link = plan.links.get((a, b))
        for sender, receiver, stripes in ((a, b, link.a_sends), (b, a, link.b_sends)):
            assert len(set(stripes)) == len(stripes)
            if stripe in stripes:
                out.setdefault(sender, []).append(receiver)
    return out


def depths(plan, stripe: int) -> dict[str, int]:
    """How far everyone is from the origin along the flow of ``stripe``."""
    sends, depth, queue = flows(plan, stripe), {ORIGIN: 0}, deque([ORIGIN])
    while queue:
        peer = queue.popleft()
        for other in sends.get(peer, []):
            if other not in depth:
                depth[other] = depth[peer] + 1
                queue.append(other)
    return depth


def play(plan, steps) -> tuple[set[str], set[tuple[str, str]]]:
    """Members and the pairs that are cut in the end; checks the announced changes on the way."""
    members: set[str] = set()
    cut: set[tuple[str, str]] = set()
    seen: dict = {}
    plan.join(ORIGIN, "")
    for what, peer, other in steps:
        if what == "join" and peer not in members:
            plan.join(peer, peer[-1])
            members.add(peer)
        elif what == "leave":
            plan.leave(peer)
            members.discard(peer)
            cut = {p for p in cut if peer not in p}
        elif what == "unreachable" and peer != other and {peer, other} <= members | {ORIGIN}:
            plan.unreachable(peer, other)
            cut.add(pair(peer, other))
        elif what == "adopt" and peer in members:
            plan.adopt(peer, ORIGIN)
            cut.discard(pair(peer, ORIGIN))
            assert pair(peer, ORIGIN) in plan.links
        for key, link in plan.links.take_changes():
            seen.pop(key, None)
            if link is not None:
                seen[key] = link
        assert seen == {key: plan.links.get(key) for key in plan.links.pairs()}
        assert {p for key in seen for p in key} <= members | {ORIGIN}
    assert plan.links.take_changes() == []
    return members, cut


@pytest.mark.parametrize("shape", SHAPES)
@given(STEPS, st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_everyone_is_reached_whatever_happens(shape, steps, seed):
    plan = plan_of(shape, seed)
    members, cut = play(plan, steps)
    for stripe in range(2 if shape == "tree" else 1):
        reached = set(depths(plan, stripe)) - {ORIGIN}
        if "mesh" not in shape or not cut:
            assert reached == members
        if "tree" in shape or shape == "chain":
            receivers = Counter(r for out in flows(plan, stripe).values() for r in out)
            assert receivers == dict.fromkeys(members, 1), "one parent each: no cycle"
    if "mesh" in shape:
        check_mesh(plan, members, cut)


def check_mesh(plan, members, cut) -> None:
    degree = Counter(p for key in plan.links.pairs() for p in key)
    assert not cut & set(plan.links.pairs()), "a pair that cannot meet"
    for peer in members:
        others = {pair(peer, o) for o in members if o != peer} - cut
        mine = degree[peer] - (pair(peer, ORIGIN) in plan.links)
        assert mine >= min(plan._degree // 2, len(others))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_seed_replays_a_plan(shape):
    def grown():
        plan = plan_of(shape, 7)
        for i in range(60):
            plan.join(f"h{i}", str(i % 3))
        for i in range(0, 60, 7):
            plan.leave(f"h{i}")
        return [(key, plan.links.get(key)) for key in plan.links.pairs()]

    assert grown() == grown()


def test_a_seed_replays_a_plan_in_another_process():
    """Where sets have another order."""
    program = """
import random
from fleetpush.swarm.plan import plan_for
plan = plan_for("mesh", "origin", random.Random(7))
for i in range(40): plan.join(f"h{i}", "")
for i in range(0, 40, 3): plan.leave(f"h{i}")
print(sorted(plan.links.pairs()))
"""
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": str(seed), "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in (1, 2, 3)
    }
    assert len(said) == 1


@given(st.integers(1, 120), st.integers(0, 99), st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_a_mesh_keeps_to_its_degree(hosts, seed, rng):
    plan = plan_for("mesh", ORIGIN, random.Random(seed))
    for i in range(hosts):
        plan.join(f"h{i}", str(i % 4))
    degree = Counter(p for key in plan.links.pairs() for p in key)
    assert degree[ORIGIN] == min(hosts, ORIGIN_DEGREE)
    assert all(degree[f"h{i}"] <= 2 * (IN_RACK + OUT_OF_RACK) for i in range(hosts))
    assert sum(degree.values()) <= (IN_RACK + OUT_OF_RACK) * hosts + 2 * ORIGIN_DEGREE
    if hosts <= DEGREE // 2:
        assert len(plan.links) == hosts * (hosts + 1) // 2, "few hosts all know each other"
    if hosts > ORIGIN_DEGREE:
        racks = {k[0][-1:] for k in plan.links.pairs() if ORIGIN in k}
        assert racks


@pytest.mark.parametrize("racks", [1, 8])
def test_a_mesh_is_wide_not_long_and_in_the_end_nobody_is_short_of_neighbours(racks):
    plan = plan_for("mesh", ORIGIN, random.Random(3))
    names = [f"h{i}" for i in range(400)]
    for i, name in enumerate(names):
        plan.join(name, str(i % racks) if racks > 1 else "")
    for name in (names[0], names[-1]):
        assert farthest(plan, name) <= 5
    plan.tick()
    plan.tick()  # when all have come, each gets its share of what its rack imports
    degree = Counter(p for key in plan.links.pairs() for p in key if ORIGIN not in key)
    wanted = DEGREE_OF_MANY if racks == 1 else IN_RACK + OUT_OF_RACK
    least = DEGREE if racks == 1 else wanted  # who came among the first has what few need
    assert min(degree[name] for name in names) >= least
    assert sum(degree.values()) <= 1.5 * wanted * len(names)
    assert plan.links.take_changes(), "what the first ticks changed"
    plan.tick()
    assert plan.links.take_changes() == [], "nothing more is wanted"
    for i, name in enumerate(names):
        others = {p for key in plan.links.pairs() if name in key for p in key} - {name, ORIGIN}
        inside = sum(1 for other in others if int(other[1:]) % racks == i % racks)
        assert inside >= (IN_RACK if racks > 1 else DEGREE)
        assert len(others) - inside >= (OUT_OF_RACK if racks > 1 else 0)


@given(st.integers(DEGREE + 1, 40), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_a_mesh_that_has_settled_leaves_nobody_short_and_changes_no_more(hosts, seed):
    plan = plan_for("mesh", ORIGIN, random.Random(seed))
    for i in range(hosts):
        plan.join(f"h{i}", "")
    plan.settle()
    degree = Counter(p for key in plan.links.pairs() for p in key if ORIGIN not in key)
    assert min(degree[f"h{i}"] for i in range(hosts)) >= DEGREE
    plan.links.take_changes()
    plan.settle()
    plan.tick()
    assert plan.links.take_changes() == []


def farthest(plan, start: str) -> int:
    """Hops to the host that is farthest from ``start`` when the origin does not help."""
    around: dict[str, list[str]] = {}
    for one, other in plan.links.pairs():
        around.setdefault(one, []).append(other)
        around.setdefault(other, []).append(one)
    depth, queue = {start: 0, ORIGIN: 0}, deque([start])
    while queue:
        peer = queue.popleft()
        for other in around[peer]:
            if other not in depth:
                depth[other] = depth[peer] + 1
                queue.append(other)
    return max(depth.values())


def test_the_origins_neighbours_are_of_distinct_racks_while_there_are_some():
    plan = plan_for("mesh", ORIGIN, random.Random(1))
    for i in range(ORIGIN_DEGREE):
        plan.join(f"a{i}", "a")
    plan.leave("a0")
    for i in range(5):
        plan.join(f"b{i}", "b")
    plan.leave("a1")
    assert any(pair(ORIGIN, f"b{i}") in plan.links for i in range(5))


@pytest.mark.parametrize("hosts", [1, 2, 3, 10, 100, 500])
@pytest.mark.parametrize(("stripes", "fanout"), [(2, None), (1, 1), (1, 2), (1, 5)])
def test_a_tree_is_bounded_in_width_and_depth(hosts, stripes, fanout):
    plan = plan_for("tree", ORIGIN, random.Random(0), fanout=fanout)
    for i in range(hosts):
        plan.join(f"h{i}", "")
    assert {plan.links.get(key).stripes for key in plan.links.pairs()} == {stripes}
    width = fanout or stripes
    for stripe in range(stripes):
        children = {p: len(c) for p, c in flows(plan, stripe).items()}
        assert children[ORIGIN] <= (fanout or 1)
        assert max(children.values()) <= width
        deepest = max(depths(plan, stripe).values())
        assert deepest <= (hosts if width == 1 else 2 + log2(hosts + 1) / log2(width) + 1)
    sending = Counter(
        p for s in range(stripes) for p, c in flows(plan, s).items() for _ in c if p != ORIGIN
    )
    assert max(sending.values(), default=0) <= width, "about one copy up for each"


@given(st.integers(10, 60), st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_a_tree_stays_shallow_when_half_of_it_dies(hosts, rng):
    plan = plan_for("tree", ORIGIN, random.Random(0))
    names = [f"h{i}" for i in range(hosts)]
    for name in names:
        plan.join(name, "")
    for name in rng.sample(names, hosts // 2):
        plan.leave(name)
    for stripe in range(2):
        deepest = max(depths(plan, stripe).values())
        assert deepest <= 4 + 2 * log2(hosts)
        most = max(len(c) for c in flows(plan, stripe).values())
        assert most <= hosts


@pytest.mark.parametrize("shape", SHAPES)
def test_words_about_strangers_and_the_origin_change_nothing(shape):
    plan = plan_of(shape, 0)
    for i in range(5):
        plan.join(f"h{i}", "")
    before = {key: plan.links.get(key) for key in plan.links.pairs()}
    plan.join(ORIGIN, "")
    plan.leave("stranger")
    plan.unreachable("stranger", "h1")
    plan.unreachable("stranger", ORIGIN)
    plan.adopt("stranger", ORIGIN)
    assert {key: plan.links.get(key) for key in plan.links.pairs()} == before
    plan.leave(ORIGIN)
    plan.join("late", "")
    plan.leave("h0")


@pytest.mark.parametrize("order", ["in turn", "at random", "rack by rack"])
def test_a_tree_is_in_rack_order_however_the_hosts_arrive(order):
    hosts = [(f"h{i}", str(i % 10)) for i in range(300)]
    if order == "at random":
        random.Random(1).shuffle(hosts)
    elif order == "rack by rack":
        hosts.sort(key=lambda host: host[1])
    plan, racks = plan_of("tree", 1), dict(hosts)
    plan.join(ORIGIN, "")
    for peer, rack in hosts:
        plan.join(peer, rack)
    for stripe in range(2):
        sends = flows(plan, stripe)
        crossing = [r for s, rs in sends.items() for r in rs if racks.get(s) != racks[r]]
        assert len(crossing) <= 15, "each rack gets a stripe about once"
        fanouts = Counter(len(receivers) for receivers in sends.values())
        assert max(fanouts) <= 3
        assert fanouts[3] <= 1, "more children would halve what each gets"
        assert max(depths(plan, stripe).values()) <= 50
    peers = [p for p, _ in hosts[::3]]
    for peer in peers:
        plan.leave(peer)
    assert all(len(depths(plan, stripe)) == 201 for stripe in range(2))
