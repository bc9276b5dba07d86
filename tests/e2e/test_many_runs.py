"""Many runs of one operator at once, on the same hosts: none gets in the way of another."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

import fleetpush
from fleetpush.deploy.history.history import History
from tests.e2e.desk import name
from tests.e2e.hosts import contents
from tests.e2e.watching import look, residue, settled

if TYPE_CHECKING:
    from tests.e2e.desk import Desk

pytestmark = [pytest.mark.sshd, pytest.mark.slow]

RUNS, HOSTS = 20, 3
PORTS = range(48850, 48950)


def test_twenty_runs_at_once_to_different_destinations(desk: Desk) -> None:
    """Two of them are commands, the others of one program."""
    state = desk.root / "state"
    inventory, config = desk.inventory(HOSTS), desk.known_hosts()
    sources = [desk.source(50_000 + i, f"part{i:02d}") for i in range(RUNS)]
    ports = f"{PORTS[0]}-{PORTS[-1]}"
    flags = ("--port-range", ports, "--state-dir", str(state))
    before = look(desk.fleet, PORTS)

    async def program() -> list[fleetpush.RunReport]:
        ssh = fleetpush.SshOptions(ssh_config=config)
        return await asyncio.gather(
            *(
                fleetpush.deploy_async(
                    source, inventory, ssh=ssh, port_range=(PORTS[0], PORTS[-1]), state_dir=state
                )
                for source in sources[2:]
            )
        )

    commands = [desk.start(source, inventory, *flags) for source in sources[:2]]
    reports = asyncio.run(program())
    for command in commands:
        done = command.outcome()
        assert done.exit == 0, done.stderr
    assert [report.exit_code for report in reports] == [0] * (RUNS - 2)
    for source in sources:
        assert desk.copies(HOSTS, source) == [name(i) for i in range(HOSTS)]
    names = [source.name for source in sources]
    assert all(contents(home) == names for home in desk.homes(HOSTS))
    assert residue(before, settled(desk.fleet, PORTS, before, 5.0), names) == []
    history = History(state)
    try:
        assert len(history.runs()) == RUNS
    finally:
        history.close()
