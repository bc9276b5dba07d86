"""Hosts of the run were taken over: the others drop them or work around them, and are done about as soon."""

import pytest

from tests.swarm import network
from tests.swarm.network import ORIGIN
from tests.swarm.rogues import (
    Drip,
    EmptyHaves,
    EmptyOffers,
    Flood,
    Hoarder,
    Hostile,
    LoneDrip,
    Sipper,
    Trickle,
    Waverer,
    WrongBytes,
)

HOSTS, CHUNKS = 12, 120


@pytest.fixture(autouse=True)
def slow_line(monkeypatch):
    """A chunk takes 80 ms: the protocol's own waits weigh what they do in a deploy of some ten seconds."""
    monkeypatch.setattr(network, "BLOCK_TIME", 0.02)


MANY = 300
"""Chunks that have routes, of which the first to join is at the head."""


def makespan(*kinds, honest=HOSTS, seed=3, chunks=CHUNKS) -> tuple[float, Hostile]:
    rogues = {f"rogue{number or ''}": kind for number, kind in enumerate(kinds)}
    net = Hostile(rogues, chunks, seed=seed)
    net.join(ORIGIN)
    for name in rogues:
        net.join(name)
    for number in range(honest):
        net.join(f"h{number:02}")
    net.run(300.0)
    return net.makespan(), net


@pytest.fixture(scope="module")
def undisturbed():
    """Seconds, by the number of chunks."""
    before = network.BLOCK_TIME
    network.BLOCK_TIME = 0.02
    try:
        return {chunks: makespan(chunks=chunks)[0] for chunks in (CHUNKS, MANY)}
    finally:
        network.BLOCK_TIME = before


DROPPED = {
    Flood: "more than an exchange needs",
    WrongBytes: "do not match the manifest",
}


@pytest.mark.parametrize(
    "kind",
    [
        *(EmptyHaves, EmptyOffers, Flood, Hoarder, Waverer, WrongBytes),
        *(Drip, LoneDrip, Trickle, Sipper),
    ],
    ids=lambda k: k.__name__,
)
@pytest.mark.parametrize("chunks", [CHUNKS, MANY], ids=["few", "many"])
def test_the_rest_finish_within_1_3_of_an_undisturbed_run(kind, chunks, undisturbed):
    took, net = makespan(kind, chunks=chunks)
    assert took <= 1.3 * undisturbed[chunks]
    assert {whom for _, whom, _ in net.dropped} <= {"rogue"}, "nobody else is blamed"
    wanted = DROPPED.get(kind)
    if wanted is not None:
        assert any(wanted in why for _, _, why in net.dropped), "and named where it broke a rule"


@pytest.mark.parametrize(
    "kinds",
    [(Flood, LoneDrip, WrongBytes), (Drip, EmptyOffers, WrongBytes), (Drip, Drip, Drip)],
    ids=lambda kinds: "-".join(kind.__name__ for kind in kinds),
)
def test_so_they_do_with_three_of_twelve_taken_over(kinds, undisturbed):
    """Who have everything, by the word of all three, and from whom next to nothing comes."""
    took, net = makespan(*kinds, honest=HOSTS - len(kinds))
    assert took <= 1.3 * undisturbed[CHUNKS]
    blamed = {whom: why for _, whom, why in net.dropped}
    assert all(whom.startswith("rogue") for whom in blamed), "nobody else is blamed"
    for number, kind in enumerate(kinds):
        if kind in DROPPED:
            assert DROPPED[kind] in blamed[f"rogue{number or ''}"]
