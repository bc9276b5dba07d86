"""Jump hosts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from fleetpush.errors import HostError
from tests.fleet.sshd import SshdFleet, sshd_fleet
from tests.remote.talk import (
    Heard,
    connections_to,
    eventually,
    failure,
    run,
    says_hello,
    settings,
    target,
    with_connectors,
)

if TYPE_CHECKING:
    from fleetpush.remote.connectors import Connectors

pytestmark = [pytest.mark.sshd, pytest.mark.usefixtures("plugin")]


def hop(fleet: SshdFleet, index: int) -> str:
    return f"{fleet.user}@{fleet.addresses[index]}:{fleet.port}"


def test_hosts_behind_a_jump_host_share_one_connection_to_it(quiet_fleet: SshdFleet) -> None:
    fleet = quiet_fleet
    before = connections_to(fleet, 0)
    chosen = settings(fleet, private_key=fleet.key)
    says_hello(chosen, *(target(fleet, i, jump=hop(fleet, 0)) for i in range(2, 22)))
    assert connections_to(fleet, 0) - before == 1
    assert connections_to(fleet, 21) == 1


def test_a_chain_of_jump_hosts_shares_every_hop(quiet_fleet: SshdFleet) -> None:
    fleet = quiet_fleet
    before = connections_to(fleet, 0)
    chosen = settings(fleet, private_key=fleet.key)
    chain = f"{hop(fleet, 0)},{hop(fleet, 1)}"
    direct = target(fleet, 2, jump=hop(fleet, 0))
    says_hello(chosen, direct, *(target(fleet, i, jump=chain) for i in range(3, 9)))
    assert connections_to(fleet, 0) - before == 1
    assert connections_to(fleet, 1) == 1


def test_a_lost_jump_host_is_connected_anew_for_later_hosts(quiet_fleet: SshdFleet) -> None:
    fleet = quiet_fleet

    async def work(connectors: Connectors) -> None:
        for index in (1, 2):
            conn = await connectors.connect(target(fleet, index, jump=hop(fleet, 0)))
            assert (await run(conn, "echo hi")).out == b"hi\n"
            heard = Heard()
            await conn.start("cat", heard)
            fleet.cut()
            assert (await heard.end())[0] is None
            await eventually(lambda: not fleet.sessions())

    with_connectors(settings(fleet, private_key=fleet.key), work)


def test_a_jump_host_that_fails_is_named_for_every_host_behind_it(
    fleet: SshdFleet, unused_port: int
) -> None:
    broken = f"{fleet.user}@{fleet.addresses[0]}:{unused_port}"

    async def work(connectors: Connectors) -> None:
        hosts = [target(fleet, i, jump=broken) for i in range(6)]
        results = await asyncio.gather(
            *(connectors.connect(one) for one in hosts), return_exceptions=True
        )
        for error in results:
            assert isinstance(error, HostError)
            assert error.slug == "jump_failed"
            assert broken in str(error)
            assert error.failure.unreachable

    with_connectors(settings(fleet), work)


def test_a_jump_host_says_which_host_it_cannot_reach(fleet: SshdFleet, unused_port: int) -> None:
    chosen = settings(fleet, private_key=fleet.key)
    error = failure(chosen, target(fleet, 1, jump=hop(fleet, 0), port=unused_port))
    assert error.slug == "connection_refused"
    assert fleet.addresses[1] in str(error)
    assert hop(fleet, 0) in str(error)


def test_forbidden_forwarding_is_told_apart(fleet: SshdFleet) -> None:
    with sshd_fleet(2, config="AllowTcpForwarding no") as closed:
        chosen = settings(closed, private_key=closed.key)
        error = failure(chosen, target(closed, 1, jump=hop(closed, 0)))
        assert error.slug == "jump_failed"
        assert "AllowTcpForwarding" in str(error)

        async def work(connectors: Connectors) -> None:
            conn = await connectors.connect(target(closed))
            with pytest.raises(HostError) as refusal:
                await conn.forward("127.0.0.1", closed.port)
            assert refusal.value.slug == "forwarding_prohibited"
            await conn.close()

        with_connectors(chosen, work)


def test_a_jump_spec_that_makes_no_sense_is_the_hosts_failure(fleet: SshdFleet) -> None:
    error = failure(settings(fleet), target(fleet, jump="me@bastion:ssh"))
    assert error.slug == "jump_failed"
    assert "me@bastion:ssh" in str(error)
