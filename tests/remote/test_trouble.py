"""Hosts that do not answer as they should."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncssh
import pytest

from fleetpush.errors import HostError
from fleetpush.remote.connection import Target
from tests.fleet.sshd import SshdFleet, sshd_fleet
from tests.remote.listener import Listener
from tests.remote.talk import (
    Heard,
    Plugin,
    bare_settings,
    failure,
    run,
    settings,
    target,
    with_connectors,
)

if TYPE_CHECKING:
    from pathlib import Path

    from fleetpush.remote.connectors import Connectors

pytestmark = [pytest.mark.sshd, pytest.mark.usefixtures("plugin")]


def test_a_closed_port_refuses(fleet: SshdFleet, unused_port: int) -> None:
    error = failure(settings(fleet), target(fleet, port=unused_port))
    assert error.slug == "connection_refused"
    assert str(unused_port) in str(error)


def test_a_name_that_cannot_resolve_is_named(fleet: SshdFleet) -> None:
    error = failure(settings(fleet), target(fleet, address="no..such..host"))
    assert error.slug == "name_resolution"
    assert "no..such..host" in str(error)


@pytest.mark.parametrize(
    ("greeting", "slug"),
    [
        (b"", "unreachable_timeout"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "unreachable_timeout"),
        (b"SSH-1.5-ancient\r\n", "not_ssh"),
        (b"SSH-2.0-\xff\xfe\r\n", "not_ssh"),
        (b"SSH-2.0-x\r\n" + bytes(5000), "not_ssh"),
        (b"HTTP/1.1 400 Bad Request\r\n" * 4000, "not_ssh"),
    ],
)
def test_a_port_without_an_sshd_costs_the_time_out_at_most(
    fleet: SshdFleet, greeting: bytes, slug: str
) -> None:
    if Plugin.name == "openssh" and b"\xff" in greeting:
        slug = "unreachable_timeout"  # any bytes are a version to it: it waits for more
    slugs = {slug}
    if Plugin.name == "openssh" and greeting.endswith(b"\0"):
        slugs.add(
            "unreachable_timeout"
        )  # to it that begins a packet: whose time-out is first is chance
    # Who is refused for what it says is refused at once; a busy machine needs its time to hear it.
    patience = 0.4 if "unreachable_timeout" in slugs else 5.0
    with Listener(greeting) as listener:
        there = target(fleet, address="127.0.0.1", port=listener.port)
        assert failure(settings(fleet, connect_timeout=patience), there).slug in slugs


def test_a_listener_that_hangs_up_is_tried_again_and_named(fleet: SshdFleet) -> None:
    with Listener(hang_up=True) as listener:
        there = target(fleet, address="127.0.0.1", port=listener.port)
        error = failure(settings(fleet, connect_timeout=1.5), there)
        assert error.slug == "handshake_refused"
        assert "MaxStartups" in str(error)
        assert listener.calls > 1


def test_a_login_that_never_ends_times_out_by_its_own_clock(tmp_path: Path) -> None:
    class Server(asyncssh.SSHServer):
        async def begin_auth(self, _username: str) -> bool:
            await asyncio.sleep(3600)
            return True

    async def work(connectors: Connectors) -> None:
        host_key = asyncssh.generate_private_key("ssh-ed25519")
        listener = await asyncssh.listen(
            "127.0.0.1", 0, server_factory=Server, server_host_keys=[host_key]
        )
        try:
            there = Target(
                name="h",
                address="127.0.0.1",
                port=listener.get_port(),
                user="ann",
                connection=Plugin.name,
            )
            with pytest.raises(HostError, match="login") as error:
                await connectors.connect(there)
            assert error.value.slug == "unreachable_timeout"
        finally:
            listener.close()
            await listener.wait_closed()

    times = {"connect_timeout": 60.0, "login_timeout": 0.3}
    with_connectors(bare_settings(tmp_path, host_key_checking="off", **times), work)


def test_a_cut_connection_ends_its_processes(fleet: SshdFleet) -> None:
    async def work(connectors: Connectors) -> None:
        conn = await connectors.connect(target(fleet))
        heard = Heard()
        process = await conn.start("echo up; cat", heard)
        await heard.until(lambda: heard.out == b"up\n")
        fleet.cut()
        status, reason = await heard.end()
        assert status is None
        assert fleet.addresses[0] in reason
        process.write(b"ignored")
        process.kill()
        with pytest.raises(HostError) as error:
            await conn.start("true", Heard())
        assert error.value.slug == "connection_lost"
        with pytest.raises(HostError):
            await conn.forward("127.0.0.1", 1)
        await conn.close()
        assert len(heard.ends) == 1

    with_connectors(settings(fleet), work)


def test_a_chatty_shell_speaks_before_the_command_and_leaves_stdin_alone() -> None:
    with sshd_fleet(1, noisy=True) as fleet:

        async def work(connectors: Connectors) -> None:
            conn = await connectors.connect(target(fleet))
            heard = await run(conn, "cat", b"payload")
            assert heard.out.startswith(b"Welcome")
            assert heard.out.endswith(b"\npayload")
            assert b"stty" in heard.err
            await conn.close()

        with_connectors(settings(fleet), work)
