"""Peers without a tracker: tables converge whatever happens on the way, and nobody can speak for another."""

import random
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fleetpush.swarm import choosing, events, gossip, members, rumour, seat, wire
from fleetpush.swarm.events import Edge
from fleetpush.swarm.plan.contacts import CONTACTS, ORIGIN_CONTACTS, Contacts
from tests.swarm.talk import ORIGIN, Talk

NOTICED = 1.5 + members.ANSWER_WITHIN
"""Seconds: a link is dialled again in vain, and the suspect does not answer."""

troubles = st.fixed_dictionaries(
    {
        "loss": st.sampled_from([0.0, 0.05, 0.4]),
        "twice": st.sampled_from([0.0, 0.3]),
        "delay": st.sampled_from([0.0, 0.5]),
        "seed": st.integers(0, 10_000),
    }
)


@given(st.integers(2, 12), st.floats(0, 0.34), troubles)
@example(9, 0.0, {"loss": 0.4, "twice": 0.3, "delay": 0.0, "seed": 1762})
@settings(max_examples=8, deadline=None)
def test_tables_converge_under_loss_reordering_duplication_and_deaths(hosts, deaths, trouble):
    talk = Talk(hosts, **trouble)
    talk.run(4)
    doomed = talk.rng.sample(talk.living[1:], int(deaths * hosts))
    for name in doomed:
        talk.at(2 * talk.rng.random(), talk.die, name)
    for name in talk.living[1:]:
        for _ in range(10):
            talk.at(4 * talk.rng.random(), talk.gain, name)
    talk.run(4 + NOTICED + 20)
    assert talk.unlike() == []
    assert talk.believed() == []
    assert talk.dropped == []
    # and forgotten everywhere, so that a table holds no more than who is there
    talk.run(members.REMEMBERED + 20)
    assert talk.unlike() == []
    assert {len(talk.peers[name].members) for name in talk.living} == {len(talk.living) - 1}


def test_four_contacts_are_enough_to_be_linked_to_many_and_the_swarm_is_one_piece():
    talk = Talk(60, seed=3)
    talk.run(10)
    assert talk.unlike() == []
    for name in talk.living:
        low = choosing.LINKS if name == ORIGIN else talk.peers[name]._choice.links - 2
        assert low <= len(talk.neighbours(name)) <= choosing.VIEW
    reached, fresh = {ORIGIN}, [ORIGIN]
    while fresh:
        fresh = [o for name in fresh for o in talk.neighbours(name) if o not in reached]
        reached |= set(fresh)
    assert reached == set(talk.living)


def test_the_view_is_reshuffled_while_something_is_missing_and_at_rest_afterwards():
    talk = Talk(40, seed=4)
    talk.run(10)
    views = []
    for _ in range(3):
        views.append(talk.neighbours("h7"))
        talk.run(2 * gossip.RESHUFFLE)
    assert all(one != other for one, other in pairwise(views))
    for store in talk.stores.values():
        store.have = (1 << talk.chunks) - 1
    talk.run(gossip.RESHUFFLE)
    view = talk.neighbours("h7")
    talk.run(2 * gossip.RESHUFFLE)
    assert talk.neighbours("h7") == view


def test_a_frozen_peer_is_suspected_by_those_who_hear_nothing_and_comes_back_when_it_thaws():
    talk = Talk(8, seed=5)
    talk.run(3)
    thawed = talk.peers["h2"]
    frozen = talk.peers["h2"] = Frozen()
    talk.run(gossip.SILENCE + NOTICED + 3)
    for name in talk.living:
        if name != "h2":
            assert talk.peers[name].members.get("h2").state == members.DEAD
    talk.peers["h2"] = thawed
    for event in frozen.waiting:
        talk.feed("h2", event)
    talk.run(5)
    assert talk.unlike() == []


class Frozen:
    """It takes everything and says nothing."""

    def __init__(self):
        self.wakeup = 0.0
        self.waiting = []

    def handle(self, event, now):
        self.wakeup = now + 0.1
        if isinstance(event, events.LinkDown):
            self.waiting.append(event)
        return []

    def admitted(self, peer):
        return False

    def check_invariants(self):
        """It has no state."""


# -- messages

CELLS = rumour.Cells(20)
RUMOURS = st.builds(
    rumour.Rumour,
    st.text(min_size=1, max_size=40),
    st.text(max_size=40),
    st.integers(0, rumour.MAX_INCARNATION),
    st.booleans(),
    st.integers(0, 2**20 - 1),
)


@given(st.lists(RUMOURS, max_size=30), st.builds(rumour.Mood, *[st.booleans()] * 3))
@settings(max_examples=40, deadline=None)
def test_a_message_comes_out_as_it_went_in(said, mood):
    payload = rumour.message([rumour.packed(one, CELLS) for one in said], mood)
    assert len(payload) <= wire.MAX_GOSSIP
    assert rumour.unpacked(payload, CELLS) == (mood, said)


def test_what_does_not_fit_a_message_is_left_for_another():
    one = rumour.packed(rumour.Rumour("h" * 255, "a" * 255, 0, False, 0), CELLS)
    payload = rumour.message([one] * 100)
    assert wire.MAX_GOSSIP - len(one) < len(payload) <= wire.MAX_GOSSIP


@pytest.mark.parametrize("name", ["", "h" * 256])
def test_a_name_that_no_rumour_can_carry_is_refused(name):
    with pytest.raises(ValueError, match="1 to 255"):
        rumour.packed(rumour.Rumour(name, "a", 0, False, 0), CELLS)


def test_a_cell_counts_when_all_its_chunks_are_there():
    cells = rumour.Cells(5000)
    assert (cells.width, cells.count, cells.size) == (3, 1667, 209)
    assert cells.of(0b11_111) == 0b1
    assert cells.of((1 << 5000) - 1) == (1 << 1667) - 1
    assert cells.of(0b11 << 4998) == 1 << 1666
    assert rumour.Cells(20).of(0b101) == 0b101


# -- hostile ones


def linked_pair():
    """A peer, as the others see it, and its link to ``liar``."""
    talk = Talk(2)
    talk.run(1)
    assert "h1" in talk.neighbours("h0")
    return talk


@given(st.binary(max_size=200) | st.lists(RUMOURS, min_size=1, max_size=3), st.integers(0, 60))
@settings(max_examples=40, deadline=None)
def test_a_message_that_makes_no_sense_drops_its_sender_and_changes_nothing(said, cut):
    if isinstance(said, list):
        payload = rumour.message([rumour.packed(one, CELLS) for one in said])
        payload = payload[: max(2, len(payload) - cut)]
    else:
        payload = said
    talk = linked_pair()
    before = [(m.id, m.state, m.has) for m in talk.peers["h0"].members]
    try:
        rumour.unpacked(payload, CELLS)
    except wire.RemoteProtocolError:
        talk.say("h1", "h0", payload)
        talk.run(1)
        assert talk.dropped == [("h0", "h1")]
        assert "h1" not in talk.neighbours("h0")
        assert not talk.peers["h0"].admitted("h1")
        assert [(m.id, m.state, m.has) for m in talk.peers["h0"].members] == before


@pytest.mark.parametrize("mask", [1 << 20, 1 << 23])
def test_chunks_that_do_not_exist_drop_whoever_names_them(mask):
    talk = linked_pair()
    one = rumour.packed(rumour.Rumour("h1", "h1:1", 0, False, 0), CELLS)
    talk.say("h1", "h0", b"\0" + one[:-3] + mask.to_bytes(3, "little"))
    talk.run(1)
    assert talk.dropped == [("h0", "h1")]


@given(st.integers(0, 10_000), st.sampled_from([0, 1, 63, 65, 2**31, rumour.MAX_INCARNATION]))
@settings(max_examples=8, deadline=None)
def test_a_liar_parts_no_honest_peers_and_is_corrected_when_it_is_gone(seed, ahead):
    talk = Talk(8, seed=seed)
    talk.run(3)
    liar, honest = "h3", [name for name in talk.living if name != "h3"]
    linked = {link for link in talk.links if liar not in link}
    for _ in range(20):
        for other in honest:
            known = talk.peers[liar].members.get(other)
            told = [
                rumour.packed(rumour.Rumour(o, "nowhere", known.incarnation + a, s, 0), CELLS)
                for o in (other, *honest)
                for a, s in ((0, True), (ahead, False), (ahead, True))
                if known.incarnation + a <= rumour.MAX_INCARNATION
            ]
            talk.say(liar, other, rumour.message(told))
        talk.run(0.2)
    # Reshuffling apart, which a swarm of this size has no room for, links stand.
    assert linked <= talk.links
    assert all(liar in dropped for dropped in talk.dropped)
    talk.die(liar)
    talk.run(NOTICED + 20)
    assert talk.unlike() == []


def test_invented_peers_take_no_room_from_those_that_are_there():
    talk = Talk(10, seed=6)
    talk.run(2)
    for number in range(200):
        told = [
            rumour.packed(
                rumour.Rumour(f"ghost{number}-{i}", "nowhere", 0, False, 2**20 - 1), CELLS
            )
            for i in range(30)
        ]
        for other in talk.neighbours("h4"):
            talk.say("h4", other, rumour.message(told))
        talk.run(0.05)
    for name in talk.living:
        assert len(talk.peers[name].members) <= 11
        assert len(talk.neighbours(name)) >= 8
    talk.die("h4")
    talk.run(NOTICED + members.REMEMBERED + 40)
    assert talk.unlike() == []
    assert talk.believed() == []


def test_what_is_no_news_any_more_is_told_again():
    talk = linked_pair()
    talk.run(10)
    peer = talk.peers["h0"]
    assert not peer.members.news
    told = [e for e in peer.handle(events.TimerFired(), talk.now) if e.peer == "h1"]
    _, said = rumour.unpacked(told[0].frame.payload, CELLS)
    assert {one.peer for one in said} == {"h0", ORIGIN}


def test_a_message_over_no_link_is_not_listened_to():
    talk = linked_pair()
    peer = talk.peers["h0"]
    one = rumour.packed(rumour.Rumour("h9", "h9:1", 0, False, 0), CELLS)
    frame = wire.Gossip(rumour.message([one]))
    assert peer.handle(events.FrameReceived("h7", frame), talk.now) == []
    assert peer.members.get("h9") is None
    assert not peer.admitted("h9")


# -- contacts


def test_everybody_is_given_four_that_came_before_and_sixteen_the_origin():
    contacts = Contacts(ORIGIN, random.Random(1))
    given_to = {f"h{i}": contacts.join(f"h{i}") for i in range(200)}
    assert given_to["h0"] == [ORIGIN]
    assert all(len(set(named)) == len(named) <= CONTACTS for named in given_to.values())
    assert all(len(given_to[f"h{i}"]) == CONTACTS for i in range(4, 200))
    assert sum(ORIGIN in named for named in given_to.values()) == ORIGIN_CONTACTS
    came = {ORIGIN}
    for name, named in given_to.items():
        assert set(named) <= came
        came.add(name)
    contacts.leave("h5")
    assert all("h5" not in contacts.join(f"n{i}") for i in range(100))


# -- racks


def test_where_there_are_racks_most_links_stay_inside_and_what_crosses_is_shared_out():
    talk = Talk(60, seed=7, racks=3)
    talk.run(12)
    assert talk.unlike() == []
    between = within = 0
    for name in talk.living[1:]:
        crossing = 0
        for other in talk.neighbours(name):
            its, flow = talk.seat(other), talk.flows.get((name, other), Edge())
            if other == ORIGIN:
                assert flow == Edge(local=False)
            elif its.rack == talk.seat(name).rack:
                within += 1
                assert flow == Edge()
            else:
                crossing += 1
                share = seat.share(its.place, its.of)
                assert flow == Edge(share, seat.CLASSES, local=False, imports=True)
        assert crossing
        between += crossing
    assert between < within


def test_a_rack_that_nobody_feeds_takes_everything_from_any_other():
    talk = Talk(12, seed=8, racks=2)
    for number in range(0, 12, 2):  # those of one rack have nothing for each other
        talk.stores[f"h{number}"].useful = lambda peer: talk.seat(peer).rack != 1
    talk.run(gossip.HUNGRY_AFTER + 8)
    open_to: dict[int, set[bool]] = {1: set(), 2: set()}
    for name, other in talk.links:
        one, its = talk.seat(name).rack, talk.seat(other).rack
        if one and its and one != its:
            everything = Edge(local=False, imports=True)
            open_to[its].add(talk.flows[name, other] == everything)
    assert open_to == {1: {True}, 2: {False}}
