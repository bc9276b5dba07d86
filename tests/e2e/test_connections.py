"""A deploy over each connection plugin."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.hosts import wait_until

if TYPE_CHECKING:
    from tests.e2e.desk import Desk

pytestmark = pytest.mark.sshd

MIB = 1024 * 1024


@pytest.mark.parametrize("plugin", ["asyncssh", "paramiko", "openssh"])
def test_a_deploy_over(desk: Desk, plugin: str) -> None:
    source = desk.source(8 * MIB + 1)
    done = desk.deploy(source, desk.inventory(6), "-c", plugin)
    assert done.exit == 0, done.stderr
    assert len(desk.copies(6, source)) == 6
    desk.nothing_but(6, source.name)


@pytest.mark.parametrize("plugin", ["paramiko", "openssh"])
def test_a_host_that_refuses_is_named_as_ever(desk: Desk, plugin: str) -> None:
    source = desk.source(MIB)
    # A host's own connection wins over the flag.
    special = {"node0002": {"ansible_port": 1, "ansible_connection": plugin}}
    done = desk.deploy(source, desk.inventory(3, **special), "-c", "paramiko")
    assert done.exit == 4
    assert done.slugs() == {"node0002": "connection_refused"}
    assert done.good() == ["node0001", "node0003"]
    assert "Traceback" not in done.stderr


def test_an_aborted_run_leaves_no_ssh_behind(desk: Desk) -> None:
    room = desk.root / "tmp"
    room.mkdir()
    source = desk.source(32 * MIB)
    flags = ("-c", "openssh", "--bwlimit", "1M")
    command = desk.start(source, desk.inventory(4), *flags, env={"TMPDIR": str(room)})
    wait_until(lambda: len(desk.agents()) == 5, 60, "four hosts and the origin have their agents")
    assert list(room.glob("fp-*"))
    for _ in range(2):
        command.send(signal.SIGINT)
        time.sleep(0.3)  # two signals that come at once are one
    assert command.outcome().exit == 130
    assert not list(room.glob("fp-*"))
    wait_until(lambda: not desk.fleet.sessions(), 10, "no connection left")
