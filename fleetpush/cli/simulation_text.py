"""A simulation's outcome as an operator reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleetpush.report import quantities

if TYPE_CHECKING:
    from fleetpush.sim.outcome import Outcome
    from fleetpush.sim.scenario import Scenario

_NAMED = 10
"""Hosts that are listed when more than those lack something."""


def lines(outcome: Outcome) -> list[str]:
    """A line for each question: what was played, how long, who has it, what it cost."""
    scenario = outcome.scenario
    bound = outcome.bound_ratio
    told = [_played(scenario)]
    if outcome.makespan is not None:
        told.append(
            f"makespan   {_time(outcome.makespan)}, ratio {outcome.ratio:.3f}"
            f" (bound {_time(bound * scenario.copy_time)}, {bound:.3f})"
        )
    if scenario.slow and outcome.ratio_unslowed is not None:
        told.append(
            f"           ratio {outcome.ratio_unslowed:.3f} for the hosts that are not slow"
        )
    told += [
        _completed(outcome),
        f"origin     {outcome.origin_copies:.2f} copies sent;"
        f" {outcome.copies_per_rack:.2f} copies came into each rack",
        f"control    {outcome.control_messages_per_chunk:.1f} messages a chunk and host,"
        f" {outcome.control_share:.2%} of all bytes;"
        f" {outcome.tracker_events / scenario.hosts:.1f} tracker events a host",
        f"simulated  in {quantities.duration(outcome.wall_s)}: {outcome.messages:,} messages,"
        f" {outcome.messages_per_s:,.0f} a second",
    ]
    told += [
        f"dropped    {who} dropped {whom}: it {reason}" for who, whom, reason in outcome.dropped
    ]
    return told + _lacking(outcome)


def _played(s: Scenario) -> str:
    size = quantities.size(s.size)
    network = f"{quantities.rate(s.rate)} a host, {s.latency * 1000:g} ms a hop"
    if s.racks > 1:
        network += f", {s.racks} racks at {s.oversubscription:g}:1"
    trouble = [
        *([f"{s.slow * 100:g}% of the hosts {s.slowness:g} times slower"] if s.slow else []),
        *([f"{s.deaths * 100:g}% of the hosts die"] if s.deaths else []),
        *([f"{s.loss * 100:g}% of the gossip messages lost"] if s.loss else []),
        *([f"arrivals over {quantities.duration(s.stagger)}"] if s.stagger else []),
    ]
    chunks = f"{s.chunks:,} chunks of {s.chunk_size // 1024:,} KiB"
    kind = f"{s.topology} by gossip" if s.discovery == "gossip" else s.topology
    return "; ".join(
        [
            f"{quantities.hosts(s.hosts)}, {size} in {chunks}, {kind}, seed {s.seed}",
            network,
            *trouble,
        ]
    )


def _completed(outcome: Outcome) -> str:
    half, most = outcome.completed_by(0.5), outcome.completed_by(0.99)
    when = "".join(
        f", {share} by {_time(at)}" for share, at in (("half", half), ("99%", most)) if at
    )
    died = outcome.scenario.hosts - outcome.survivors
    lost = f" that lived ({died:,} died)" if died else ""
    return f"complete   {outcome.completed:,} of {quantities.hosts(outcome.survivors)}{lost}{when}"


def _lacking(outcome: Outcome) -> list[str]:
    told = [
        f"incomplete {one.host} lacks {one.chunks:,} of {outcome.scenario.chunks:,} chunks"
        for one in outcome.lacking[:_NAMED]
    ]
    more = len(outcome.lacking) - _NAMED
    return told + (
        [f"incomplete and {more:,} more hosts; -o json names them all"] if more > 0 else []
    )


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.1f}ms" if seconds < 1 else quantities.duration(seconds)
