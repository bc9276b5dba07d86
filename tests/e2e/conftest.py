from __future__ import annotations

import os
import pwd
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.desk import Desk
from tests.e2e.hosts import send
from tests.e2e.watching import litter, look, settled
from tests.fleet.sshd import SshdFleet, sshd_fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTS = 50


@pytest.fixture(scope="session")
def fleet() -> Iterator[SshdFleet]:
    with sshd_fleet(HOSTS) as fleet:
        yield fleet


@pytest.fixture
def desk(fleet: SshdFleet) -> Iterator[Desk]:
    """Empty homes before. Afterwards no agent, and on the hosts no process, listening socket and file of ours
    but what may be resumed."""
    for index in range(HOSTS):
        _empty(fleet, fleet.home(index))
    root = Path(tempfile.mkdtemp(prefix="desk-"))
    root.chmod(0o755)
    desk = Desk(fleet, root)
    before = look(fleet, desk.ports, read=False)
    try:
        yield desk
        assert not [c for c in desk.commands if c.running], "a test left a command running"
        desk.no_agent_is_left()
        after = settled(fleet, desk.ports, before, 5.0, read=False)
        assert litter(before, after) == []
    finally:
        for command in desk.commands:
            if command.running:
                command.send(signal.SIGKILL)
                command.process.wait()
        send(signal.SIGKILL, desk.agents())
        shutil.rmtree(root)


def _empty(fleet: SshdFleet, home: Path) -> None:
    shutil.rmtree(home)
    home.mkdir()
    user = pwd.getpwnam(fleet.user)
    os.chown(home, user.pw_uid, user.pw_gid)
