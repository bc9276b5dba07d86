"""A local process whose start is broken off half-way does not go on without anybody to end it."""

from __future__ import annotations

import asyncio
import time

import pytest

from fleetpush.remote.connection import Target
from fleetpush.remote.local import LocalConnector
from tests.remote.talk import Heard


@pytest.mark.parametrize("steps", range(12))
def test_a_start_that_is_cancelled_leaves_no_process(steps: int) -> None:
    async def start_and_cancel() -> list[int | None]:
        connector = LocalConnector()
        connection = await connector.connect(Target(name="here", address="localhost"))
        starting = asyncio.create_task(connection.start("sleep 60", Heard()))
        for _ in range(steps):
            await asyncio.sleep(0)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        started = [process._popen for process in connection._processes]
        if starting.cancelled():
            give_up = time.monotonic() + 5
            while any(popen.poll() is None for popen in started) and time.monotonic() < give_up:
                await asyncio.sleep(0.01)
            found = [popen.poll() for popen in started]
            for popen in started:
                popen.kill()
            return found
        starting.result().kill()
        for popen in started:
            popen.wait()
        return [0]

    assert None not in asyncio.run(start_and_cancel())
