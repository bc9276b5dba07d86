"""Gossip that is more than anybody has to say is not listened to; what honest peers say always is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetpush.errors import RemoteProtocolError
from fleetpush.swarm import gossip, rumour
from fleetpush.swarm.allowance import BURST, PER_S, Allowance
from tests.swarm.talk import Talk

CELLS = rumour.Cells(20)


def least_left(talk, honest):
    """How near the worst of those peers came to its end with any neighbour."""
    return min(
        talk.peers[one]._allowance.left(other, talk.now)
        for one in honest
        for other in talk.peers
        if one != other
    )


troubles = st.fixed_dictionaries(
    {
        "hosts": st.integers(1, 8),
        "seed": st.integers(0, 10_000),
        "delay": st.sampled_from([0.0, 0.5, 12.0]),
        "twice": st.sampled_from([0.0, 0.3]),
        "stall": st.sampled_from([1.0, 14.0, 60.0]),
    }
)


@given(troubles)
@settings(max_examples=6, deadline=None)
def test_honest_peers_are_heard_whatever_stands_still_and_comes_late(trouble):
    stall = trouble.pop("stall")
    talk = Talk(**trouble)
    worst = BURST
    for name in talk.living:
        for _ in range(3):
            talk.at(50 * talk.rng.random(), talk.stall, name, stall * talk.rng.random())
    for _ in range(120):
        talk.run(0.5)
        worst = min(worst, least_left(talk, talk.living))
    assert talk.dropped == []
    assert worst > BURST / 4


def test_the_allowance_comes_back_with_time_and_is_each_peers_own():
    allowed = Allowance()
    for _ in range(BURST):
        allowed.spend("a", 1.0)
    with pytest.raises(RemoteProtocolError, match="floods"):
        allowed.spend("a", 1.0)
    allowed.spend("b", 1.0)
    for _ in range(PER_S):
        allowed.spend("a", 2.0)
    with pytest.raises(RemoteProtocolError, match="floods"):
        allowed.spend("a", 2.0)
    assert allowed.left("a", 1e6) == BURST


def test_more_rumours_than_a_message_has_are_a_breach():
    one = rumour.packed(rumour.Rumour("h", "h:1", 0, suspect=False, has=0), CELLS)
    rumour.unpacked(rumour.message([one] * rumour.MAX_RUMOURS), CELLS)
    with pytest.raises(RemoteProtocolError, match="more rumours"):
        rumour.unpacked(rumour.message([one] * (rumour.MAX_RUMOURS + 1)), CELLS)


# -- floods

ROGUE = "h3"
SECONDS = 20.0


class Heavy(Talk):
    """Nine hosts, of which one says ``told(self, turn)`` so many times to each neighbour every 0.1 s."""

    def __init__(self, each: int = 0, told=None) -> None:
        super().__init__(9, seed=5)
        self._each, self._told = each, told
        self.heard = 0
        """Messages of the rogue that came to honest peers' ears."""
        self.run(3.0)
        self.said.clear()
        if told is not None:
            self.at(0.0, self._turn, 0)

    def _turn(self, number: int) -> None:
        payload = self._told(self, number)
        for other in self.neighbours(ROGUE):
            for _ in range(self._each):
                self.say(ROGUE, other, payload)
        self.at(0.1, self._turn, number + 1)

    def _arrive(self, name, event):
        self.heard += event.peer == ROGUE and (name, ROGUE) in self.links
        super()._arrive(name, event)

    def busiest(self) -> int:
        """Messages of the honest peer that says most."""
        honest = [name for name in self.living if name != ROGUE]
        return max(sum(n for (one, _), n in self.said.items() if one == o) for o in honest)

    def check_the_others(self):
        """They are one swarm as before, with a table that holds who is there."""
        others = {name for name in self.living if name != ROGUE}
        assert {whom for _, whom in self.dropped} <= {ROGUE}
        for name in others:
            assert len(set(self.neighbours(name)) & others) >= len(others) - 2
            assert len(self.peers[name].members) <= 10


def valid(talk, number):
    """What an honest peer could have said."""
    return rumour.message([rumour.packed(rumour.Rumour(ROGUE, f"{ROGUE}:1", 0, False, 1), CELLS)])


def invented(talk, number):
    """Peers that nobody has."""
    told = [rumour.Rumour(f"g{number}-{i}", "nowhere", 0, False, 1) for i in range(32)]
    return rumour.message([rumour.packed(one, CELLS) for one in told])


def asking(talk, number):
    return rumour.message([], rumour.Mood(asking=True))


def accusing(talk, number):
    """Everybody, of being dead: who is linked to them must tell them."""
    told = [
        rumour.Rumour(f"h{i}", f"h{i}:1", talk.peers[f"h{i}"].members.incarnation, True, 0)
        for i in range(9)
        if f"h{i}" != ROGUE
    ]
    return rumour.message([rumour.packed(one, CELLS) for one in told])


@pytest.fixture(scope="module")
def calm():
    talk = Heavy()
    talk.run(SECONDS)
    return talk.busiest()


@pytest.mark.parametrize("told", [valid, invented, asking, accusing], ids=lambda f: f.__name__)
def test_who_floods_is_heard_no_more_than_so_often_and_then_dropped(told, calm):
    talk = Heavy(100, told)
    talk.run(SECONDS)
    others = [name for name in talk.living if name != ROGUE]
    assert set(talk.dropped) == {(name, ROGUE) for name in others}, "by all, once each"
    assert len(talk.dropped) == len(others)
    # and each listened to little more than the burst: the flood was over within a second
    assert talk.heard <= len(others) * (BURST + 3 * PER_S)
    assert talk.neighbours(ROGUE) == []
    talk.check_the_others()
    assert talk.busiest() <= 1.3 * calm


@pytest.mark.parametrize("told", [valid, invented, asking, accusing], ids=lambda f: f.__name__)
def test_who_stays_just_below_that_costs_a_bounded_share(told, calm):
    """What it is answered, and what others say because of it, is one message a period and link at most."""
    talk = Heavy(1, told)
    talk.run(SECONDS)
    assert talk.dropped == []
    assert talk.heard > SECONDS * PER_S / 2
    talk.check_the_others()
    if told is accusing:  # each accused neighbour is told, once a period
        assert talk.busiest() <= calm + 9 * SECONDS / (0.9 * gossip.PERIOD)
    else:
        assert talk.busiest() <= calm + SECONDS / (0.9 * gossip.PERIOD)


def test_a_new_link_is_no_new_allowance():
    talk = Heavy()
    for _ in range(40):
        for other in talk.neighbours(ROGUE):
            for _ in range(100):
                talk.say(ROGUE, other, valid(talk, 0))
        talk.run(0.1)
        for other in talk.neighbours(ROGUE):
            talk._sever(ROGUE, other)
        talk.run(0.4)
    assert {whom for _, whom in talk.dropped} == {ROGUE}
    assert talk.neighbours(ROGUE) == []
    talk.check_the_others()
