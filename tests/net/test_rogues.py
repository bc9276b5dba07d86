"""Peers with a certificate of the run that flood, or ask and do not read: bounded, dropped, and named."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from fleetpush.net import edges, link, session
from fleetpush.swarm import bitfield, wire
from fleetpush.swarm.manifest import BLOCK
from tests.net.nodes import PATIENCE, RUN, Rig, client_context


class Caller:
    """A certified peer in plain sockets: says what it is told to, and reads only when asked to."""

    def __init__(self, rig: Rig, name: str, member, where, has: int = 0) -> None:
        member.awaits(name)
        self._has = has
        context = client_context(rig.papers(name), where)
        sock = socket.create_connection(member.address, timeout=PATIENCE)
        self._manifest = rig.manifest
        self.tls = context.wrap_socket(sock, do_handshake_on_connect=False)
        greet = threading.Thread(target=self._greet)
        greet.start()
        rig.until(lambda: not greet.is_alive())
        session = member.node.edges.sessions[name]
        rig.until(lambda: session.control is not None)
        self.session = session
        self.link = session.control

    def _greet(self) -> None:
        self.tls.do_handshake()
        self.say(
            wire.Hello(wire.VERSION, bytes.fromhex(RUN), self._manifest.digest),
            wire.Bitfield(bitfield.to_bytes(self._has, self._manifest.chunks)),
        )

    def say(self, *frames) -> None:
        self.tls.sendall(b"".join(map(wire.encode, frames)))

    def pour(self, data: bytes, times: int) -> threading.Thread:
        """Sends ``data`` so many times, until nobody takes it any more."""

        def run() -> None:
            try:
                for _ in range(times):
                    self.tls.sendall(data)
            except OSError:
                pass
            finally:
                self.tls.close()

        thread = threading.Thread(target=run)
        thread.start()
        return thread


def check_dropped(rig, member, caller, thread, why) -> None:
    """By name and for good, and what it sent is gone with it; somebody else is served as ever."""
    rig.until(lambda: member.dropped)
    rig.until(lambda: not thread.is_alive())
    assert [peer for peer, _ in member.dropped] == ["bad"]
    assert why in member.dropped[0][1]
    assert caller.session.banned
    host = rig.member("host")
    rig.join(host, member)
    rig.until(lambda: host.completions)
    assert host.store.data == rig.data


def test_a_flood_of_frames(rig, tmp_path):
    seed = rig.member("seed", seed=True)
    caller = Caller(rig, "bad", seed, tmp_path)
    thread = caller.pour(wire.encode(wire.Cancel(0)) * 1000, 1000)
    check_dropped(rig, seed, caller, thread, "more than an exchange needs")


@pytest.mark.parametrize(
    "frame",
    [wire.data_head(0, 0, BLOCK) + bytes(BLOCK), wire.encode(wire.Leaves(0, bytes(64)))],
    ids=["blocks", "leaves"],
)
def test_a_flood_of_content_that_nobody_asked_for(rig, tmp_path, monkeypatch, frame):
    monkeypatch.setattr(session, "UNWANTED", 1 << 20)
    seed = rig.member("seed", seed=True)
    caller = Caller(rig, "bad", seed, tmp_path)
    # Not one by one: on a busy machine the loop would wait for the other thread at each of them.
    thread = caller.pour(frame * 20, 150)
    check_dropped(rig, seed, caller, thread, "nobody had asked")


def test_one_that_asks_and_does_not_read_is_hung_up_on(rig, tmp_path, monkeypatch):
    monkeypatch.setattr(link, "MAX_BACKLOG", 10_000)
    seed = rig.member("seed", seed=True)
    caller = Caller(rig, "bad", seed, tmp_path)
    most = []
    closed = []
    fail = caller.link._fail
    caller.link._fail = lambda reason: (closed.append(reason), fail(reason))
    caller.link.want_write = lambda: most.append(caller.link.backlog)  # the socket takes no more
    thread = caller.pour(wire.encode(wire.Ask(0)) * 400, 1)
    rig.until(lambda: caller.link.is_closed)
    rig.until(lambda: not thread.is_alive())
    assert closed == ["it does not read what it asked for"]
    assert max(most, default=0) < 10_000 + 200
    assert not seed.dropped, "it may be frozen: it can call again"


def test_callers_who_never_finish_a_handshake_cost_a_bounded_number_of_sockets(rig, monkeypatch):
    """Thousands of them, a few at a time: there is room for those who belong here soon after."""
    monkeypatch.setattr(edges, "MAX_STRANGERS", 16)
    monkeypatch.setattr(link, "HANDSHAKE_WITHIN", 0.3)
    seed, host = rig.member("seed", seed=True), rig.member("host")
    inside = seed.node.edges
    most = [0]
    stop = threading.Event()

    def slow_callers() -> None:
        held: list[socket.socket] = []
        for _ in range(2000):
            if stop.is_set():
                break
            sock = socket.create_connection(seed.address, timeout=PATIENCE)
            with contextlib.suppress(OSError):
                sock.sendall(b"\x16\x03\x01\x02")  # the beginning of a greeting, and no more
            held.append(sock)
            if len(held) > 100:
                held.pop(0).close()
        for sock in held:
            sock.close()

    thread = threading.Thread(target=slow_callers)
    thread.start()
    rig.until(
        lambda: (most.append(max(most.pop(), len(inside._strangers))), not thread.is_alive())[1]
    )
    stop.set()
    thread.join()
    assert most[0] <= 16
    rig.until(lambda: not inside._strangers)
    rig.join(host, seed)
    rig.until(lambda: host.completions)


def test_one_that_greets_byte_by_byte_is_hung_up_on_though_it_is_never_silent(rig, monkeypatch):
    monkeypatch.setattr(link, "HANDSHAKE_WITHIN", 0.3)
    seed = rig.member("seed", seed=True)
    sock = socket.create_connection(seed.address, timeout=PATIENCE)
    said = [0]

    def drip() -> None:
        with contextlib.suppress(OSError):
            sock.sendall(b"\x16\x03\x01\x02\x00")  # a record of 512 bytes
            while said[0] < 500 and not ended.wait(0.02):
                sock.sendall(b"\1")
                said[0] += 1

    ended = threading.Event()
    thread = threading.Thread(target=drip)
    thread.start()
    rig.until(lambda: seed.node.edges._strangers)
    rig.until(lambda: not seed.node.edges._strangers)
    ended.set()
    thread.join()
    sock.close()
    assert 0 < said[0] < 500, "it was still speaking"


def test_one_that_sends_a_block_byte_by_byte_holds_nobody_up(rig, tmp_path):
    """Its stream is never silent, and never gets anywhere: what it promised comes from somebody else."""
    host, seed = rig.member("host"), rig.member("seed", seed=True)
    caller = Caller(rig, "bad", host, tmp_path, has=bitfield.full(rig.manifest.chunks))
    caller.say(wire.Offer(0, 2, ((1, 2), (2, 2)), 3))
    rig.until(lambda: host.peer.expects("bad", 0))
    caller.say(wire.Leaves(0, seed.store.leaves(0)))
    ended = threading.Event()

    def drip() -> None:
        with contextlib.suppress(OSError):
            for byte in wire.data_head(0, 0, BLOCK) + bytes(BLOCK):
                if ended.wait(0.02):
                    break
                caller.tls.sendall(bytes((byte,)))

    thread = threading.Thread(target=drip)
    thread.start()
    rig.join(host, seed)
    rig.until(lambda: host.completions)
    ended.set()
    thread.join()
    caller.tls.close()
    assert host.store.data == rig.data
    assert not host.dropped, "nothing that it said was wrong"


def test_frames_of_an_earlier_link_mean_nothing_on_another(rig, tmp_path, impatient):
    """TLS makes each link's bytes its own: what was recorded is noise where it is played again."""
    seed = rig.member("seed", seed=True)
    caller = Caller(rig, "bad", seed, tmp_path)
    raw = socket.socket(fileno=socket.dup(caller.tls.fileno()))
    raw.setblocking(True)
    outgoing = wire.encode(wire.Credit())
    caller.tls.sendall(outgoing)
    rig.until(lambda: caller.link.bytes_in > 0)
    before = caller.link.bytes_in
    raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))  # a record that was not made for this moment
    rig.until(lambda: caller.link.is_closed)
    assert caller.link.bytes_in == before
    raw.close()
    caller.tls.close()


@pytest.mark.parametrize(
    "address", [("x" * 300, 1), ("10.0.0.1\0", 1), ("10.0.0.1", 1 << 40), ("no number", 1)], ids=str
)
def test_an_address_that_is_none_is_a_dial_that_failed(rig, impatient, address):
    host = rig.member("host")
    host.node.announce("seed", edges.Edge(), address, dial=True)
    rig.until(lambda: host.failed)
    assert [peer for peer, _ in host.failed] == ["seed"]
