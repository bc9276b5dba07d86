"""The bound: the least time in which a file can reach a fleet, and what it is that takes so long.

Every limit holds for whatever plan: so much has to pass through something that does so much a second.
- the origin sends every byte once; the last chunk it sends must then double its way to all N hosts, each
  doubling one chunk's time at least (Bar-Noy and Kipnis, "Broadcasting multiple messages in simultaneous
  send/receive systems", 1994). With equal rates B that is F/B * (k - 1 + ceil(log2(N + 1))) / k.
- every host takes in F by its downlink and its disk;
- N copies leave the origin and the hosts (Mundinger, Weber and Weiss, "Optimal scheduling of peer-to-peer
  file dissemination", 2008);
- every rack takes in one copy at least, and n copies in all by its uplink and its own members' uplinks.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from fleetpush.inventory.nodeset import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fleetpush.deploy.planning.network import Machine, Network, Rate

FEW = 48
"""Letters that names may take up in a sentence."""

SLOW = 0.5
"""A host that takes in less than this share of the fleet's median is called slow."""


class Content(NamedTuple):
    """What is moved: ``size`` bytes in ``chunks`` chunks."""

    size: int
    chunks: int

    @property
    def chunk(self) -> float:
        """Bytes in a chunk, on average."""
        return self.size / self.chunks if self.chunks else 0.0


class Limit(NamedTuple):
    """``seconds`` that one resource takes at least, ``rate`` in bytes a second. ``reason`` is a clause."""

    resource: str
    seconds: float
    rate: float
    grounds: str
    reason: str
    hosts: tuple[str, ...] = ()


class SlowHosts(NamedTuple):
    """Hosts without which the rest would be done within ``seconds``, ``saved`` seconds sooner."""

    hosts: tuple[str, ...]
    seconds: float
    saved: float


def limits(network: Network, content: Content) -> list[Limit]:
    """All that limits the exchange, the narrowest first; none where nothing has to move."""
    if not network.hosts or not content.size:
        return []
    found = [
        _origin(network, content),
        *_hosts(network.hosts, content),
        _together(network, content),
        *_racks(network, content),
    ]
    if network.cpu is not None:
        seconds = content.size / network.cpu.value
        found.append(_limit("cpu", seconds, network.cpu, "what an agent's processor can move"))
    return sorted(found, key=lambda limit: -limit.seconds)


def bound(network: Network, content: Content) -> float:
    """Seconds; 0 where nothing has to move."""
    return max((limit.seconds for limit in limits(network, content)), default=0.0)


def slow_hosts(network: Network, content: Content) -> SlowHosts | None:
    """The hosts that hold the bound up, if they are few and much slower than the others."""
    intakes = sorted(host.intake.value for host in network.hosts)
    if len(intakes) < 2:
        return None
    median = intakes[len(intakes) // 2]
    quick = tuple(host for host in network.hosts if host.intake.value >= SLOW * median)
    without = bound(replace(network, hosts=quick), content)
    saved = bound(network, content) - without
    if saved <= 0:
        return None
    names = {host.name for host in quick}
    slow = tuple(host.name for host in network.hosts if host.name not in names)
    return SlowHosts(slow, without, saved)


def _limit(
    resource: str, seconds: float, rate: Rate, reason: str, hosts: Sequence[str] = ()
) -> Limit:
    return Limit(resource, seconds, rate.value, rate.grounds.value, reason, tuple(hosts))


def _origin(network: Network, content: Content) -> Limit:
    """The uplink of the origin, then the doublings of its last chunk at the fastest uplink of all."""
    uplink = network.origin_uplink
    fastest = max(uplink.value, *(host.uplink.value for host in network.hosts))
    doublings = math.ceil(math.log2(len(network.hosts) + 1)) - 1
    seconds = content.size / uplink.value + doublings * content.chunk / fastest
    return _limit("origin_uplink", seconds, uplink, "the origin's uplink")


def _hosts(hosts: Sequence[Machine], content: Content) -> Iterator[Limit]:
    """The slowest downlinks and disks."""
    parts: tuple[tuple[str, Callable[[Machine], Rate | None]], ...] = (
        ("downlink", lambda host: host.downlink),
        ("disk", lambda host: host.disk),
    )
    for what, rate_of in parts:
        known = [(rate, host.name) for host in hosts if (rate := rate_of(host)) is not None]
        if known:
            least = min((rate for rate, _ in known), key=lambda rate: rate.value)
            names = [name for rate, name in known if rate.value == least.value]
            where = "every host" if len(names) == len(hosts) > 1 else few(names)
            seconds = content.size / least.value
            yield _limit(what, seconds, least, f"the {what} of {where}", names)


def _together(network: Network, content: Content) -> Limit:
    """N copies through every uplink there is."""
    rate = network.origin_uplink.value + sum(host.uplink.value for host in network.hosts)
    seconds = len(network.hosts) * content.size / rate
    grounds = _weakest([network.origin_uplink, *(host.uplink for host in network.hosts)])
    return Limit("uplinks", seconds, rate, grounds, "all uplinks together")


def _racks(network: Network, content: Content) -> Iterator[Limit]:
    uplink = network.rack_uplink
    if uplink is None:
        return
    seconds = content.size / uplink.value
    yield _limit("rack_uplink", seconds, uplink, "one copy through each rack's uplink")
    worst: Limit | None = None
    for rack, members in network.racks().items():
        rate = uplink.value + sum(host.uplink.value for host in members)
        seconds = len(members) * content.size / rate
        if worst is None or seconds > worst.seconds:
            grounds = _weakest([uplink, *(host.uplink for host in members)])
            names = tuple(host.name for host in members)
            reason = f"the uplinks of {name_of(rack)} and its hosts together"
            worst = Limit("rack_uplinks", seconds, rate, grounds, reason, names)
    if worst is not None:
        yield worst


def few(names: Sequence[str]) -> str:
    """``names`` in a few words."""
    folded = fold(names)
    if len(folded) <= FEW:
        return folded
    return f"{len(names):,} hosts, {names[0]} among them"


def name_of(rack: str) -> str:
    """How a rack is called in a sentence."""
    return f"rack {rack}" if rack else "the hosts without a rack"


def _weakest(rates: Sequence[Rate]) -> str:
    """A sum is no better known than its least known part."""
    order = ("assumed", "measured", "other_direction", "limit", "declared", "flag")
    return min((rate.grounds.value for rate in rates), key=order.index)
