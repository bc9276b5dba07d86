"""Hosts with an IPv6 address, as such and as a jump host in brackets."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.fleet.sshd import USER, SshdFleet, sshd_fleet
from tests.remote.talk import failure, says_hello, settings, target

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.sshd, pytest.mark.usefixtures("plugin")]


@pytest.fixture(scope="module")
def six() -> Iterator[tuple[SshdFleet, int]]:
    """A fleet that answers at ::1, too, and the port that it does so at."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
            port = int(probe.getsockname()[1])
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    config = f"Port {port}\nListenAddress ::1\nAllowUsers {USER}@::1"
    with sshd_fleet(2, config=config) as fleet:
        (fleet.root / "homes" / "::1").mkdir()
        words = " ".join(fleet.known_hosts.read_text().split()[1:3])
        with fleet.known_hosts.open("a") as file:
            file.write(f"[::1]:{port} {words}\n")
        yield fleet, port


def test_an_ipv6_address_is_reached_and_its_key_known(six: tuple[SshdFleet, int]) -> None:
    fleet, port = six
    says_hello(settings(fleet), target(fleet, address="::1", port=port))


def test_an_unknown_key_of_an_ipv6_address_is_named(six: tuple[SshdFleet, int]) -> None:
    fleet, port = six
    there = target(fleet, address="::1", port=port)
    error = failure(settings(fleet, known_hosts=fleet.root / "none"), there)
    assert error.slug == "host_key_unknown"
    assert "::1" in str(error)


def test_a_jump_host_in_brackets_is_shared(six: tuple[SshdFleet, int]) -> None:
    fleet, port = six
    jump = f"{fleet.user}@[::1]:{port}"
    before = fleet.log().count(" on ::1 port ")
    chosen = settings(fleet, private_key=fleet.key)
    says_hello(chosen, *(target(fleet, i, jump=jump) for i in range(2)))
    assert fleet.log().count(" on ::1 port ") - before == 1
