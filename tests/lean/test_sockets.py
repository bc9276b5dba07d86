"""The agent's own sockets and TLS beside the public modules': either end may be either."""

import os
import socket as public_socket
import ssl as public_ssl
import subprocess
import sys
from pathlib import Path

import pytest

from fleetpush.deploy.identity import RunIdentity
from fleetpush.lean import KNOWN_PYTHON, c_sockets
from fleetpush.net import tls

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(
    not KNOWN_PYTHON, reason="the public modules are used on this Python"
)

FLAVOURS = {
    "lean": (c_sockets.socket, c_sockets.ssl),
    "public": (public_socket, public_ssl),
}
CONTENT = os.urandom(300_000)


@pytest.fixture(scope="module")
def identity():
    return RunIdentity("run")


@pytest.fixture
def make(monkeypatch, identity):
    """A socket in TLS of either flavour around one that is connected."""

    def made(flavour, fd, name, *, server, authority=identity):
        sockets, ssl = FLAVOURS[flavour]
        monkeypatch.setattr(tls, "ssl", ssl)
        certificate, key = authority.issue(name)
        contexts = tls.Contexts(authority.ca_pem.decode(), certificate.decode(), key.decode())
        sock = sockets.socket(fileno=fd)
        sock.setblocking(False)
        return contexts.wrap(sock, server=server)

    return made


@pytest.fixture
def wire():
    pair = public_socket.socketpair()
    return [sock.detach() for sock in pair]


def until_done(*steps):
    """Non-blocking calls in turn until each has returned; their values."""
    done = {}
    for _ in range(100_000):
        for step in steps:
            if step not in done:
                try:
                    done[step] = step()
                except (public_ssl.SSLWantReadError, public_ssl.SSLWantWriteError):
                    continue
        if len(done) == len(steps):
            return [done[step] for step in steps]
    raise AssertionError("they wait for each other")


def sends(sock):
    rest = [memoryview(CONTENT)]

    def step():
        while rest[0]:
            rest[0] = rest[0][sock.send(rest[0]) :]

    return step


def receives(sock):
    seen, room = bytearray(), memoryview(bytearray(20_000))

    def step():
        while len(seen) < len(CONTENT):
            count = sock.recv_into(room)
            assert count, "it ended early"
            seen.extend(room[:count])
        assert not sock.pending()
        return bytes(seen)

    return step


@pytest.mark.parametrize("one", FLAVOURS)
@pytest.mark.parametrize("other", FLAVOURS)
def test_they_talk_to_each_other(make, wire, one, other):
    server = make(one, wire[0], "anna", server=True)
    client = make(other, wire[1], "bert", server=False)
    until_done(server.do_handshake, client.do_handshake)
    assert tls.subject_of(server) == ("bert", "run")
    assert tls.subject_of(client) == ("anna", "run")
    _, there, _, back = until_done(sends(server), receives(client), sends(client), receives(server))
    assert there == back == CONTENT
    client.close()
    assert server.recv_into(memoryview(bytearray(10))) == 0
    server.close()


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_certificate_of_another_run_is_refused(make, wire, flavour):
    server = make("public", wire[0], "anna", server=True, authority=RunIdentity("x"))
    client = make(flavour, wire[1], "bert", server=False)
    with pytest.raises(public_ssl.SSLCertVerificationError) as refused:
        until_done(client.do_handshake, server.do_handshake)
    assert refused.value.reason == "CERTIFICATE_VERIFY_FAILED"
    client.close()
    server.close()


def test_an_accepted_connection_is_one_of_its_own():
    sockets = c_sockets.socket
    listener = sockets.socket(sockets.AF_INET, sockets.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    with public_socket.create_connection(listener.getsockname()) as caller:
        caller.sendall(b"x")
        accepted, address = listener.accept()
        assert address == caller.getsockname()
        assert accepted.recv(10) == b"x"
        accepted.close()
    assert listener.fileno() >= 0
    listener.close()


def test_nodes_trade_by_the_public_modules_alone():
    """As on a Python that is not known yet."""
    program = (
        "import sys, fleetpush.lean; fleetpush.lean.KNOWN_PYTHON = False\n"
        "import pytest, ssl\n"
        "code = pytest.main(['-q', '-p', 'no:cacheprovider', 'tests/net'])\n"
        "from fleetpush.net import tls\n"
        "assert tls.ssl is ssl\n"
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
