"""What the tests of the exchange share: swarms by name of topology, and what it means that all went well."""

import random

from tests.swarm.network import ORIGIN, Network

TOPOLOGIES = ["mesh", "tree", "plain tree", "star"]
HEALING = ["mesh", "tree", "plain tree"]


def network(topology: str, chunks: int, **how) -> Network:
    """``topology`` may also be "plain tree"."""
    if topology == "plain tree":
        return Network("tree", chunks, fanout=2, **how)
    return Network(topology, chunks, **how)


def joined(net: Network, hosts: int, *, over: float = 0.0, seed: int = 0) -> Network:
    """``net`` with the origin and so many hosts that arrive at random times within ``over`` seconds."""
    rng = random.Random(seed)
    net.join(ORIGIN)
    for i in range(hosts):
        net.join_at(rng.random() * over, f"h{i:02}")
    return net


def check_all_complete(net: Network, hosts: int) -> None:
    """So many hosts live or were let go, and every one has everything without a fault on the way."""
    assert len(net.served) == hosts + 1
    assert all(h.peer.complete and h.completed_at is not None for h in net.served)
    assert net.dropped == []
    assert net.isolated == []
