"""Nodes that find each other over real sockets."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from fleetpush.net.talker import Talker, place
from fleetpush.swarm import allowance, choosing, gossip, members, rumour, wire

if TYPE_CHECKING:
    from tests.net.nodes import Member, Rig


def talks(rig: Rig, name: str, *, seed: bool = False, **options: object) -> Member:
    """A member that gossips; the seed is the run's origin."""
    member = rig.member(name, seed=seed, **options)
    core = gossip.Gossip(
        name,
        "{}:{}".format(*member.address),
        member.peer,
        random.Random(name),
        origin="seed",
        chunks=rig.manifest.chunks,
        peers=10,
    )
    member.node.talker = Talker(rig.loop, member.node, core)
    member.core = core
    return member


def meet(one: Member, other: Member) -> None:
    """``one`` is told to dial ``other``, which is told to expect it."""
    other.node.talker.meet(one.name, "{}:{}".format(*one.address), dial=False)
    one.node.talker.meet(other.name, "{}:{}".format(*other.address), dial=True)


@pytest.mark.parametrize("encrypt", [True, False])
def test_hosts_with_one_contact_each_find_each_other_and_get_the_content(rig, encrypt):
    everyone = [talks(rig, "seed", seed=True, encrypt=encrypt)]
    for number in range(5):
        host = talks(rig, f"h{number}", encrypt=encrypt)
        meet(host, everyone[-1])
        everyone.append(host)
    rig.until(lambda: all(m.peer.complete for m in everyone))
    assert all(m.store.data == rig.data for m in everyone)
    rig.until(lambda: all(len(m.core.members) == 5 for m in everyone))
    rig.until(lambda: all(len(m.core.links) >= choosing.FEW_LINKS for m in everyone[1:]))
    assert all(m.completions == 1 for m in everyone[1:])
    for member in everyone:
        member.core.check_invariants()
        assert member.dropped == member.failed == member.errors == []


def test_who_is_not_known_waits_and_is_let_in_when_it_is_heard_of(rig):
    seed, host, late = talks(rig, "seed", seed=True), talks(rig, "host"), talks(rig, "late")
    meet(host, seed)
    rig.until(lambda: host.linked(seed))
    late.node.talker.meet("host", "{}:{}".format(*host.address), dial=True)
    rig.until(lambda: "late" in host.node.edges.waiting)
    assert not host.linked(late)
    said = rumour.Rumour("late", "{}:{}".format(*late.address), 0, suspect=False, has=0)
    payload = rumour.message([rumour.packed(said, seed.core.cells)])
    seed.node.send("host", wire.Gossip(payload))
    rig.until(lambda: host.linked(late) and late.peer.complete)
    assert host.node.edges.waiting == {}


def test_a_message_that_makes_no_sense_ends_the_link_for_good(rig):
    seed, host = talks(rig, "seed", seed=True), talks(rig, "host")
    meet(host, seed)
    rig.until(lambda: host.peer.complete)
    host.node.send("seed", wire.Gossip(b"\0nonsense"))
    rig.until(lambda: seed.dropped)
    assert seed.dropped[0][0] == "host"
    assert "rumour" in seed.dropped[0][1]
    rig.until(lambda: not host.linked(seed))
    rig.rest(1.0)
    assert not seed.linked(host)
    assert not seed.core.admitted("host")


def test_who_floods_is_dropped_by_name_and_the_others_are_served(rig):
    seed, host, late = talks(rig, "seed", seed=True), talks(rig, "host"), talks(rig, "late")
    meet(host, seed)
    rig.until(lambda: host.linked(seed))
    for _ in range(2 * allowance.BURST):
        host.node.send("seed", wire.Gossip(rumour.message([], rumour.Mood(asking=True))))
    rig.until(lambda: seed.dropped)
    assert len(seed.dropped) == 1
    assert seed.dropped[0][0] == "host"
    assert "floods of gossip" in seed.dropped[0][1]
    meet(late, seed)
    rig.until(lambda: late.peer.complete)
    assert not seed.linked(host)


@pytest.mark.parametrize("address", ["nowhere:1", "127.0.0.1:1", "", "127.0.0.1:70000"])
def test_whoever_cannot_be_dialled_is_suspected_and_does_no_harm(rig, address):
    seed, host = talks(rig, "seed", seed=True), talks(rig, "host")
    host.node.talker.meet("ghost", address, dial=True)
    meet(host, seed)
    rig.until(lambda: host.peer.complete)
    rig.until(lambda: host.core.members.get("ghost").state == members.SUSPECT)
    assert host.errors == []


def test_a_gossip_frame_is_a_breach_where_there_is_a_tracker(rig):
    seed, host = rig.member("seed", seed=True), rig.member("host")
    rig.join(host, seed)
    host.node.send("seed", wire.Gossip(b"\0"))
    rig.until(lambda: seed.dropped)
    assert "Gossip" in seed.dropped[0][1]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("192.0.2.1:47600", ("192.0.2.1", 47600)),
        ("2001:db8::1:47600", ("2001:db8::1", 47600)),
        ("host.example:47600", None),
        ("192.0.2.1", None),
        ("192.0.2.1:0", None),
        ("192.0.2.1:65536", None),
        ("192.0.2.1:x", None),
        ("192.0.2.1\0:80", None),
        (":80", None),
    ],
)
def test_an_address_is_a_number_and_a_port(text, meant):
    assert place(text) == meant
