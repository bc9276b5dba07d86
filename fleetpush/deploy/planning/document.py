"""The JSON document of ``fleetpush plan``: a stable interface (``schema: 1``).

``topology`` is what a deploy would use, ``manifest`` what it would cut the files into (without digests),
``timing`` has the keys of a deploy's: ``bound_s`` the least possible, ``makespan_s`` and ``ratio`` expected,
``connect_s`` estimated. ``limits`` are all resources that were counted, the narrowest (``bound_s``) first:
``rate`` in bytes a second, ``grounds`` declared, flag, limit (--bwlimit), other_direction, assumed or
measured. ``topologies`` has each plan's least (``floor_s``) and expected makespan. ``rates`` groups the
hosts that are alike (``rate`` null: unknown, not counted). ``slow_hosts`` and ``cpu`` are null where there
is nothing to say; ``racks`` has the copies and bytes that cross between racks, what they take on the busiest
rack's uplink and the makespan to expect: for this plan (``aware``) and for one that is ``blind`` to racks.
Wherever hosts are named, they are folded into ranges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fleetpush.deploy.planning.plan import assumptions
from fleetpush.deploy.results import SCHEMA
from fleetpush.inventory.nodeset import fold

if TYPE_CHECKING:
    from fleetpush.deploy.planning.bound import Limit
    from fleetpush.deploy.planning.network import Machine, Rate
    from fleetpush.deploy.planning.plan import DeployPlan

KINDS = ("uplink", "downlink", "disk")


def document(plan: DeployPlan) -> dict[str, Any]:
    """What ``-o json`` prints."""
    return {
        "schema": SCHEMA,
        "command": "plan",
        "exit_code": 0,
        "status": "ok",
        "error": None,
        "topology": plan.topology,
        "tree_fanout": plan.options.tree_fanout,
        "discovery": plan.options.discovery,
        "encrypt": plan.options.encrypt,
        "manifest": _manifest(plan),
        "hosts": {"total": len(plan.places), "names": fold(p.name for p in plan.places)},
        "destinations": [
            {"dest": dest, "hosts": fold(names)} for dest, names in destinations(plan).items()
        ],
        "timing": {
            "connect_s": plan.connect_s,
            "makespan_s": plan.makespan_s,
            "bound_s": plan.bound_s,
            "bound_source": plan.limits[0].reason if plan.limits else "",
            "ratio": plan.makespan_s / plan.bound_s if plan.bound_s else None,
        },
        "limits": [_limit(limit) for limit in plan.limits],
        "topologies": {
            name: {"floor_s": p.floor_s, "factor": p.factor, "makespan_s": p.makespan_s}
            for name, p in plan.predictions.items()
        },
        "rates": _rates(plan),
        "slow_hosts": _slow(plan),
        "racks": _racks(plan),
        "cpu": _cpu(plan),
        "assumptions": assumptions(plan),
        "notes": list(plan.notes),
    }


def destinations(plan: DeployPlan) -> dict[str, list[str]]:
    """The hosts that each destination is for, the most common one first."""
    found: dict[str, list[str]] = {}
    for place in plan.places:
        found.setdefault(place.dest, []).append(place.name)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def alike(plan: DeployPlan, kind: str) -> dict[Rate | None, list[str]]:
    """The hosts by one of their rates, the slowest first, those of which it is unknown last."""
    groups: dict[Rate | None, list[str]] = {}
    for host in plan.network.hosts:
        groups.setdefault(_rate_of(host, kind), []).append(host.name)
    return dict(sorted(groups.items(), key=lambda item: item[0] or (float("inf"), "")))


def _rate_of(host: Machine, kind: str) -> Rate | None:
    return {"uplink": host.uplink, "downlink": host.downlink, "disk": host.disk}[kind]


def _manifest(plan: DeployPlan) -> dict[str, Any]:
    layout = plan.layout
    return {
        "size": layout.size,
        "chunk_size": layout.chunk_size,
        "chunks": layout.chunks,
        "files": [{"path": file.path, "size": file.size} for file in layout.files],
    }


def _limit(limit: Limit) -> dict[str, Any]:
    return limit._asdict() | {"hosts": fold(limit.hosts)}


def _rates(plan: DeployPlan) -> dict[str, Any]:
    found: dict[str, Any] = {"origin_uplink": _rate(plan.network.origin_uplink)}
    for kind in KINDS:
        found[kind] = [
            _rate(rate) | {"hosts": fold(names)} for rate, names in alike(plan, kind).items()
        ]
    return found | {"rack_uplink": _rate(plan.network.rack_uplink)}


def _rate(rate: Rate | None) -> dict[str, Any]:
    if rate is None:
        return {"rate": None, "grounds": "unknown"}
    return {"rate": rate.value, "grounds": rate.grounds.value}


def _slow(plan: DeployPlan) -> dict[str, Any] | None:
    if plan.slow is None:
        return None
    return {
        "hosts": fold(plan.slow.hosts),
        "count": len(plan.slow.hosts),
        "bound_without_s": plan.slow.seconds,
        "saved_s": plan.slow.saved,
    }


def _racks(plan: DeployPlan) -> dict[str, Any]:
    size = plan.layout.size
    return plan.crossing._asdict() | {
        "blind_bytes": round(plan.crossing.blind_copies * size),
        "aware_bytes": plan.crossing.aware_copies * size,
        "blind_makespan_s": plan.blind.makespan_s,
        "aware_makespan_s": plan.makespan_s,
        "names": sorted(plan.network.racks()),
    }


def _cpu(plan: DeployPlan) -> dict[str, Any] | None:
    """Rates in bytes a second of one core; the steps of a block through an agent, each for itself."""
    if plan.network.cpu is None:
        return None
    steps = None
    if plan.processor is not None:
        steps = {name: 1 / seconds for name, seconds in plan.processor._asdict().items()}
    return _rate(plan.network.cpu) | {"steps": steps}
