"""While a mesh has routes, two trees of its edges reach every host; who is slow feeds nobody in them."""

from __future__ import annotations

import random
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetpush.swarm.lag import SLOW
from fleetpush.swarm.plan.link import pair
from fleetpush.swarm.plan.mesh import MANY_CHUNKS, Mesh
from fleetpush.swarm.plan.routes import MOST_HEAVY, MOST_HOSTS, MOST_SLOW
from fleetpush.swarm.tracker import FellBehind, Introduce, Joined, Tracker

ORIGIN = "origin"
TREES = 2
CRAWLS, LAGS = SLOW / 2, (1 + SLOW) / 2
"""Paces of one that can be fed beside others, and of one that takes too much for that."""


def blame(mesh, paces):
    """Each by somebody that it has a route to or from: what others say of it does not count."""
    for host, pace in paces.items():
        for key in mesh.links.pairs():
            link = mesh.links.get(key)
            if host in key and (link.a_routes or link.b_routes):
                mesh.behind(key[key[0] == host], {host: pace}, all=False)
                break


def mesh_of(hosts: int, *, seed: int = 0, chunks: int = 500) -> Mesh:
    mesh = Mesh((ORIGIN,), random.Random(seed), chunks)
    for name in names(hosts):
        mesh.join(name, "")
    return mesh


def names(hosts: int) -> list[str]:
    return [f"h{i:03}" for i in range(hosts)]


def routes_of(mesh: Mesh) -> dict[tuple[str, str], set[int]]:
    """Who feeds whom by which trees, as the mesh's edges tell."""
    found: dict[tuple[str, str], set[int]] = {}
    for a, b in mesh.links.pairs():
        link = mesh.links.get((a, b))
        assert link.trees == TREES or not (link.a_routes or link.b_routes)
        for way, trees in (((a, b), link.a_routes), ((b, a), link.b_routes)):
            assert len(set(trees)) == len(trees)
            assert set(trees) <= set(range(link.trees))
            if trees:
                found[way] = set(trees)
    return found


def has_routes(mesh: Mesh) -> bool:
    return bool(routes_of(mesh))


def children(mesh: Mesh, tree: int) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for (parent, child), trees in routes_of(mesh).items():
        if tree in trees:
            found.setdefault(parent, []).append(child)
    return found


def check_trees(mesh: Mesh, hosts: set[str]) -> None:
    """Each host has one parent in each tree, and the origin is above it."""
    for tree in range(TREES):
        below = children(mesh, tree)
        fed = [child for those in below.values() for child in those]
        assert sorted(fed) == sorted(hosts), "one parent each, and none for the origin"
        reached, queue = {ORIGIN}, deque([ORIGIN])
        while queue:
            for child in below.get(queue.popleft(), []):
                reached.add(child)
                queue.append(child)
        assert reached == hosts | {ORIGIN}


def check_books(mesh: Mesh) -> None:
    """The mesh's edges carry what the trees say, no more and no less."""
    trees = mesh._routes._tree.links
    assert set(trees.pairs()) <= set(mesh.links.pairs())
    for key in mesh.links.pairs():
        link, by = mesh.links.get(key), trees.get(key)
        if by is None:
            assert not link.a_routes
            assert not link.b_routes
        else:
            assert (link.a_routes, link.b_routes) == (by.a_sends, by.b_sends)
            assert link.trees == by.stripes == TREES


def check_evenness(mesh: Mesh, slow: set[str]) -> None:
    """As many may feed others in each tree, and the line of none is shared by more than two of the others."""
    interior = [tree.interior - {ORIGIN} for tree in mesh._routes._tree._trees]
    assert abs(len(interior[0]) - len(interior[1])) <= 1
    assert not interior[0] & interior[1]
    for tree in range(TREES):
        for parent, those in children(mesh, tree).items():
            assert parent == ORIGIN or parent in interior[tree]
            assert len(set(those) - slow) <= (1 if parent == ORIGIN else 2)


HOSTS = st.integers(0, 24).map(lambda i: f"h{i:03}")
PACES = st.one_of(st.just(CRAWLS), st.just(0.0), st.floats(0, 1), st.just(LAGS))
BLAME = st.dictionaries(st.one_of(HOSTS, st.just("stranger"), st.just(ORIGIN)), PACES, max_size=3)
STEPS = st.one_of(
    *[st.tuples(st.just("join"), HOSTS)] * 4,
    st.tuples(st.just("leave"), HOSTS),
    st.tuples(st.just("unreachable"), HOSTS, st.one_of(HOSTS, HOSTS, st.just(ORIGIN))),
    st.tuples(st.sampled_from(["settle", "tick"])),
    st.tuples(st.just("finished"), HOSTS),
    st.tuples(st.just("behind"), st.one_of(HOSTS, st.just(ORIGIN)), BLAME, st.booleans()),
)


@given(st.integers(0, 25), st.lists(STEPS, max_size=60), st.integers(0, 99))
@settings(max_examples=150, deadline=None)
def test_whatever_happens_two_trees_of_its_edges_reach_everyone_or_there_is_no_route(
    first, steps, seed
):
    mesh, hosts, gone_for_good = mesh_of(first, seed=seed), set(names(first)), False
    for what, *who in steps:
        if what == "join":
            mesh.join(who[0], "")
            hosts.add(who[0])
        elif what == "leave":
            mesh.leave(who[0])
            hosts.discard(who[0])
        elif what == "behind":
            mesh.behind(who[0], who[1], all=who[2])
        elif what != "unreachable" or (who[0] != who[1] and pair(*who) in mesh.links):
            getattr(mesh, what)(*who)
        if mesh._routes is None:
            gone_for_good = True
        assert (mesh._routes is None) == gone_for_good, "once given up, never again"
        if gone_for_good:
            assert not has_routes(mesh)
            assert {mesh.links.get(key).trees for key in mesh.links.pairs()} <= {1}
        else:
            check_books(mesh)
            check_trees(mesh, hosts)


@given(
    st.integers(1, 40),
    st.lists(st.tuples(st.sampled_from(["join", "leave", "leave", "behind"]), st.integers(0, 39))),
    st.integers(0, 99),
)
@settings(max_examples=150, deadline=None)
def test_whoever_leaves_or_is_slow_the_trees_stay_even(first, steps, seed):
    mesh, hosts, slow = mesh_of(first, seed=seed), set(names(first)), set()
    for what, number in steps:
        host = f"h{number:03}"
        if what == "join":
            mesh.join(host, "")
            hosts.add(host)
        elif what == "leave":
            mesh.leave(host)
            hosts.discard(host)
            slow.discard(host)
        elif host in hosts and len(slow) + 1 <= MOST_SLOW * len(hosts):
            blame(mesh, {host: CRAWLS})
            slow.add(host)
        if mesh._routes is None:
            return  # of those that were slow, too many stayed
        check_evenness(mesh, slow)


def test_the_two_trees_share_the_work():
    mesh = mesh_of(40)
    check_trees(mesh, set(names(40)))
    check_evenness(mesh, set())


@pytest.mark.parametrize("chunks", [1, MANY_CHUNKS - 1])
def test_few_chunks_are_offered(chunks):
    assert not has_routes(mesh_of(10, chunks=chunks))
    assert has_routes(mesh_of(10, chunks=MANY_CHUNKS))


def test_from_several_origins_there_is_no_route():
    mesh = Mesh((ORIGIN, "origin1"), random.Random(0), 500)
    for name in names(10):
        mesh.join(name, "")
    assert not has_routes(mesh)


@pytest.mark.parametrize("in_first", [1, 9])
def test_between_racks_there_is_no_route_whenever_the_second_comes(in_first):
    mesh = Mesh((ORIGIN,), random.Random(0), 500)
    for name in names(in_first):
        mesh.join(name, "r1")
    assert has_routes(mesh), "one rack is like none"
    mesh.links.take_changes()
    mesh.join("other", "r2")
    assert not has_routes(mesh)
    changed = {key for key, link in mesh.links.take_changes() if link is not None}
    assert {key for key in changed if "other" not in key}, "those that had one hear of it"
    mesh.leave("other")
    mesh.join("late", "r1")
    assert not has_routes(mesh)


def test_among_very_many_hosts_there_is_no_route():
    mesh = mesh_of(MOST_HOSTS)
    assert has_routes(mesh)
    mesh.join("one more", "")
    assert not has_routes(mesh)


@pytest.mark.parametrize("tree", range(TREES))
def test_who_is_behind_feeds_nobody_any_more_and_is_fed_itself(tree):
    mesh, hosts = mesh_of(30), set(names(30))
    top = children(mesh, tree)[ORIGIN][0]
    assert children(mesh, tree)[top], "it had somebody below it"
    blame(mesh, {top: CRAWLS})
    assert not [way for way in routes_of(mesh) if way[0] == top]
    check_trees(mesh, hosts)
    for name in ("late 1", "late 2", "late 3"):
        mesh.join(name, "")
    mesh.leave(children(mesh, tree)[ORIGIN][0])
    assert has_routes(mesh)
    assert not [way for way in routes_of(mesh) if way[0] == top], "nor later"


def test_who_is_behind_is_not_fed_by_the_origin_and_takes_nobody_s_place():
    mesh = mesh_of(30)
    slow = {children(mesh, tree)[ORIGIN][0] for tree in range(TREES)}
    for host in slow:
        blame(mesh, {host: CRAWLS})
    for tree in range(TREES):
        assert not slow & set(children(mesh, tree)[ORIGIN])
        assert len(children(mesh, tree)[ORIGIN]) == 1
    check_evenness(mesh, slow)


def test_the_same_word_twice_changes_nothing_the_second_time():
    mesh = mesh_of(60)
    slow = names(5)
    for host in slow:
        blame(mesh, {host: CRAWLS})
    mesh.links.take_changes()
    for host in slow:
        blame(mesh, {host: LAGS})
    assert mesh.links.take_changes() == []


def test_words_about_who_is_no_host_change_nothing():
    mesh = mesh_of(10)
    mesh.links.take_changes()
    mesh.behind("h000", {"stranger": LAGS, ORIGIN: LAGS, "": 0.0}, all=True)
    mesh.behind("stranger", {}, all=True)
    assert mesh.links.take_changes() == []
    assert has_routes(mesh)


@pytest.mark.parametrize("hosts", [20, 60, 100])
def test_several_that_take_too_much_to_be_fed_beside_others_end_the_routes(hosts):
    mesh = mesh_of(hosts)
    borne = int(1 + MOST_HEAVY * hosts)
    for name in names(borne):
        blame(mesh, {name: LAGS})
        assert has_routes(mesh)
    blame(mesh, {f"h{borne:03}": LAGS})
    assert not has_routes(mesh)


@pytest.mark.parametrize("hosts", [20, 60, 100])
def test_many_slow_ones_end_the_routes(hosts):
    mesh = mesh_of(hosts)
    borne = int(MOST_SLOW * hosts)
    for name in names(borne):
        blame(mesh, {name: SLOW})
        assert has_routes(mesh)
    blame(mesh, {f"h{borne:03}": SLOW})
    assert not has_routes(mesh)


def test_where_all_children_are_behind_the_one_that_feeds_them_is():
    mesh = mesh_of(30)
    feeder = children(mesh, 0)[ORIGIN][0]
    fed = children(mesh, 0)[feeder]
    assert len(fed) == 2
    feeding = {child for child in fed if any(way[0] == child for way in routes_of(mesh))}
    mesh.behind(feeder, dict.fromkeys(fed, CRAWLS), all=True)
    after = routes_of(mesh)
    assert not [way for way in after if way[0] == feeder]
    assert feeding
    assert {way[0] for way in after} >= feeding, "they feed as before"
    check_trees(mesh, set(names(30)))


def test_where_all_children_of_the_origin_are_behind_it_is_they():
    mesh = mesh_of(30)
    fed = [children(mesh, tree)[ORIGIN][0] for tree in range(TREES)]
    mesh.behind(ORIGIN, dict.fromkeys(fed, CRAWLS), all=True)
    assert not {way[0] for way in routes_of(mesh)} & set(fed)


def test_an_only_child_that_is_behind_is_blamed_itself():
    mesh = mesh_of(30)
    feeder = children(mesh, 0)[ORIGIN][0]
    child = next(c for c in children(mesh, 0)[feeder] if c in children(mesh, 0))
    mesh.behind(feeder, {child: CRAWLS}, all=True)
    feeding = {way[0] for way in routes_of(mesh)}
    assert child not in feeding
    assert feeder in feeding


@pytest.mark.parametrize("hosts", [2, 3, 8])
def test_no_route_goes_where_no_link_can_be(hosts):
    """As in the rest of the mesh: a pair that cannot meet is not joined again."""
    for other in [*names(hosts)[1:], ORIGIN]:
        mesh = mesh_of(hosts)
        mesh.unreachable("h000", other)
        assert pair("h000", other) not in mesh.links


def test_who_is_found_slow_is_not_joined_to_whom_it_cannot_reach():
    for slow in names(20):
        mesh, hosts = mesh_of(20), names(20)
        apart = [pair(slow, other) for other in hosts if other != slow][:12]
        for one, other in apart:
            mesh.unreachable(one, other)
        blame(mesh, {slow: CRAWLS})
        assert not set(apart) & set(mesh.links.pairs())


def test_a_host_that_comes_again_may_be_found_slow_again():
    mesh = mesh_of(30)
    slow = children(mesh, 0)[ORIGIN][0]
    blame(mesh, {slow: CRAWLS})
    mesh.leave(slow)
    mesh.join(slow, "")
    blame(mesh, {slow: CRAWLS})
    assert not [way for way in routes_of(mesh) if way[0] == slow]


def test_slow_hosts_that_have_left_do_not_count():
    mesh = mesh_of(30)
    for name in names(12):
        blame(mesh, {name: CRAWLS})
        mesh.leave(name)
    assert has_routes(mesh)


# -- what the tracker tells of it


def told(effects) -> dict[tuple[str, str], object]:
    """The route that each peer was told of last, by itself and the other."""
    return {(e.peer, e.other): e.edge.route for e in effects if isinstance(e, Introduce)}


def check_mirrored(routes) -> None:
    for (peer, other), route in routes.items():
        back = routes[other, peer]
        assert (route.down, route.up, route.trees) == (back.up, back.down, back.trees)


def test_who_fell_behind_is_told_another_route_and_so_are_those_it_fed():
    tracker = Tracker(Mesh((ORIGIN,), random.Random(0), 500), ORIGIN)
    routes, dialed = {}, {}
    for peer in (ORIGIN, *names(20)):
        effects = tracker.handle(Joined(peer, "", 0), 0.0)
        routes.update(told(effects))
        dialed.update({pair(e.peer, e.other): e.peer for e in effects if e.dial})
    check_mirrored(routes)
    feeder = next(other for (peer, other), r in routes.items() if peer == ORIGIN and r.down)
    fed = {other for (peer, other), r in routes.items() if peer == feeder and r.down}
    assert fed
    effects = tracker.handle(FellBehind(ORIGIN, {feeder: CRAWLS}, False), 1.0)
    news = told(effects)
    check_mirrored(news)
    assert all((feeder, child) in news for child in fed)
    assert all(news[way] != routes.get(way) for way in news), "nothing is said twice"
    for e in effects:
        if pair(e.peer, e.other) in dialed:
            assert e.dial == (dialed[pair(e.peer, e.other)] == e.peer), "who dials stays the same"
    routes.update(news)
    check_mirrored(routes)
    mine = [route for (peer, _), route in routes.items() if peer == feeder]
    assert not any(route.down for route in mine)
    assert sorted(tree for route in mine for tree in route.up) == list(range(TREES))


def test_who_is_of_the_tracker_s_no_members_blames_nobody_to_any_effect():
    tracker = Tracker(Mesh((ORIGIN,), random.Random(0), 500), ORIGIN)
    for peer in (ORIGIN, "a", "b"):
        tracker.handle(Joined(peer, "", 0), 0.0)
    assert tracker.handle(FellBehind("a", {"stranger": 0.0}, True), 1.0) == []
