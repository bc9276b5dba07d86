"""The bound of a run that is over: by the rates that its hosts declare, else by what was seen."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from fleetpush.deploy.planning.bound import limits
from fleetpush.deploy.planning.network import (
    GivenRates,
    Grounds,
    Machine,
    Network,
    Rate,
    machine_of,
    network_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleetpush.deploy.options import DeployOptions
    from fleetpush.deploy.planning.bound import Content
    from fleetpush.deploy.planning.network import Known

_SOURCE = {
    Grounds.LIMIT: "rate limit",
    Grounds.MEASURED: "best rate of any one host in this run",
}


def bound_of_run(
    fresh: Sequence[Known],
    seeds: Sequence[Known],
    options: DeployOptions,
    observed: float,
    content: Content,
    *,
    origins: int = 1,
) -> tuple[float | None, str]:
    """Seconds for ``content`` to reach the ``fresh`` hosts, and in a clause what takes that long.

    So many ``origins`` sent it. ``seeds`` had everything before; ``observed`` is the best rate of any one
    host, in bytes a second, 0 if nobody knows. (None, "") where there is no rate to go by.
    """
    if not any(any(host.rates) for host in (*fresh, *seeds)):
        return _uniform(len(fresh), options, observed, content, origins)
    # Nothing is known of a link that was too short in use to be measured: it limits nothing.
    unknown = Rate(observed or math.inf, Grounds.MEASURED)
    given = GivenRates(bwlimit=options.bwlimit, host_bwlimit=options.host_bwlimit)
    network = network_of(fresh, given, unknown=unknown)
    helpers = [machine_of(seed, given, unknown).uplink.value for seed in seeds]
    origin = network.origin_uplink
    together = origin._replace(value=origins * origin.value + sum(helpers))
    network = replace(network, origin_uplink=together)
    found = limits(network, content)
    if not found:
        return 0.0, ""
    source = _SOURCE.get(Grounds(found[0].grounds), "declared")
    return found[0].seconds, f"{found[0].reason} ({source})"


def _uniform(
    hosts: int, options: DeployOptions, observed: float, content: Content, origins: int
) -> tuple[float | None, str]:
    """Every link as good as the best one seen, or as its limit lets it be: that is taken to be reached."""
    up, each = options.bwlimit, options.host_bwlimit
    if not (up or each or observed):
        return None, ""
    seen = Rate(max(observed, up or 0, each or 0), Grounds.MEASURED)
    origin = Rate(up, Grounds.LIMIT) if up else seen
    host = Rate(each, Grounds.LIMIT) if each else seen
    machines = tuple(Machine(str(number), "", host, host) for number in range(hosts))
    found = limits(Network(origin._replace(value=origins * origin.value), machines), content)
    if not found:
        return 0.0, _SOURCE[origin.grounds]
    return found[0].seconds, _SOURCE[Grounds(found[0].grounds)]
