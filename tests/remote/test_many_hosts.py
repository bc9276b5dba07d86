"""Many hosts at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from fleetpush.errors import HostError
from fleetpush.inventory.load import load
from fleetpush.remote.target import target_of
from tests.fleet.sshd import SshdFleet, sshd_fleet
from tests.remote.listener import Listener
from tests.remote.talk import (
    Plugin,
    eventually,
    run,
    says_hello,
    settings,
    target,
    with_connectors,
)

if TYPE_CHECKING:
    from pathlib import Path

    from fleetpush.remote.connectors import Connectors

pytestmark = [pytest.mark.sshd, pytest.mark.usefixtures("plugin")]


def test_each_host_has_a_home_of_its_own(fleet: SshdFleet) -> None:
    async def work(connectors: Connectors) -> None:
        for index in (0, 7):
            conn = await connectors.connect(target(fleet, index))
            await run(conn, "pwd > where")
            await conn.close()
            where = fleet.home(index) / "where"
            assert where.read_text().strip() == str(fleet.home(index))

    with_connectors(settings(fleet), work)


def test_an_sshd_at_its_max_startups_is_tried_again_until_all_are_in() -> None:
    with sshd_fleet(60, config="MaxStartups 3:100:5") as fleet:
        hosts = [target(fleet, index) for index in range(60)]
        says_hello(settings(fleet, connect_timeout=60), *hosts)
        assert "MaxStartups" in fleet.log()


def test_forks_bounds_the_handshakes_under_way(fleet: SshdFleet) -> None:
    with Listener() as listener:

        async def work(connectors: Connectors) -> None:
            there = target(fleet, address="127.0.0.1", port=listener.port)
            results = await asyncio.gather(
                *(connectors.connect(there) for _ in range(12)), return_exceptions=True
            )
            assert all(isinstance(result, HostError) for result in results)

        with_connectors(settings(fleet, connect_timeout=0.3, forks=4), work)
        assert listener.calls == 12
        assert 1 < listener.most <= 5  # the listener sees the end of one a moment after us


def test_a_connect_that_is_cancelled_leaves_its_slot_to_others(fleet: SshdFleet) -> None:
    with Listener() as listener:

        async def work(connectors: Connectors) -> None:
            silent = target(fleet, address="127.0.0.1", port=listener.port)
            waiting = asyncio.create_task(connectors.connect(silent))
            await eventually(lambda: listener.calls == 1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            conn = await connectors.connect(target(fleet))
            assert (await run(conn, "echo hi")).out == b"hi\n"
            await conn.close()

        with_connectors(settings(fleet, forks=1), work)


def test_the_hosts_of_an_inventory_are_reached_as_it_says(fleet: SshdFleet, tmp_path: Path) -> None:
    inventory = load([str(fleet.inventory(tmp_path / "fleet.yaml"))], cwd=tmp_path)
    chosen = settings(fleet, connection=Plugin.name)
    targets = [target_of(host, chosen) for host in inventory.hosts.values()]
    assert targets == [target(fleet, index) for index in range(40)]
    says_hello(chosen, *targets[::10])
