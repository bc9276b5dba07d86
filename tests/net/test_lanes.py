"""Lanes carry blocks in clear, for whoever says a token that went over TLS, once."""

import pytest

from fleetpush.net import lanes
from fleetpush.net.link import Link
from fleetpush.swarm import wire
from fleetpush.swarm.manifest import BLOCK
from tests.net.nodes import Intruder, Rig

TOKEN = b"t" * wire.TOKEN


@pytest.fixture
def pair(rig: Rig, monkeypatch):
    """A seed and a host whose lane stands and was opened with ``TOKEN``."""
    monkeypatch.setattr(lanes.os, "urandom", lambda count: TOKEN[:count])
    seed = rig.member("seed", seed=True, encrypt=False)
    host = rig.member("host", encrypt=False)
    rig.join(host, seed)
    rig.until(lambda: host.completions and lane(seed, "host") and lane(host, "seed"))
    return seed, host


def lane(member, other):
    return member.node.edges.sessions[other].lane


@pytest.mark.parametrize("says", [TOKEN, b"x" * 16], ids=["used", "unknown"])
def test_a_token_that_was_used_or_never_given_opens_nothing(rig, pair, says):
    seed, host = pair
    sent = seed.node.content_out
    intruder = Intruder(seed.address, wire.encode(wire.Lane(says)))
    rig.until(lambda: not intruder.is_alive())
    intruder.join()
    assert intruder.heard == b""
    assert seed.node.content_out == sent
    assert seed.linked(host)
    assert seed.node.edges._lanes._tokens == {}


def test_anything_but_a_token_opens_nothing(rig, pair):
    seed, _ = pair
    for frame in (wire.Credit(), wire.OpenLane(TOKEN), wire.Bitfield(b"x")):
        intruder = Intruder(seed.address, wire.encode(frame) + bytes(20))
        rig.until(lambda i=intruder: not i.is_alive())
        intruder.join()
        assert intruder.heard == b""


def test_a_lane_that_says_more_than_blocks_ends_with_its_link(rig, pair):
    seed, host = pair
    before = seed.node.edges.sessions["host"].control
    link = lane(host, "seed")
    link.send(wire.Have((0,)))
    link.want_write()
    rig.until(lambda: before.is_closed)
    rig.until(lambda: seed.linked(host) and lane(seed, "host") not in (None, link))
    assert seed.dropped == []


def test_a_token_cut_in_two_on_the_way_is_still_a_token(rig, monkeypatch):
    monkeypatch.setattr("fleetpush.net.link.Link._write", dribble)
    seed = rig.member("seed", seed=True, encrypt=False)
    host = rig.member("host", encrypt=False)
    rig.join(host, seed)
    rig.until(lambda: lane(seed, "host") and lane(host, "seed"))


def dribble(link):
    """``Link._write``, a few bytes at a time while a clear link has sent less than a token."""
    if not link.is_tls and link.bytes_out < 20 and (link._sending or link._compose()):
        count = link._sock.send(link._sending[:7])
        link.bytes_out += count
        link._sending = link._sending[count:]
        link._loop.call_later(0.02, lambda: dribble(link))
    else:
        WRITE(link)


WRITE = Link._write


def test_where_no_lane_can_be_had_blocks_go_over_tls(rig, monkeypatch):
    monkeypatch.setattr(lanes.Lanes, "propose", lambda self, session, control: None)
    seed = rig.member("seed", seed=True, encrypt=False)
    host = rig.member("host", encrypt=False)
    rig.join(host, seed)
    rig.until(lambda: host.completions)
    assert lane(seed, "host") is None


def test_a_side_that_encrypts_has_no_use_for_lanes(rig, impatient):
    """Both sides of a run agree; a peer that asks an encrypting one for a lane breaks the protocol."""
    seed = rig.member("seed", seed=True, encrypt=True)
    host = rig.member("host", encrypt=False)
    seed.awaits("host")
    host.dials(seed)
    rig.until(lambda: seed.dropped)
    assert [peer for peer, _ in seed.dropped] == ["host"]


@pytest.mark.parametrize("bent", [2, 3])
def test_wrong_bytes_in_clear_are_the_wires_fault_at_first(impatient, bent):
    rig = Rig(100 * BLOCK)
    try:
        seed = rig.member("seed", seed=True, encrypt=False, up_limit=16e6)
        host = rig.member("host", encrypt=False)
        next_block = seed.node.next_block

        def over_the_wire(link):
            framed = next_block(link)
            if framed is None or link.is_tls or len(host.dropped) >= bent:
                return framed
            return framed[0], bytes(len(framed[1]))

        seed.node.next_block = over_the_wire
        rig.join(host, seed)
        rig.until(lambda: host.completions or host.failed)
        assert host.completions == (bent == 2)
        assert host.failed == [("seed", "it broke the protocol")] * (bent == 3)
        assert [peer for peer, _ in host.dropped] == ["seed"] * bent
        assert sum("made anew" in reason for _, reason in host.dropped) == 2
    finally:
        rig.close()
