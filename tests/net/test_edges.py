"""Who is let in: peers of this run on an announced edge, one link each; nobody else hears a byte."""

import errno
import os
import resource
import socket

import pytest

from fleetpush.deploy.identity import RunIdentity
from fleetpush.net import edges, listener
from fleetpush.swarm import wire
from fleetpush.swarm.events import Edge
from tests.net.nodes import RUN, Intruder, client_context

ALERT = b"\x15"
"""How a TLS record begins that says, in seven bytes and in clear, that nothing was understood."""

EDGE = Edge()
HELLO = wire.encode(wire.Hello(wire.VERSION, bytes.fromhex(RUN), bytes(32)))


def check_heard_nothing(rig, intruder, seed) -> None:
    rig.until(lambda: not intruder.is_alive())
    intruder.join()
    assert intruder.heard == b""
    assert seed.node.content_out == 0
    assert not seed.node.edges._strangers


@pytest.mark.parametrize("encrypt", [True, False])
@pytest.mark.parametrize("says", [HELLO, b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x00\x05hello"])
def test_a_caller_without_tls_hears_nothing(rig, impatient, encrypt, says):
    seed = rig.member("seed", seed=True, encrypt=encrypt)
    seed.awaits("host")
    intruder = Intruder(seed.address, says)
    rig.until(lambda: not intruder.is_alive())
    if intruder.heard[:1] == ALERT:
        intruder.heard = intruder.heard[7:]
    check_heard_nothing(rig, intruder, seed)


def test_a_silent_caller_is_hung_up_on(rig, impatient):
    seed = rig.member("seed", seed=True, encrypt=False)
    check_heard_nothing(rig, Intruder(seed.address), seed)
    assert not seed.node.edges._listener.silent


def test_a_certificate_of_another_run_is_worth_nothing(rig, impatient, tmp_path):
    seed = rig.member("seed", seed=True)
    seed.awaits("host")
    other = RunIdentity(RUN)
    cert, key = other.issue("host")
    context = client_context(("", cert.decode(), key.decode()), tmp_path)
    check_heard_nothing(rig, Intruder(seed.address, HELLO, context), seed)
    assert seed.node.links() == 0


def test_a_certificate_that_names_another_run_is_worth_nothing(rig, impatient, tmp_path):
    seed = rig.member("seed", seed=True)
    seed.awaits("host")
    seed.node.edges._run = "another"
    context = client_context(rig.papers("host"), tmp_path)
    check_heard_nothing(rig, Intruder(seed.address, HELLO, context), seed)
    assert seed.node.links() == 0


def test_no_certificate_is_worth_nothing(rig, impatient, tmp_path):
    seed = rig.member("seed", seed=True)
    context = client_context(rig.papers("host"), tmp_path)
    bare = type(context)(context.protocol)
    bare.check_hostname, bare.verify_mode = False, context.verify_mode
    check_heard_nothing(rig, Intruder(seed.address, HELLO, bare), seed)


def test_a_peer_without_an_edge_waits_unread_and_is_hung_up_on(rig, impatient, tmp_path):
    seed = rig.member("seed", seed=True)
    seed.awaits("host")
    context = client_context(rig.papers("stranger"), tmp_path)
    check_heard_nothing(rig, Intruder(seed.address, HELLO, context), seed)
    assert not seed.node.edges.waiting


def test_a_second_link_of_a_peer_is_refused_and_the_first_one_stands(rig, tmp_path):
    seed, host = rig.member("seed", seed=True), rig.member("host")
    rig.join(host, seed)
    rig.until(lambda: host.completions)
    sent = seed.node.content_out
    context = client_context(rig.papers("host"), tmp_path)
    intruder = Intruder(seed.address, HELLO, context)
    rig.until(lambda: not intruder.is_alive())
    intruder.join()
    assert intruder.heard == b""
    assert seed.node.content_out == sent
    assert seed.linked(host)
    assert host.linked(seed)


def test_a_peer_that_calls_before_its_edge_is_announced_is_let_in_once_it_is(rig):
    seed, host = rig.member("seed", seed=True), rig.member("host")
    host.dials(seed)
    rig.until(lambda: seed.node.edges.waiting)
    assert seed.node.links() == 0
    seed.awaits("host")
    rig.until(lambda: host.completions)
    assert host.store.data == rig.data
    assert not seed.node.edges.waiting


def test_a_peer_that_calls_again_while_it_waits_takes_its_own_place(rig, tmp_path):
    seed, host = rig.member("seed", seed=True), rig.member("host")
    context = client_context(rig.papers("host"), tmp_path)
    first = Intruder(seed.address, HELLO, context)
    rig.until(lambda: seed.node.edges.waiting)
    host.dials(seed)
    rig.until(lambda: not first.is_alive())
    first.join()
    assert first.heard == b""
    seed.awaits("host")
    rig.until(lambda: host.completions)


def test_an_address_where_somebody_else_answers_is_no_link(rig, impatient):
    seed, host, other = rig.member("seed", seed=True), rig.member("host"), rig.member("other")
    other.awaits("host")
    host.node.announce("seed", EDGE, other.address, dial=True)
    rig.until(lambda: host.failed)
    assert [peer for peer, _ in host.failed] == ["seed"]
    assert not host.linked(seed)


def test_a_dial_that_fails_is_reported_after_three_tries(rig, impatient, monkeypatch):
    host, gone = rig.member("host"), rig.member("gone")
    gone.node.close()
    tries = []
    connecting = host.node.edges._connecting
    monkeypatch.setattr(
        host.node.edges,
        "_connecting",
        lambda address: (tries.append(address), connecting(address))[1],
    )
    host.dials(gone)
    rig.until(lambda: host.failed)
    rig.rest(0.3)
    assert host.failed == [("gone", "connection refused")]
    assert tries == [gone.address] * 3
    host.dials(gone)
    rig.until(lambda: len(host.failed) == 2)
    assert len(tries) == 6


def test_a_dial_for_which_no_descriptor_is_left_is_one_that_failed(rig, impatient):
    host, seed = rig.member("host"), rig.member("seed", seed=True)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull) as first_free:
        resource.setrlimit(resource.RLIMIT_NOFILE, (first_free.fileno(), before[1]))
    try:
        host.dials(seed)
        rig.until(lambda: host.failed)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert host.failed == [("seed", "[Errno 24] Too many open files")]
    rig.join(host, seed)
    rig.until(lambda: host.completions)


def test_a_link_that_is_closed_at_once_each_time_counts_as_a_dial_that_failed(rig, impatient):
    seed, host = rig.member("seed", seed=True), rig.member("host")
    seed.awaits("host")
    seed.node.edges.sessions["host"].banned = True
    host.dials(seed)
    rig.until(lambda: host.failed)
    rig.rest(0.3)
    assert len(host.failed) == 1


def test_a_new_address_replaces_one_that_does_not_answer(rig):
    seed, host = rig.member("seed", seed=True), rig.member("host")
    seed.awaits("host")
    host.node.announce("seed", EDGE, ("127.0.0.1", 1), dial=True)
    host.dials(seed)
    rig.until(lambda: host.completions)
    assert host.failed == []


def test_a_range_of_ports_that_are_all_taken_is_said_so(rig):
    taken = rig.member("taken")
    port = taken.address[1]
    with pytest.raises(OSError, match=f"no free port from {port} to {port}") as caught:
        rig.member("host").node.edges.listen("127.0.0.1", (port, port))
    assert caught.value.errno == errno.EADDRINUSE


def test_an_address_that_is_not_ours_is_said_so(rig):
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is what counts
        rig.member("host").node.edges.listen("192.0.2.1", (0, 0))
    assert caught.value.errno == errno.EADDRNOTAVAIL


@pytest.mark.parametrize("encrypt", [True, False])
def test_strangers_are_bounded_and_leave_room_when_they_go(rig, monkeypatch, encrypt):
    monkeypatch.setattr(edges, "MAX_STRANGERS", 4)
    seed = rig.member("seed", seed=True, encrypt=encrypt)
    host = rig.member("host", encrypt=encrypt)
    inside = seed.node.edges
    callers = [socket.create_connection(seed.address) for _ in range(10)]
    rig.rest(0.1)
    assert len(inside._strangers) + len(inside._listener.silent) == 4
    for sock in callers:
        sock.close()
    rig.until(lambda: not inside._strangers and not inside._listener.silent)
    rig.join(host, seed)
    rig.until(lambda: host.completions)


def test_strangers_that_say_half_a_frame_are_bounded_in_time_too(rig, impatient):
    seed = rig.member("seed", seed=True, encrypt=False)
    half = Intruder(seed.address, b"\x0b\x08")
    check_heard_nothing(rig, half, seed)
    large = Intruder(seed.address, b"\x0b\x08\x00\x04" + bytes(30))
    check_heard_nothing(rig, large, seed)


def test_a_system_without_descriptors_is_asked_again_later(rig, monkeypatch):
    seed, host = rig.member("seed", seed=True), rig.member("host")
    inside, tries = seed.node.edges._listener, []
    monkeypatch.setattr(listener, "REST", 0.1)

    class Exhausted:
        def __init__(self, listening):
            self._listening = listening

        def accept(self):
            tries.append(1)
            if len(tries) < 3:
                raise OSError(errno.EMFILE, "too many")
            return self._listening.accept()

        def __getattr__(self, name):
            return getattr(self._listening, name)

    inside._socket = Exhausted(inside._socket)
    rig.join(host, seed)
    rig.until(lambda: host.completions)
    assert 3 <= len(tries) <= 6


def test_closing_leaves_no_socket_registered(rig):
    seed = rig.member("seed", seed=True, encrypt=False)
    host = rig.member("host", encrypt=False)
    rig.join(host, seed)
    callers = [socket.create_connection(seed.address) for _ in range(3)]
    rig.until(lambda: len(seed.node.edges._listener.silent) == 3)
    seed.node.close()
    host.node.close()
    rig.rest(0.05)
    assert len(rig.loop._wanted) == 1, "only the loop's own"
    for sock in callers:
        sock.close()
