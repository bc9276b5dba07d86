"""A fleet behind a real sshd, shared by the tests of this directory."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.fleet.sshd import SshdFleet, sshd_fleet
from tests.remote.talk import Plugin

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def fleet() -> Iterator[SshdFleet]:
    with sshd_fleet(40) as fleet:
        yield fleet


@pytest.fixture(autouse=True)
def no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent of whoever runs the tests must not decide them."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


PLUGINS = ("asyncssh", "paramiko", "openssh")


@pytest.fixture(params=PLUGINS)
def plugin(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each connection plugin that reaches hosts over SSH, in turn."""
    monkeypatch.setattr(Plugin, "name", request.param)
    return str(request.param)


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def quiet_fleet() -> Iterator[SshdFleet]:
    """A fleet whose log belongs to one test."""
    with sshd_fleet(22) as fleet:
        yield fleet
