"""Who tells the peers of a run about each other: the tracker's driver, or the list of contacts."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from fleetpush.deploy.conductor import Conductor
from fleetpush.deploy.contacts import ContactList
from fleetpush.deploy.member import ORIGIN
from fleetpush.swarm.plan import plan_for

if TYPE_CHECKING:
    from fleetpush.deploy.options import DeployOptions
    from fleetpush.swarm.manifest import Manifest
    from fleetpush.swarm.plan.shares import Shares


def conducting(
    options: DeployOptions, manifest: Manifest, topology: str, shares: Shares | None
) -> Conductor | ContactList:
    """``shares``: the origins, where they are hosts. Called in the event loop."""
    loop = asyncio.get_running_loop()
    if options.discovery == "gossip":
        return ContactList(loop, manifest)
    first, *others = (ORIGIN,) if shares is None else shares.origins
    plan = plan_for(
        topology,
        first,
        random.Random(),
        *others,
        chunks=manifest.chunks,
        fanout=options.tree_fanout,
    )
    return Conductor(loop, manifest, plan, shares)
