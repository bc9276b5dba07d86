"""Where a peer listens: one address, or all of both kinds."""

from __future__ import annotations

import errno
import socket

import pytest

from fleetpush.net import binding


@pytest.mark.parametrize("caller", ["127.0.0.1", "::1"])
def test_all_addresses_are_those_of_both_kinds(caller):
    with binding.bound("", 0) as listening:
        socket.create_connection((caller, listening.getsockname()[1]), 5).close()


def test_one_address_is_that_one_alone():
    with binding.bound("::1", 0) as listening:
        port = listening.getsockname()[1]
        socket.create_connection(("::1", port), 5).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5)


def test_a_kernel_without_ipv6_listens_all_the_same(monkeypatch):
    made = binding.socket.socket

    def without(family, kind):
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "no such family")
        return made(family, kind)

    monkeypatch.setattr(binding.socket, "socket", without)
    with binding.bound("", 0) as listening:
        assert listening.family == socket.AF_INET


def test_a_port_that_one_kind_has_taken_is_taken():
    with binding.bound("127.0.0.1", 0) as taken, pytest.raises(OSError, match="in use"):
        binding.bound("", taken.getsockname()[1])
