"""What agents are told of each other, and when."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from fleetpush.deploy.conductor import Conductor
from fleetpush.deploy.member import ORIGIN
from fleetpush.swarm.plan import plan_for
from fleetpush.swarm.plan.mesh import DEGREE

if TYPE_CHECKING:
    from fleetpush.deploy.member import Member
    from fleetpush.swarm.manifest import Manifest

PATIENCE = 10.0
HOSTS = 12


class Introduced:
    """How many others each agent was told of."""

    def __init__(self) -> None:
        self.to: Counter[str] = Counter()

    def agent(self, peer: str) -> Member:
        def say(message: dict[str, Any]) -> None:
            self.to[peer] += len(message["edges"])

        fake = SimpleNamespace(
            peer=peer,
            rack="",
            have=0,
            caller="",
            address=("192.0.2.1", 47600),
            is_origin=peer == ORIGIN,
            channel=SimpleNamespace(say=say),
        )
        return cast("Member", fake)


async def test_soon_after_the_last_newcomer_nobody_is_short_of_neighbours() -> None:
    """Without a tick: a short run would be over before one."""
    plan = plan_for("mesh", ORIGIN, random.Random(4))
    conductor = Conductor(asyncio.get_running_loop(), cast("Manifest", None), plan)
    introduced = Introduced()
    for peer in (ORIGIN, *(f"h{number}" for number in range(HOSTS))):
        conductor.join(introduced.agent(peer))
    at_once = 0
    async with asyncio.timeout(PATIENCE):
        while min(introduced.to[f"h{number}"] for number in range(HOSTS)) < DEGREE:
            await asyncio.sleep(0.01)
            at_once = at_once or sum(introduced.to.values())
    assert sum(introduced.to.values()) > at_once, "what came when they had settled"
    await conductor.close()


async def test_whoever_is_closed_says_nothing_more() -> None:
    plan = plan_for("mesh", ORIGIN, random.Random(4))
    conductor = Conductor(asyncio.get_running_loop(), cast("Manifest", None), plan)
    introduced = Introduced()
    for peer in (ORIGIN, *(f"h{number}" for number in range(HOSTS))):
        conductor.join(introduced.agent(peer))
    await asyncio.sleep(0)
    said = introduced.to.total()
    await conductor.close()
    await asyncio.sleep(0.3)
    assert introduced.to.total() == said
