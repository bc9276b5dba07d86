"""A deploy thought through: what would be done, how long it must take and how long it is likely to."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fleetpush.deploy.fleet import choose
from fleetpush.deploy.named_sources import refuse_here
from fleetpush.deploy.planning.bound import Content, limits, slow_hosts
from fleetpush.deploy.planning.network import Grounds, Rate, network_of
from fleetpush.deploy.planning.prediction import blind, predict
from fleetpush.deploy.planning.processor import measure
from fleetpush.deploy.planning.racks import crossing
from fleetpush.deploy.source import layout_of
from fleetpush.deploy.topology import choose_topology
from fleetpush.errors import InputError
from fleetpush.swarm.manifest import BLOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fleetpush.deploy.fleet import Place
    from fleetpush.deploy.options import DeployOptions
    from fleetpush.deploy.planning.bound import Limit, SlowHosts
    from fleetpush.deploy.planning.network import GivenRates, Network
    from fleetpush.deploy.planning.prediction import Prediction
    from fleetpush.deploy.planning.processor import Processor
    from fleetpush.deploy.planning.racks import Crossing
    from fleetpush.deploy.topology import Plan
    from fleetpush.swarm.manifest import Manifest

LOGIN_S = 0.5
"""Seconds from the first packet of SSH to an agent that is ready, on an idle server not far away."""

LOGIN_CPU_S = 0.006
"""Seconds of this machine's processor for one host's handshake and agent, as the README measures them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployPlan:
    """Sizes in bytes, rates in bytes a second, times in seconds. ``layout``'s digests are blank."""

    options: DeployOptions
    topology: Plan
    layout: Manifest
    notes: tuple[str, ...]
    places: tuple[Place, ...]
    network: Network
    processor: Processor | None
    limits: tuple[Limit, ...]
    """The narrowest first; none where nothing has to move."""
    predictions: dict[Plan, Prediction]
    slow: SlowHosts | None
    crossing: Crossing
    blind: Prediction
    """What the plan would come to if it did not know of racks."""
    connect_s: float

    @property
    def bound_s(self) -> float:
        return self.limits[0].seconds if self.limits else 0.0

    @property
    def makespan_s(self) -> float:
        return self.predictions[self.topology].makespan_s


def make_plan(
    options: DeployOptions, given: GivenRates, cpu: int | None, warn: Callable[[str], None]
) -> DeployPlan:
    """What ``deploy`` would do with ``options``. Connects to nobody, reads no content, changes nothing.

    ``cpu`` is what one agent can move; None measures it here, 0 leaves it out. Raises InputError and
    UsageError as ``deploy`` does before it touches a host, and InputError for chunks larger than the content.
    """
    topology = choose_topology(options.topology, options.tree_fanout, options.discovery)
    refuse_here(options, "plan")
    places = choose(options, warn)
    layout, notes = layout_of(options.sources, options.chunk_size, len(places), options.exclude)
    _refuse_beyond(layout, options.chunk_size)
    processor = _measured(options, warn) if cpu is None else None
    given = replace(given, bwlimit=options.bwlimit, host_bwlimit=options.host_bwlimit)
    network = network_of(places, given, cpu=_cpu_rate(cpu, processor))
    content = Content(layout.size, layout.chunks)
    predictions = predict(network, content, options.tree_fanout)
    return DeployPlan(
        options=options,
        topology=topology,
        layout=layout,
        notes=notes,
        places=tuple(places),
        network=network,
        processor=processor,
        limits=tuple(limits(network, content)),
        predictions=predictions,
        slow=slow_hosts(network, content),
        crossing=crossing(network, content),
        blind=blind(topology, network, content, options.tree_fanout),
        connect_s=connecting(len(places), options.ssh.forks),
    )


def _refuse_beyond(layout: Manifest, wanted: int | None) -> None:
    """A deploy puts up with it, for what a nightly push finds may be small; who plans should learn of it."""
    if wanted is not None and layout.chunk_size > max(-(-layout.size // BLOCK), 1) * BLOCK:
        raise InputError(
            f"a chunk size of {wanted} bytes, and the content has {layout.size} in all."
            " Give a smaller --chunk-size, or leave it out"
        )


def _measured(options: DeployOptions, warn: Callable[[str], None]) -> Processor | None:
    try:
        return measure(encrypted=options.encrypt)
    except OSError as error:
        warn(f"what a processor can move was not measured: {error.strerror}; --cpu RATE says it")
        return None


def _cpu_rate(given: int | None, processor: Processor | None) -> Rate | None:
    if given:
        return Rate(given, Grounds.FLAG)
    return Rate(processor.rate, Grounds.MEASURED) if processor is not None else None


def connecting(hosts: int, forks: int) -> float:
    """Seconds until the last of ``hosts`` has an agent, ``forks`` handshakes at a time."""
    return max(math.ceil(hosts / forks) * LOGIN_S, hosts * LOGIN_CPU_S)


def assumptions(plan: DeployPlan) -> list[str]:
    """What the figures rest on where nobody said, and who can say it."""
    network, found = plan.network, []
    if network.origin_uplink.grounds is Grounds.ASSUMED:
        found.append("origin's uplink unknown; assumed 1 Gbit/s (give --origin-uplink)")
    for what in ("uplink", "downlink"):
        rates = [getattr(host, what) for host in network.hosts]
        found += _unknown_links(what, rates)
    unknown = sum(host.disk is None for host in network.hosts)
    if unknown:
        of = _of(unknown, len(network.hosts))
        found.append(f"disk of {of} unknown; not counted (give fleetpush_disk or --disk)")
    if plan.crossing.racks > 1 and network.rack_uplink is None:
        found.append("uplinks of the racks unknown; not counted (give --rack-uplink)")
    if plan.processor is not None:
        found.append("hosts assumed to have processors like this machine's (give --cpu)")
    return found


def _unknown_links(what: str, rates: Sequence[Rate]) -> list[str]:
    give = f"(give fleetpush_{what} or --{what})"
    found = []
    if assumed := sum(rate.grounds is Grounds.ASSUMED for rate in rates):
        of = _of(assumed, len(rates))
        found.append(f"{what} of {of} unknown; assumed 1 Gbit/s {give}")
    if mirrored := sum(rate.grounds is Grounds.OTHER_WAY for rate in rates):
        other = "downlink" if what == "uplink" else "uplink"
        found.append(
            f"{what} of {_of(mirrored, len(rates))} unknown; assumed to equal the {other} {give}"
        )
    return found


def _of(count: int, total: int) -> str:
    if count == total:
        return "every host" if total > 1 else "the host"
    return f"{count:,} of {total:,} hosts"
