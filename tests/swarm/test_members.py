"""The table of peers: whose word counts for what."""

import random

import pytest

from fleetpush.swarm import members
from fleetpush.swarm.rumour import MAX_INCARNATION, Cells, Rumour


def table(limit=10):
    """Of ``me``, who has heard of ``x`` in incarnation 3."""
    found = members.Members("me", Cells(20), limit, random.Random(0))
    found.hear(said("x", 3, has=0b0011), "y", 0.0)
    found.news.clear()
    found.maps.clear()
    return found


def said(peer, incarnation, *, suspect=False, has=0, address="there"):
    return Rumour(peer, address, incarnation, suspect, has)


def test_older_maps_change_nothing_and_newer_ones_are_news():
    known = table()
    known.hear(said("x", 3, has=0b0001), "y", 1.0)
    assert (known.get("x").has, list(known.maps)) == (0b0011, [])
    known.hear(said("x", 3, has=0b0110), "y", 1.0)
    assert (known.get("x").has, list(known.maps)) == (0b0111, ["x"])
    # also from an incarnation that is over
    known.hear(said("x", 1, has=0b1000), "y", 1.0)
    assert (known.get("x").has, known.get("x").incarnation) == (0b1111, 3)


@pytest.mark.parametrize(("incarnation", "state"), [(2, "alive"), (3, "suspect"), (4, "alive")])
def test_a_suspicion_counts_of_the_incarnation_that_was_heard(incarnation, state):
    known = table()
    known.hear(said("x", incarnation, suspect=True), "y", 1.0)
    assert known.get("x").state == state
    assert (list(known.news) == ["x"]) == (state == "suspect")


def test_the_suspect_is_dead_when_it_does_not_answer_and_forgotten_later():
    known = table()
    known.suspect(known.get("x"), 1.0)
    known.expire(1.0 + members.ANSWER_WITHIN - 0.1)
    assert known.get("x").state == members.SUSPECT
    known.expire(1.0 + members.ANSWER_WITHIN)
    assert known.get("x").state == members.DEAD
    known.news.clear()
    known.hear(said("x", 3), "y", 7.0)
    assert known.get("x").state == members.DEAD
    assert list(known.news) == ["x"]  # whoever says so has not heard of it
    known.expire(1.0 + members.ANSWER_WITHIN + members.REMEMBERED)
    assert known.get("x") is None
    known.hear(said("x", 3, suspect=True), "y", 50.0)
    assert known.get("x") is None
    known.check_invariants()


def test_a_later_incarnation_is_an_answer_and_brings_the_address():
    known = table()
    known.suspect(known.get("x"), 1.0)
    known.hear(said("x", 3, address="elsewhere"), "y", 2.0)
    assert (known.get("x").state, known.get("x").address) == (members.SUSPECT, "there")
    known.hear(said("x", 4, address="elsewhere"), "y", 2.0)
    assert (known.get("x").state, known.get("x").address) == (members.ALIVE, "elsewhere")


def test_others_are_not_believed_far_ahead_and_the_peer_itself_is():
    known = table()
    for incarnation in (3 + members.JUMP + 1, MAX_INCARNATION):
        known.hear(said("x", incarnation), "y", 1.0)
        known.hear(said("z", incarnation), "y", 1.0)
        assert known.get("x").incarnation == 3
        assert known.get("z") is None
    known.hear(said("x", 3 + members.JUMP), "y", 1.0)
    assert known.get("x").incarnation == 3 + members.JUMP
    for incarnation in (MAX_INCARNATION, 0):
        known.hear(said("x", incarnation), "x", 1.0)
        assert known.get("x").incarnation == incarnation


def test_nothing_that_others_say_counts_of_a_peer_whose_link_stands_and_it_hears_of_a_suspicion():
    known = table()
    known.get("x").linked = True
    for claim in (said("x", 3, suspect=True, has=0b1100), said("x", 9, address="elsewhere")):
        known.hear(claim, "y", 1.0)
        x = known.get("x")
        assert (x.state, x.has, x.incarnation, x.address) == ("alive", 0b0011, 3, "there")
    assert known.accused == {"x": 3}


@pytest.mark.parametrize(
    ("claim", "mine"),
    [
        (said("me", 0, suspect=True), 1),
        (said("me", 0), 0),
        (said("me", 7), 8),
        (said("me", 7, suspect=True), 8),
        (said("me", MAX_INCARNATION, suspect=True), MAX_INCARNATION),
    ],
)
def test_only_we_say_in_which_incarnation_we_live(claim, mine):
    known = table()
    known.hear(claim, "y", 1.0)
    assert known.incarnation == mine
    assert known.get("me") is None


def test_who_was_never_met_makes_room():
    known = table(limit=3)
    known.get("x").met = True
    for number in range(50):
        known.hear(said(f"n{number}", 0), "y", 1.0)
        known.check_invariants()
    assert len(known) == 3
    assert known.get("x") is not None
    for member in known:
        member.met = True
    before = {member.id for member in known}
    known.hear(said("late", 0), "late", 1.0)
    assert {member.id for member in known} == before


def test_the_runs_word_on_an_address_stands():
    known = table()
    assert known.name("x", "here").address == "here"
    known.hear(said("x", 3, address=":0"), "x", 1.0)
    known.hear(said("x", 4, address="elsewhere"), "y", 1.0)
    assert (known.get("x").address, known.get("x").incarnation) == ("here", 4)
    assert known.get("x").met
