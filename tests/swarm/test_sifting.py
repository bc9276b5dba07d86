"""What of a chunk a host has from before is not sent: it asks for leaves, and then for what is left."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetpush.swarm import wire
from fleetpush.swarm.events import (
    Completed,
    DropPeer,
    LeavesStored,
    LinkDown,
    SendLeaves,
    StartSend,
    TimerFired,
)
from fleetpush.swarm.peer import Peer
from fleetpush.swarm.picker import Rarest
from tests.swarm.parts import ORIGIN, RUN
from tests.swarm.swarms import HEALING, check_all_complete, network
from tests.swarm.test_peer_faults import MANIFEST, Desk, drops, sends


class Sifting(Desk):
    """Its host has old content: ``here[c]`` are the blocks of chunk ``c`` that it turns out to be."""

    def __init__(self, here: dict[int, int], have: int = 0) -> None:
        super().__init__(have)
        self.here = here
        self.unknown = set(here)
        self.peer = Peer(
            MANIFEST,
            RUN,
            Rarest(),
            random.Random(1),
            have=have,
            progress=self.blocks.__getitem__,
            sifts=self.unknown.__contains__,
            skips=self.skips,
        )

    def skips(self, chunk: int) -> int:
        if chunk in self.unknown:
            return 0
        return self.here.get(chunk, 0) >> self.blocks[chunk] << self.blocks[chunk]

    def leaves(self, peer: str, chunk: int) -> list:
        """The leaves of ``chunk`` arrive from ``peer``."""
        assert self.peer.asked(peer, chunk)
        self.unknown.discard(chunk)
        self.step_over(chunk)
        return self.feed(LeavesStored(peer, chunk, self.blocks[chunk] == 4))

    def step_over(self, chunk: int) -> None:
        while self.here.get(chunk, 0) >> self.blocks[chunk] & 1:
            self.blocks[chunk] += 1


def test_only_what_is_not_here_is_accepted():
    desk = Sifting({0: 0b1011})
    desk.meet("a", 0b1)
    assert sends(desk.say("a", wire.Offer(0, 4))) == [wire.Ask(0)]
    assert sends(desk.leaves("a", 0)) == [wire.Accept(0, 2, 0b1000)]
    assert desk.peer.expects("a", 0)
    assert sends(desk.say("a", wire.Offer(1, 4))) == [wire.Accept(1, 0)]


def test_what_is_all_here_is_told_and_nothing_is_accepted():
    desk = Sifting({0: 0b1111}, have=0b1110)
    desk.meet("a", 0b1)
    desk.say("a", wire.Offer(0, 4))
    effects = desk.leaves("a", 0)
    assert sends(effects) == [wire.Have((0,))]
    assert Completed() in effects
    assert not desk.peer.expects("a", 0)


def test_who_offers_no_more_than_is_here_is_told_so():
    desk = Sifting({0: 0b0111})
    desk.meet("a")
    desk.meet("b", 0b1)
    assert sends(desk.say("a", wire.Offer(0, 2))) == [wire.Ask(0)]
    assert sends(desk.leaves("a", 0)) == [wire.Decline(0, wire.INFLIGHT)]
    assert not desk.peer.expects("a", 0)
    assert sends(desk.say("b", wire.Offer(0, 4))) == [wire.Accept(0, 3)]


def test_leaves_that_never_come_are_asked_of_another():
    desk = Sifting({0: 0b1011}, have=0b1110)
    desk.meet("a", 0b1)
    desk.meet("b", 0b1)
    desk.say("a", wire.Offer(0, 4))
    asked = []
    for _ in range(10):
        desk.now = desk.peer.wakeup or desk.now
        asked += sends(desk.feed(TimerFired()), "b")
    assert wire.Ask(0) in asked
    assert sends(desk.leaves("b", 0)) == [wire.Want(0, 2, 0b1000)]
    assert sends(desk.leaves("a", 0)) == [wire.Accept(0, 2, 0b1000)]


@pytest.mark.parametrize("gone", [LinkDown("a"), wire.Stop(0)], ids=lambda g: type(g).__name__)
def test_who_was_asked_and_is_gone_owes_nothing(gone):
    desk = Sifting({0: 0b1011})
    desk.meet("a", 0b1)
    desk.say("a", wire.Offer(0, 4))
    desk.feed(gone) if isinstance(gone, LinkDown) else desk.say("a", gone)
    assert not desk.peer.asked("a", 0)
    assert not desk.peer.expects("a", 0)
    assert desk.feed(LeavesStored("a", 0, False)) == []


def test_who_asks_gets_leaves_and_then_what_it_accepts():
    desk = Desk(have=0b1)
    desk.meet("a")
    assert desk.say("a", wire.Ask(0)) == [SendLeaves("a", 0)]
    assert desk.peer.state.neighbours["a"].busy == 1, "it holds the slot"
    assert StartSend("a", 0, 1, 0b1000) in desk.say("a", wire.Accept(0, 1, 0b1000))


def test_leaves_of_what_is_not_here_are_not_sent():
    desk = Desk(have=0b1)
    desk.meet("a")
    assert sends(desk.say("a", wire.Ask(1))) == [wire.Stop(1)]


@pytest.mark.parametrize("skip", [0b10000, 0b1110, 0b1111])
def test_a_skip_that_cannot_be_drops_the_peer(skip):
    desk = Desk(have=0b1)
    desk.meet("a")
    effects = desk.say("a", wire.Want(0, 1, skip))
    assert drops(effects) == ["a"]
    assert any(isinstance(e, DropPeer) for e in effects)


@pytest.mark.parametrize("topology", HEALING)
@given(st.data(), st.integers(1, 10), st.integers(1, 16))
@settings(max_examples=15, deadline=None)
def test_whoever_holds_what_of_old_content_all_complete_and_none_of_it_moves(
    topology, data, hosts, chunks
):
    net = network(topology, chunks, seed=data.draw(st.integers(0, 99)))
    blocks = st.integers(0, 2**4 - 1)
    olds = {}
    net.join(ORIGIN)
    for i in range(hosts):
        held = data.draw(st.dictionaries(st.integers(0, chunks - 1), blocks, max_size=chunks))
        olds[f"h{i}"] = {c: mask & (1 << net.manifest.blocks_in(c)) - 1 for c, mask in held.items()}
        net.join_at(data.draw(st.floats(0, 0.3)), f"h{i}", old=olds[f"h{i}"])
    for _ in range(data.draw(st.integers(0, 4))):
        pair = data.draw(st.lists(st.sampled_from([ORIGIN, *olds]), min_size=2, max_size=2))
        net.at(data.draw(st.floats(0, 0.5)), net.cut, *pair)
    net.run()
    check_all_complete(net, hosts)
    for name, old in olds.items():
        came = net.hosts[name].received
        assert not [(c, b) for c, b in came if old.get(c, 0) >> b & 1]


@given(st.data(), st.integers(3, 10))
@settings(max_examples=15, deadline=None)
def test_the_living_complete_though_some_die_while_they_sift(data, hosts):
    net = network("mesh", 12, seed=data.draw(st.integers(0, 99)))
    net.join(ORIGIN)
    names = [f"h{i}" for i in range(hosts)]
    for name in names:
        old = {c: data.draw(st.integers(0, 7)) for c in range(12)}
        net.join_at(data.draw(st.floats(0, 0.2)), name, old=old)
    dying = data.draw(st.sets(st.sampled_from(names), max_size=hosts - 1))
    for name in dying:
        net.at(data.draw(st.floats(0.2, 0.5)), net.die, name)
    net.run()
    assert all(h.peer.complete for h in net.living)
    assert net.dropped == []
