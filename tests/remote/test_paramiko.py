"""What only a connection of threads can get wrong."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from paramiko.common import cMSG_CHANNEL_DATA, cMSG_CHANNEL_EOF
from paramiko.message import Message

from tests.remote.talk import Plugin, run, settings, target, with_connectors

if TYPE_CHECKING:
    from fleetpush.remote.connectors import Connectors
    from tests.fleet.sshd import SshdFleet

pytestmark = pytest.mark.sshd


def test_what_a_thread_sends_too_late_does_not_cost_the_connection(
    fleet: SshdFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Plugin, "name", "paramiko")

    async def work(connectors: Connectors) -> None:
        conn = await connectors.connect(target(fleet))
        transport = conn._link.transport

        def close_and_go_on() -> None:
            channel = transport.open_session()
            channel.exec_command("true")
            while not channel.closed:
                time.sleep(0.01)
            transport.global_request("keepalive@openssh.com")  # answered when the close was seen
            for kind, rest in ((cMSG_CHANNEL_DATA, b"late"), (cMSG_CHANNEL_EOF, None)):
                message = Message()
                message.add_byte(kind)
                message.add_int(channel.remote_chanid)
                if rest is not None:
                    message.add_string(rest)
                transport._send_user_message(message)

        await asyncio.to_thread(close_and_go_on)
        # The server gives the number out again: a new channel must not be taken for the closed one.
        for _ in range(3):
            assert (await run(conn, "cat", b"still there")).out == b"still there"
        await conn.close()

    with_connectors(settings(fleet), work)
