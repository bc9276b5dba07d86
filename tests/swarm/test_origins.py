"""Several origins: about one copy leaves all of them together, and the death of one costs nothing."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from fleetpush.swarm import bitfield
from fleetpush.swarm.plan.shares import Shares, deal
from tests.swarm.network import ORIGIN, Network

CHUNKS = 24
EVERY = bitfield.full(CHUNKS)
A, B, C = ORIGIN, ORIGIN + "2", ORIGIN + "3"

HOLDINGS = st.dictionaries(st.sampled_from([A, B, C]), st.integers(0, EVERY), min_size=1)


def swarm(holdings: dict[str, int], hosts: int, *, seed: int = 0) -> Network:
    """Origins with ``holdings`` and so many hosts that arrive within a fifth of a second."""
    net = Network("mesh", CHUNKS, seed=seed, holdings=holdings, check_every=7)
    rng = random.Random(seed)
    for name in holdings:
        net.join(name)
    for i in range(hosts):
        net.join_at(rng.random() / 5, f"h{i:02}")
    return net


def check_complete(net: Network, hosts: int) -> None:
    done = [h for h in net.served if not h.name.startswith(ORIGIN)]
    assert len(done) == hosts
    assert all(host.peer.complete for host in done)
    assert (net.dropped, net.isolated) == ([], [])


@given(HOLDINGS, st.integers(0, EVERY))
def test_every_chunk_is_dealt_to_one_of_its_holders(holdings, chunks):
    shares = deal(holdings, chunks)
    dealt = 0
    for name, share in shares.items():
        assert share & holdings[name] == share
        assert not share & dealt
        dealt |= share
    held = 0
    for mask in holdings.values():
        held |= mask
    assert dealt == chunks & held


@given(st.integers(1, 10), st.integers(0, 200))
def test_replicas_get_equal_runs(count, chunks):
    shares = deal({f"o{i}": bitfield.full(chunks) for i in range(count)}, bitfield.full(chunks))
    sizes = [bitfield.count(share) for share in shares.values()]
    assert max(sizes) - min(sizes) <= 1
    for share in shares.values():
        held = list(bitfield.chunks(share))
        assert not held or held == list(range(held[0], held[-1] + 1))


@given(HOLDINGS, st.data())
def test_what_is_left_behind_is_taken_over_by_whoever_holds_it(holdings, data):
    shares = Shares(holdings)
    for name in data.draw(st.permutations(list(holdings))):
        before = shares.of(name)
        taken = shares.leave(name)
        assert shares.leave(name) == {}
        over = 0
        for other, mask in taken.items():
            assert mask & ~shares.holds(other) == 0
            assert mask & ~shares.of(other) == 0
            over |= mask
        assert over == before & shares.held_by(shares.origins)


def test_replicas_send_one_copy_between_them_and_each_its_part():
    net = swarm({A: EVERY, B: EVERY, C: EVERY}, 12)
    net.run()
    check_complete(net, 12)
    assert net.copies() < 1.1
    sent = [net.hosts[name].sent / net.manifest.size for name in (A, B, C)]
    assert min(sent) > 0.25


@given(st.integers(0, 2**20), st.integers(1, 8))
@settings(max_examples=12, deadline=None)
def test_shards_make_a_whole(seed, hosts):
    first = random.Random(seed).getrandbits(CHUNKS)
    net = swarm({A: first, B: EVERY & ~first}, hosts, seed=seed)
    net.run()
    check_complete(net, hosts)
    assert net.copies() < 1.3
    assert all(net.hosts[name].peer.have in (first, EVERY & ~first) for name in (A, B))


@given(st.integers(0, 2**20), st.floats(0.0, 0.15), st.booleans())
@settings(max_examples=12, deadline=None)
def test_an_origin_that_dies_costs_nothing_that_another_holds(seed, when, both):
    """Two replicas, or two shards of which each has a replica."""
    half = bitfield.full(CHUNKS // 2)
    holdings = {A: EVERY, B: EVERY} if both else {A: half, B: half, C: EVERY & ~half}
    net = swarm(holdings, 8, seed=seed)
    net.at(0.2 + when, net.die, A)
    net.run()
    check_complete(net, 8)
    assert net.copies() < 2.0


def test_a_slow_origin_holds_nobody_up_where_a_fast_one_has_the_same():
    """Alone the slow one would take forty times as long as the fast one for its half."""
    chunks = 400
    every = bitfield.full(chunks)
    net = Network("mesh", chunks, holdings={A: every, B: every}, check_every=997)
    for name in (A, B, *(f"h{i}" for i in range(6))):
        net.join(name)
    net.hosts[A].slowness = 40.0
    net.run(60)
    check_complete(net, 6)
    assert net.hosts[A].sent < net.manifest.size / 4
    assert net.copies() < 1.15


def test_a_chunk_that_every_host_may_still_get_from_a_peer_outlives_its_origins():
    net = swarm({A: EVERY, B: EVERY}, 6)

    def kill_once_it_is_out() -> None:
        out = 0
        for host in net.living:
            out |= 0 if host.name.startswith(ORIGIN) else host.peer.have
        for name in (A, B) if out == EVERY else ():
            net.die(name)
        if out != EVERY:
            net.at(net.now + 0.002, kill_once_it_is_out)

    net.at(0.0, kill_once_it_is_out)
    net.run()
    check_complete(net, 6)
    assert not net.hosts[A].alive


def test_hosts_that_one_shard_cannot_reach_get_it_from_their_peers():
    half = bitfield.full(CHUNKS // 2)
    net = Network("mesh", CHUNKS, holdings={A: half, B: EVERY & ~half})
    near, far = [f"a{i}" for i in range(4)], [f"b{i}" for i in range(4)]
    for host in far:
        net.blocked |= {(A, host), (host, A)}
    for name in (A, B, *near, *far):
        net.join(name)
    net.run()
    check_complete(net, 8)


def test_an_island_that_some_content_never_reaches_is_named():
    half = bitfield.full(CHUNKS // 2)
    net = Network("mesh", CHUNKS, holdings={A: half, B: EVERY & ~half})
    near, far = [f"a{i}" for i in range(3)], [f"b{i}" for i in range(3)]
    for host in far:
        for other in (A, *near):
            net.blocked |= {(other, host), (host, other)}
    for name in (A, B, *near, *far):
        net.join(name)
    net.run()
    assert sorted(net.isolated) == far
    assert all(net.hosts[name].peer.complete for name in near)
