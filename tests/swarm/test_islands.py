"""Hosts that have no way to each other: the origin serves each such island, as fast as it can."""

import pytest

from tests.swarm.network import BLOCK_TIME, ORIGIN
from tests.swarm.swarms import check_all_complete, joined, network

CHUNKS = 60
COPY = CHUNKS * 4 * BLOCK_TIME
"""Seconds that one copy takes to leave the origin."""

FINDING_OUT = 5.0
"""Seconds in which hosts notice that nobody else serves them."""


def apart(net, *groups):
    """Nobody of one group can dial anybody of another."""
    for group in groups:
        for other in groups:
            if group is not other:
                net.blocked |= {(a, b) for a in group for b in other}


def names(first, last):
    return [f"h{i:02}" for i in range(first, last)]


@pytest.mark.parametrize("topology", ["mesh", "tree"])
def test_hosts_without_any_link_between_them(topology):
    net = network(topology, CHUNKS, check_every=11)
    apart(net, *([name] for name in names(0, 6)))
    joined(net, 6).run()
    check_all_complete(net, 6)
    assert net.copies() == pytest.approx(6, rel=0.1)
    assert max(h.completed_at for h in net.living) < 6 * COPY + FINDING_OUT


@pytest.mark.parametrize("topology", ["mesh", "tree"])
def test_two_groups_cost_little_more_than_two_copies(topology):
    net = network(topology, CHUNKS, check_every=11)
    apart(net, names(0, 6), names(6, 12))
    joined(net, 12).run()
    check_all_complete(net, 12)
    assert net.copies() < 3
    assert max(h.completed_at for h in net.living) < 3 * COPY + FINDING_OUT


def test_an_island_that_the_origin_was_never_joined_to():
    net = network("mesh", CHUNKS, check_every=101)
    apart(net, names(0, 30), names(30, 36))
    joined(net, 36).run()
    check_all_complete(net, 36)
    assert net.copies() < 4


def test_an_island_that_only_ssh_reaches():
    net = network("mesh", CHUNKS, check_every=101)
    apart(net, [ORIGIN, *names(0, 30)], names(30, 36))
    joined(net, 36).run()
    check_all_complete(net, 36)
