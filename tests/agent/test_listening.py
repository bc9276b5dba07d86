"""Which address a host tells its peers to call."""

from __future__ import annotations

import socket

import pytest

from fleetpush.agent import listening
from fleetpush.errors import HostError


@pytest.fixture
def logged_in(monkeypatch):
    def by(own):
        monkeypatch.setenv("SSH_CONNECTION", f"192.0.2.9 50000 {own} 22")

    by("192.0.2.1")
    return by


@pytest.fixture
def names(monkeypatch):
    """What names stand for."""
    known = {}

    def look_up(name, port, family, kind):
        if name.decode() not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(0, kind, 0, "", (number, 0)) for number in known[name.decode()]]

    monkeypatch.setattr(listening.socket, "getaddrinfo", look_up)
    return known


def announced(address):
    return listening.announced({"ssh": True, "address": address})


def failure(address):
    with pytest.raises(HostError) as caught:
        announced(address)
    return caught.value.failure


@pytest.mark.parametrize("number", ["10.0.0.1", "fd00::1", "2001:db8::5"])
def test_a_number_is_taken_as_it_is(logged_in, names, number):
    assert announced(number) == number


@pytest.mark.parametrize("own", ["192.0.2.1", "2001:db8::7"])
def test_without_one_it_is_the_one_that_ssh_came_by(logged_in, own):
    logged_in(own)
    assert announced("") == own


@pytest.mark.parametrize(
    ("numbers", "taken"),
    [
        (["10.0.0.1"], "10.0.0.1"),
        (["127.0.1.1", "10.0.0.1"], "10.0.0.1"),
        (["fe80::1", "fd00::1"], "fd00::1"),
    ],
)
def test_a_name_is_looked_up_on_the_host(logged_in, names, numbers, taken):
    names["node1-data"] = numbers
    assert announced("node1-data") == taken


def test_loopback_will_do_where_all_is_on_one_machine(logged_in, names):
    logged_in("127.1.0.1")
    names["node1-data"] = ["127.0.1.1"]
    assert announced("node1-data") == "127.0.1.1"


def test_a_name_that_nobody_knows_fails_by_name(logged_in, names):
    found = failure("node1-data")
    assert found.slug == "bad_address"
    assert "node1-data" in found.message
    assert "no such name" in found.message


def test_a_name_that_only_the_host_itself_could_call_fails_by_name(logged_in, names):
    names["node1"] = ["127.0.1.1"]
    found = failure("node1")
    assert (found.slug, "127.0.1.1" in found.message) == ("bad_address", True)


@pytest.mark.parametrize("address", ["fe80::1", "FE80::1%eth0", "febf::1"])
def test_link_local_is_refused_with_what_to_do(logged_in, address):
    found = failure(address)
    assert found.slug == "link_local"
    assert "fleetpush_address" in found.message


def test_so_is_a_login_by_it_unless_peers_have_another(logged_in, names):
    logged_in("fe80::1%eth0")
    assert failure("").slug == "link_local"
    assert announced("fd00::1") == "fd00::1"
