"""An agent's word about who does not keep up with it: what of it is believed, and what comes of it."""

from __future__ import annotations

import asyncio
import json
import random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fleetpush.deploy.conductor import Conductor
from fleetpush.deploy.member import ORIGIN, Member
from fleetpush.deploy.options import DeployOptions
from fleetpush.deploy.runner import Run
from fleetpush.deploy.said import paces_in
from fleetpush.swarm.plan import plan_for

PATIENCE = 10.0
HOSTS = 20
CRAWLS = 0.1
NAN, INFINITE = float("nan"), float("inf")
BAD_PACES = [
    NAN,
    INFINITE,
    -INFINITE,
    -0.01,
    1.01,
    2,
    10**400,
    True,
    False,
    "0.5",
    "",
    None,
    [],
    {},
]


@pytest.mark.parametrize(
    "paces", [{}, {"1": 0}, {"1": 1}, {"1": 0.0, "2": 1.0, "": 0.5, "\ud800": 0.25}]
)
def test_shares_are_taken_as_they_are(paces: dict[str, float]) -> None:
    assert paces_in({"is": "behind", "paces": paces, "all": False}) == paces


@pytest.mark.parametrize("value", BAD_PACES, ids=lambda v: repr(v)[:9])
def test_what_is_no_share_of_anything_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="shares"):
        paces_in({"paces": {"1": 0.5, "2": value}})


@pytest.mark.parametrize("paces", [None, [], [["1", 0.5]], "1", 0.5, True])
def test_paces_of_nobody_by_name_are_refused(paces: object) -> None:
    with pytest.raises(ValueError, match="shares"):
        paces_in({"paces": paces})


class Deaf:
    def handle(self, event: object) -> None:
        """Nobody looks."""


class Process:
    """Of an agent: what it was told is kept."""

    def __init__(self) -> None:
        self.killed = False
        self.told: list[dict[str, Any]] = []

    def write(self, data: bytes) -> None:
        self.told += [json.loads(line) for line in data.splitlines() if line.startswith(b"{")]

    def kill(self) -> None:
        self.killed = True


class Deploy:
    """A run whose agents are ours, as far as they say who falls behind."""

    def __init__(self) -> None:
        self.run = Run(DeployOptions(sources=("x",), inventories=("y",)), Deaf())
        plan = plan_for("mesh", ORIGIN, random.Random(0))
        loop = asyncio.get_running_loop()
        manifest = cast("Any", SimpleNamespace(chunks=500))
        self.conductor = self.run._conductor = Conductor(loop, manifest, plan)
        self.processes: dict[str, Process] = {}
        self.members: dict[str, Member] = {}
        for peer in (ORIGIN, *map(str, range(HOSTS))):
            self._begin(peer)
        self.run._chronicle.started([m for p, m in self.members.items() if p != ORIGIN])
        for member in self.members.values():
            self.conductor.join(member)

    def _begin(self, peer: str) -> None:
        member = self.members[peer] = Member(peer, f"n{peer}", "", self.run._changed)
        member.address = member.inside = ("192.0.2.1", 47600)
        process = self.processes[peer] = Process()
        member.channel.attach(cast("Any", process), b"")
        member.channel.stdout(f"\n{member.channel.marker}\n".encode())

    def say(self, peer: str, message: dict[str, Any]) -> None:
        self.members[peer].channel.stdout(json.dumps(message).encode() + b"\n")

    def feeds(self, peer: str) -> set[str]:
        """Whom ``peer`` feeds by a route, by what it was told last."""
        edges: dict[str, Any] = {}
        for message in self.processes[peer].told:
            edges.update((e["peer"], e["route"]) for e in message.get("edges", ()))
        return {other for other, (down, _, _) in edges.items() if down}


async def test_who_is_said_to_be_behind_is_told_to_feed_nobody_any_more() -> None:
    deploy = Deploy()
    await asyncio.sleep(0)
    slow = next(other for other in sorted(deploy.feeds(ORIGIN)) if deploy.feeds(other))
    deploy.say(ORIGIN, {"is": "behind", "paces": {slow: CRAWLS}, "all": False})
    async with asyncio.timeout(PATIENCE):
        while deploy.feeds(slow):
            await asyncio.sleep(0.01)
    assert slow not in deploy.feeds(ORIGIN)
    assert not any(process.killed for process in deploy.processes.values())
    await deploy.conductor.close()


@pytest.mark.parametrize(
    "said",
    [{}, {"paces": []}, *({"paces": {"1": value}} for value in (NAN, INFINITE, True, "1", -1, 2))],
    ids=str,
)
async def test_nonsense_about_others_ends_the_agent_that_says_it(said: dict[str, Any]) -> None:
    deploy = Deploy()
    deploy.say("0", {"is": "behind", "all": False, **said})
    assert deploy.members["0"].result().slug == "bad_agent"
    assert {peer for peer, process in deploy.processes.items() if process.killed} == {"0"}
    await deploy.conductor.close()
