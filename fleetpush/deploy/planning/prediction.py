"""How long each plan is likely to take: the least that its shape allows, times what it falls short by.

The factors are those of the simulation study that the design rests on (2026-11; ratios of makespan to bound
for 31 hosts / 1,000 chunks, 1,000 / 250 and 1,000 / 1,000; a model without TCP's slow start, processors and
disks): the worst of the three for each plan. A run over real links takes longer still.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from fleetpush.deploy.planning.bound import bound
from fleetpush.deploy.planning.racks import crossing
from fleetpush.deploy.topology import PLANS

if TYPE_CHECKING:
    from fleetpush.deploy.planning.bound import Content
    from fleetpush.deploy.planning.network import Network
    from fleetpush.deploy.topology import Plan

FACTORS: dict[Plan, float] = {"mesh": 1.06, "tree": 1.01, "star": 1.0}
CROSS_ONCE: frozenset[Plan] = frozenset({"mesh", "tree"})
"""The plans that bring about one copy into each rack; the others fetch from any rack alike."""

STRIPES = 2
"""Trees that ``--topology tree`` weaves where no fan-out is asked for."""


class Prediction(NamedTuple):
    """Seconds: the least for a plan of this shape, and what is expected."""

    floor_s: float
    factor: float

    @property
    def makespan_s(self) -> float:
        return self.floor_s * self.factor


def predict(network: Network, content: Content, tree_fanout: int | None) -> dict[Plan, Prediction]:
    """Every plan, so that one can choose. ``tree_fanout``: None for the striped trees."""
    return {
        plan: Prediction(floor(plan, network, content, tree_fanout), FACTORS[plan])
        for plan in PLANS
    }


def floor(plan: Plan, network: Network, content: Content, tree_fanout: int | None) -> float:
    """The least seconds for ``plan``. Never below the bound."""
    if not network.hosts or not content.size:
        return 0.0
    least = bound(network, content)
    if plan == "star":
        return max(least, _star(network, content))
    if plan not in CROSS_ONCE:
        least = max(least, crossing(network, content).blind_s or 0.0)
    if plan == "mesh":
        return least
    if tree_fanout is None:
        return max(least, _striped(network, content))
    return max(least, _plain(network, content, tree_fanout))


def blind(plan: Plan, network: Network, content: Content, tree_fanout: int | None) -> Prediction:
    """As ``predict`` has it for ``plan``, if it did not know of racks."""
    least = floor(plan, network, content, tree_fanout)
    if plan in CROSS_ONCE:
        least = max(least, crossing(network, content).blind_s or 0.0)
    return Prediction(least, FACTORS[plan])


def _star(network: Network, content: Content) -> float:
    """N copies leave the origin; a rack takes in one for each of its members."""
    copies = len(network.hosts)
    seconds = copies * content.size / network.origin_uplink.value
    if network.cpu is not None:
        # Sending alone is about half of an agent's work, and there is nothing to receive.
        seconds = max(seconds, copies * content.size / (2 * network.cpu.value))
    if network.rack_uplink is not None:
        largest = max(len(members) for members in network.racks().values())
        seconds = max(seconds, largest * content.size / network.rack_uplink.value)
    return seconds


def _striped(network: Network, content: Content) -> float:
    """Every host passes on one copy, half of the chunks to two children; anyone may be a parent.

    F/r * (1 + m * depth / k): each level waits for a chunk that shares its parent's uplink with m - 1 others.
    """
    hosts = len(network.hosts)
    slowest = min(host.intake.value for host in network.hosts)
    if hosts > 1:
        slowest = min(slowest, *(host.uplink.value for host in network.hosts))
    slowest = min(slowest, network.origin_uplink.value)
    depth = math.ceil(math.log2(hosts + 1))
    return (content.size + STRIPES * depth * content.chunk) / slowest


def _plain(network: Network, content: Content, fanout: int) -> float:
    """Every parent sends a copy to each of its ``fanout`` children; the last level waits for all above."""
    hosts = len(network.hosts)
    depth, level, reached = 1, fanout, fanout
    while reached < hosts:
        level *= fanout
        reached += level
        depth += 1
    seconds = min(fanout, hosts) * content.size / network.origin_uplink.value
    if hosts <= fanout:
        return seconds
    uplink = min(host.uplink.value for host in network.hosts)
    intake = min(host.intake.value for host in network.hosts)
    seconds = max(seconds, fanout * content.size / uplink, content.size / intake)
    if network.cpu is not None:
        # Receiving once and sending as often as there are children, each about half of an agent's work.
        seconds = max(seconds, (1 + fanout) / 2 * content.size / network.cpu.value)
    return seconds + (depth - 1) * fanout * content.chunk / min(uplink, fanout * intake)
