"""Two nodes and more over real sockets: content arrives, faults stay where they arise."""

import errno
import socket

import pytest

from fleetpush.swarm import wire
from fleetpush.swarm.events import Edge
from fleetpush.swarm.manifest import BLOCK
from tests.net.nodes import Rig


@pytest.mark.parametrize("encrypt", [True, False])
def test_content_arrives(rig, encrypt):
    seed = rig.member("seed", seed=True, encrypt=encrypt)
    host = rig.member("host", encrypt=encrypt)
    rig.join(seed, host)
    rig.until(lambda: host.completions)
    assert host.store.data == rig.data
    assert (host.completions, seed.beginnings) == (1, 1)
    assert host.store.leaves_put == rig.manifest.chunks, "once a chunk, not once a block"
    assert seed.node.content_out == host.node.content_in == len(rig.data)
    rig.until(lambda: seed.node.wire_bytes()[1] <= host.node.wire_bytes()[0])
    assert seed.dropped == host.dropped == []
    assert seed.failed == host.failed == []


def test_content_passes_through_a_host_and_all_figures_agree():
    rig = Rig(80 * BLOCK)
    try:
        a, b, c = rig.member("a", seed=True), rig.member("b"), rig.member("c")
        rig.join(a, b)
        rig.join(b, c)
        rig.until(lambda: b.completions and c.completions)
        assert c.store.data == rig.data
        assert b.node.content_out == len(rig.data)
    finally:
        rig.close()


def test_limits_slow_down_and_lose_nothing():
    rig = Rig(40 * BLOCK)
    try:
        seed = rig.member("seed", seed=True, up_limit=20e6)
        host = rig.member("host", down_limit=15e6)
        rig.join(host, seed)
        rig.until(lambda: host.completions)
        assert host.store.data == rig.data
    finally:
        rig.close()


def test_a_limit_that_is_raised_counts_at_once():
    rig = Rig(40 * BLOCK)
    try:
        seed = rig.member("seed", seed=True, up_limit=100.0)
        host = rig.member("host")
        rig.join(host, seed)
        rig.until(lambda: host.node.content_in)
        assert not host.completions  # one block more would take ten minutes
        seed.node.limit(1e9)
        rig.until(lambda: host.completions)
        assert host.store.data == rig.data
    finally:
        rig.close()


def test_who_waits_under_a_limit_is_served_in_turn():
    """Else those who come last in a list wait for what was promised until they take it for a lie."""
    rig = Rig(120 * BLOCK)
    try:
        seed = rig.member("seed", seed=True, up_limit=8e6)
        hosts = [rig.member(name) for name in ("one", "two", "three")]
        for host in hosts:
            rig.join(host, seed)
        rig.until(lambda: max(host.node.content_in for host in hosts) > 24 * BLOCK)
        assert min(host.node.content_in for host in hosts) > 12 * BLOCK
    finally:
        rig.close()


def test_without_encryption_blocks_take_a_lane_and_control_stays_in_tls(rig):
    seed = rig.member("seed", seed=True, encrypt=False)
    host = rig.member("host", encrypt=False)
    host.awaits("seed")
    seed.dials(host)
    rig.until(lambda: host.completions)
    session = seed.node.edges.sessions["host"]
    rig.until(lambda: session.lane is not None and host.node.edges.sessions["seed"].lane)
    assert session.control.is_tls
    assert not session.lane.is_tls


def test_a_link_that_breaks_is_dialled_again_and_the_rest_arrives():
    rig = Rig(200 * BLOCK)
    try:
        seed, host = rig.member("seed", seed=True), rig.member("host")
        rig.join(host, seed)
        rig.until(lambda: host.node.content_in > 0)
        first = seed.node.edges.sessions["host"].control
        first._sock.shutdown(socket.SHUT_RDWR)
        rig.until(lambda: host.completions)
        assert host.store.data == rig.data
        assert seed.node.edges.sessions["host"].control is not first
        received, sent, _ = host.node.wire_bytes()
        assert received >= len(rig.data)
        assert sent > 0
    finally:
        rig.close()


@pytest.mark.parametrize(
    "bytes_",
    [b"\xff\xff\xff\xff", b"\x0c\xff\xff\xff", b"\x04\0\0\x03abc"],
    ids=["type", "size", "body"],
)
def test_malformed_frames_close_their_link_only(rig, impatient, bytes_):
    host, bad, good = rig.member("host"), rig.member("bad"), rig.member("good", seed=True)
    rig.join(bad, host)
    rig.join(host, good)
    link = bad.node.edges.sessions["host"].control
    link._control += bytes_
    link.want_write()
    rig.until(lambda: link.is_closed)
    rig.until(lambda: host.completions)
    assert host.linked(good)


def test_a_frame_out_of_turn_drops_that_peer_for_good(rig, impatient):
    host, bad, good = rig.member("host"), rig.member("bad"), rig.member("good", seed=True)
    rig.join(bad, host)
    rig.join(host, good)
    bad.node.edges.sessions["host"].control.send(wire.Lane(bytes(16)))
    bad.node.edges.sessions["host"].control.want_write()
    rig.until(lambda: host.dropped)
    assert [peer for peer, _ in host.dropped] == ["bad"]
    rig.until(lambda: bad.failed)
    assert [peer for peer, _ in bad.failed] == ["host"]
    assert not host.linked(bad)
    host.node.announce("bad", Edge(), bad.address, dial=True)
    assert host.failed == [("bad", "it broke the protocol")]
    assert host.linked(good)


def test_wrong_bytes_drop_their_sender_and_the_tracker_hears_that_the_edge_is_gone(rig, impatient):
    host, bad, good = (
        rig.member("host"),
        rig.member("bad", seed=True),
        rig.member("good", seed=True),
    )
    bad.store.data[:] = bytes(len(rig.data))
    bad.awaits("host")
    host.dials(bad)
    rig.until(lambda: host.dropped)
    assert host.failed == [("bad", "it broke the protocol")]
    assert host.store.have == 0
    rig.join(host, good)
    rig.until(lambda: host.completions)
    assert host.store.data == rig.data


def test_a_disk_that_fails_is_reported_and_the_loop_lives(rig):
    seed, host = rig.member("seed", seed=True), rig.member("host")

    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    host.store.put_block = full
    rig.join(host, seed)
    rig.until(lambda: host.errors)
    assert host.errors[0].errno == errno.ENOSPC


def test_an_edge_that_is_no_more_closes_its_link(rig):
    a, b = rig.member("a"), rig.member("b")
    rig.join(a, b)
    a.node.part("b")
    b.node.part("a")
    rig.until(lambda: not a.node.links() and not b.node.links())
    assert a.failed == b.failed == []


def test_a_block_that_comes_before_its_leaves_is_passed_over(rig):
    """On a lane it may be of a stream that was broken off, and asked for anew since."""
    host, other = rig.member("host"), rig.member("other")
    rig.join(other, host)
    rig.until(lambda: host.peer.state.neighbours["other"].greeted)
    link = other.node.edges.sessions["host"].control
    link.send(wire.Offer(0, 4))
    link._control += wire.data_head(0, 0, BLOCK) + rig.data[:BLOCK]
    link.want_write()
    rig.until(lambda: host.node.content_in)
    assert host.peer.expects("other", 0)
    assert host.store.progress(0) == 0
    assert host.dropped == host.errors == []
