"""Links through SSH: what is forwarded, who is told, and that nothing outlives the run."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from fleetpush.deploy.conductor import Conductor
from fleetpush.deploy.member import ORIGIN
from fleetpush.deploy.relay import Relays
from fleetpush.errors import HostError
from fleetpush.remote.local import LocalConnection
from fleetpush.swarm.plan import plan_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fleetpush.swarm.manifest import Manifest

PATIENCE = 10.0


class Told:
    """Who stands and who failed, as ``Relays`` says."""

    def __init__(self) -> None:
        self.stood: list[str] = []
        self.failures: list[tuple[str, str]] = []
        self.relays = Relays(self.stood.append, lambda *failure: self.failures.append(failure))

    async def until(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.stood) + len(self.failures) < count:
                await asyncio.sleep(0.01)

    async def dial(self, peer: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        port = self.relays.port(peer)
        assert port is not None
        return await asyncio.open_connection("127.0.0.1", port)


class Refusing(LocalConnection):
    async def forward(self, address: str, port: int) -> Any:
        raise HostError("forwarding_prohibited", "it forbids TCP forwarding")


@asynccontextmanager
async def echo() -> AsyncIterator[tuple[str, int]]:
    """A server that says back what it hears, and hangs up on "bye"."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (data := await reader.read(1 << 16)) and data != b"bye":
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[:2]
    finally:
        server.close()


async def test_bytes_pass_both_ways_and_an_end_ends_both_sides() -> None:
    told = Told()
    async with echo() as address:
        told.relays.open("a", LocalConnection("a"), address)
        assert told.relays.port("a") is None
        await told.until(1)
        assert told.stood == ["a"]
        reader, writer = await told.dial("a")
        writer.write(b"x" * 1_000_000)
        assert await reader.readexactly(1_000_000) == b"x" * 1_000_000
        writer.write(b"bye")
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b""
        writer.close()
        await told.relays.close_all()


async def test_a_refusal_is_told_before_anybody_dials() -> None:
    told = Told()
    told.relays.open("a", Refusing("a"), ("127.0.0.1", 1))
    await told.until(1)
    assert told.failures == [("a", "it forbids TCP forwarding")]
    assert told.relays.port("a") is None
    await told.relays.close_all()


async def test_a_host_that_stops_forwarding_later_is_told() -> None:
    told = Told()
    async with echo() as address:
        told.relays.open("a", LocalConnection("a"), address)
        await told.until(1)
    reader, writer = await told.dial("a")
    async with asyncio.timeout(PATIENCE):
        assert await reader.read() == b""
    writer.close()
    await told.until(2)
    assert [peer for peer, _ in told.failures] == ["a"]
    await told.relays.close_all()


async def test_closing_ends_links_and_tasks() -> None:
    told = Told()
    async with echo() as address:
        told.relays.open("a", LocalConnection("a"), address)
        await told.until(1)
        port = told.relays.port("a")
        reader, writer = await told.dial("a")
        writer.write(b"x")
        await reader.readexactly(1)
        await told.relays.close_all()
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b""
        writer.close()
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", port)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def agent(peer: str, said: list[dict[str, Any]], inside: tuple[str, int]) -> Any:
    """As much of a member as the conductor looks at."""
    return SimpleNamespace(
        peer=peer,
        rack="",
        have=0,
        caller="",
        address=("192.0.2.1", 47600),
        inside=inside,
        connection=LocalConnection(peer),
        channel=SimpleNamespace(say=said.append),
        figures=SimpleNamespace(links=0),
    )


async def test_a_relayed_edge_that_changes_keeps_the_relays_port() -> None:
    plan = plan_for("tree", ORIGIN, random.Random(0))
    conductor = Conductor(asyncio.get_running_loop(), cast("Manifest", None), plan)
    to_origin: list[dict[str, Any]] = []
    async with echo() as address:
        members = {peer: agent(peer, [], address) for peer in "ab"}
        members[ORIGIN] = agent(ORIGIN, to_origin, address)
        conductor.join(members[ORIGIN])
        conductor.join(members["a"])
        conductor.dial_failed(members[ORIGIN], "a")
        conductor.dial_failed(members["a"], ORIGIN)
        # The first dial and the reverse came in one turn of the loop: the last word stands.
        reverse, relayed = await edges_to_a(to_origin, 2)
        assert reverse == ("192.0.2.1", 47600)
        assert relayed[0] == "127.0.0.1"
        conductor.join(members["b"])  # takes one of the places of "a" at the origin
        assert (await edges_to_a(to_origin, 3))[2] == relayed
        await conductor.close()


async def edges_to_a(said: list[dict[str, Any]], count: int) -> list[tuple[str, int]]:
    """The addresses for "a" that the origin was given, once there are so many."""
    async with asyncio.timeout(PATIENCE):
        while True:
            edges = [e for m in said if m["do"] == "edges" for e in m["edges"]]
            found = [e["address"] for e in edges if e["peer"] == "a"]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.01)
