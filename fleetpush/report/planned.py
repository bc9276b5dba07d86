"""A plan as people read it, 80 columns wide: what would be done, how long it takes and why."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from fleetpush.deploy.planning.document import KINDS, alike, destinations
from fleetpush.deploy.planning.network import Grounds
from fleetpush.deploy.planning.plan import assumptions
from fleetpush.inventory.nodeset import fold, split_outside
from fleetpush.report.quantities import duration, hosts, rate, size
from fleetpush.report.sanitise import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fleetpush.deploy.planning.bound import Limit
    from fleetpush.deploy.planning.network import Rate
    from fleetpush.deploy.planning.plan import DeployPlan

WIDTH = 80
_INDENT = 15
GROUPS_SHOWN = 4
"""Groups of hosts with the same rate or destination that are spelled out."""

RANGES_SHOWN = 6

_GROUNDS = {
    "declared": "declared",
    "flag": "from the flag",
    "limit": "bandwidth limit",
    "other_direction": "as the other direction",
    "assumed": "assumed",
    "measured": "measured here",
}


def planned(plan: DeployPlan) -> list[str]:
    """The lines to print on stdout."""
    lines = [*textwrap.wrap(_title(plan), WIDTH), ""]
    for name, text in _facts(plan):
        lines += _fact(name, text)
    lines += ["", *_plans(plan), ""]
    for name, text in _rates(plan):
        lines += _fact(name, text)
    return lines


def _fact(name: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=f"  {name:<12} ",
        subsequent_indent=" " * _INDENT,
        break_on_hyphens=False,
    )


def _title(plan: DeployPlan) -> str:
    names = [clean(file.path) for file in plan.layout.files]
    what = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1:,} more"
    racks = f" in {plan.crossing.racks:,} racks" if plan.crossing.racks > 1 else ""
    return f"{what} ({size(plan.layout.size)}) to {hosts(len(plan.places))}{racks}"


def _facts(plan: DeployPlan) -> Iterator[tuple[str, str]]:
    options, layout = plan.options, plan.layout
    auto = " (auto)" if options.topology == "auto" else ""
    fanout = f", {options.tree_fanout} children each" if options.tree_fanout else ""
    yield "topology", f"{plan.topology}{auto}{fanout}{'' if options.encrypt else ', not encrypted'}"
    chunks = f"{layout.chunks:,} of {layout.chunk_size // 1024:,}K" if layout.chunks else "none"
    yield "chunks", chunks
    for note in plan.notes:
        yield "", note
    yield from _grouped("destination", ((clean(d), n) for d, n in destinations(plan).items()), plan)
    if not plan.limits:
        yield "bound", "0s: there is nothing to move"
    else:
        yield "bound", _limited(plan.limits[0])
        if len(plan.limits) > 1:
            yield "next", _limited(plan.limits[1])
        factor = plan.makespan_s / plan.bound_s
        yield "makespan", f"{duration(plan.makespan_s)} expected, {factor:.2f} times the bound"
    yield (
        "connecting",
        f"about {_roughly(plan.connect_s)} until the last host is ready, {options.ssh.forks} at a"
        " time; the first ones trade before",
    )
    yield from _slow(plan)
    yield from _racks(plan)


def _roughly(seconds: float) -> str:
    return f"{seconds:.1f}s" if seconds < 60 else duration(seconds)


def _limited(limit: Limit) -> str:
    how = f"{rate(limit.rate)}, {_GROUNDS[limit.grounds]}"
    return f"{duration(limit.seconds)}: {clean(limit.reason)} ({how})"


def _slow(plan: DeployPlan) -> Iterator[tuple[str, str]]:
    if plan.slow is not None:
        without = f"without {_names(plan.slow.hosts)} the bound is {duration(plan.slow.seconds)}"
        yield "slow hosts", f"{without}: {duration(plan.slow.saved)} less"


def _racks(plan: DeployPlan) -> Iterator[tuple[str, str]]:
    crossing = plan.crossing
    if crossing.racks < 2 or not plan.limits:
        return
    bytes_in_all = plan.layout.size
    blind = (
        f"{crossing.blind_copies:,.0f} copies ({size(round(crossing.blind_copies * bytes_in_all))})"
    )
    aware = f"{crossing.aware_copies:,} ({size(crossing.aware_copies * bytes_in_all)})"
    text = f"a plan blind to racks moves {blind} between them, one that knows them {aware}"
    if crossing.blind_s is not None and crossing.aware_s is not None:
        text += (
            f": {duration(crossing.blind_s)} against {duration(crossing.aware_s)}"
            f" on the busiest rack's uplink; {duration(plan.blind.makespan_s)} expected"
            f" against {duration(plan.makespan_s)}"
        )
    yield "racks", text


def _plans(plan: DeployPlan) -> Iterator[str]:
    """All topologies beside each other."""
    yield f"  {'plan':<12} {'at least':>10} {'expected':>10}"
    for name, prediction in plan.predictions.items():
        least, expected = duration(prediction.floor_s), duration(prediction.makespan_s)
        chosen = "  <- this one" if name == plan.topology else ""
        yield f"  {name:<12} {least:>10} {expected:>10}{chosen}"


def _rates(plan: DeployPlan) -> Iterator[tuple[str, str]]:
    network = plan.network
    yield "origin", f"uplink {_rate(network.origin_uplink)}"
    for kind in KINDS:
        groups = ((_rate(found), names) for found, names in alike(plan, kind).items())
        yield from _grouped(kind, groups, plan)
    if network.rack_uplink is not None:
        yield "rack uplink", _rate(network.rack_uplink)
    if network.cpu is not None:
        yield "processor", _processor(plan, network.cpu)
    for text in assumptions(plan):
        yield "note", text


def _rate(found: Rate | None) -> str:
    if found is None:
        return "unknown, not counted"
    if found.grounds is Grounds.ASSUMED:
        return "unknown; assumed 1 Gbit/s"
    return f"{rate(found.value)} ({_GROUNDS[found.grounds]})"


def _processor(plan: DeployPlan, cpu: Rate) -> str:
    if plan.processor is None:
        return f"one agent can move {_rate(cpu)}"
    steps = ", ".join(
        f"{step} {rate(1 / seconds)}" for step, seconds in plan.processor._asdict().items()
    )
    return f"one agent here can move {rate(cpu.value)} per core ({steps})"


def _grouped(
    name: str, groups: Iterable[tuple[str, Sequence[str]]], plan: DeployPlan
) -> Iterator[tuple[str, str]]:
    """One line a group, named by its hosts unless all are in it."""
    every = list(groups)
    for index, (text, names) in enumerate(every[:GROUPS_SHOWN]):
        where = "" if len(names) == len(plan.places) else f" on {_names(names)}"
        yield (name if not index else ""), text + where
    rest = sum(len(names) for _, names in every[GROUPS_SHOWN:])
    if rest:
        yield "", f"others on {hosts(rest)} (-o json lists them)"


def _names(names: Sequence[str]) -> str:
    """Folded, with blanks to break lines at; many ranges only counted."""
    parts = split_outside(fold(names), ",")
    text = clean(", ".join(parts[:RANGES_SHOWN]))
    more = f" and more, {hosts(len(names))} in all" if len(parts) > RANGES_SHOWN else ""
    return text + more
