"""What a simulation found."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

from fleetpush.sim.bound import bound_ratio
from fleetpush.sim.fleet import Fleet
from fleetpush.sim.gossip import GossipFleet
from fleetpush.swarm.manifest import BLOCK

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleetpush.sim.curve import Point
    from fleetpush.sim.machine import Machine
    from fleetpush.sim.scenario import HostDraw, Scenario


@dataclass(frozen=True)
class Lacking:
    """A host that lives and is not complete: how many ``chunks`` it lacks."""

    host: str
    chunks: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Times are virtual seconds from the first byte sent, but for ``wall_s`` and ``cpu_s``.

    Ratios are over F/B and None unless the hosts in question are complete. Hosts that died do not count.
    """

    scenario: Scenario
    survivors: int
    lacking: tuple[Lacking, ...]
    makespan: float | None
    unslowed: float | None
    """When the last of the hosts that were not made slow was complete."""
    bound_ratio: float
    completions: tuple[float, ...]
    """When hosts were complete, ascending."""
    origin_copies: float
    """How many times the content left the origins, all together."""
    copies_per_rack: float
    """How many times it came into a rack from outside, on average; the origin is outside."""
    wasted: float
    """Blocks that arrived unwanted, over all that were wanted."""
    control_messages: int
    control_share: float
    """Bytes beside the content (frames, leaves, heads of blocks) over all bytes."""
    tracker_events: int
    messages: int
    """What the peers' cores were told: frames, blocks stored and sent, timers."""
    events: int
    """What happened in virtual time."""
    dropped: tuple[tuple[str, str, str], ...]
    """Who dropped whom for a breach of the protocol, and why."""
    wall_s: float
    cpu_s: float
    curve: tuple[Point, ...]

    @property
    def ratio(self) -> float | None:
        return None if self.makespan is None else self.makespan / self.scenario.copy_time

    @property
    def ratio_unslowed(self) -> float | None:
        return None if self.unslowed is None else self.unslowed / self.scenario.copy_time

    @property
    def completed(self) -> int:
        return len(self.completions)

    @property
    def messages_per_s(self) -> float:
        """A second of one core."""
        return self.messages / max(self.cpu_s, 1e-9)

    @property
    def events_per_s(self) -> float:
        return self.events / max(self.cpu_s, 1e-9)

    @property
    def control_messages_per_chunk(self) -> float:
        """And host."""
        return self.control_messages / self.scenario.chunks / self.scenario.hosts

    def completed_by(self, share: float) -> float | None:
        """When ``share`` (over 0, to 1) of the hosts that live were complete; None if they are not."""
        index = max(0, -int(-share * self.survivors // 1) - 1)
        return self.completions[index] if index < self.completed else None

    def as_json(self) -> dict[str, Any]:
        """The figures by name, without the curve."""
        s = self.scenario
        return {
            "hosts": s.hosts,
            "chunks": s.chunks,
            "chunk_size": s.chunk_size,
            "size": s.size,
            "origins": s.origins,
            "topology": s.topology,
            "discovery": s.discovery,
            "seed": s.seed,
            "rate": s.rate,
            "latency_s": s.latency,
            "slow": s.slow,
            "slowness": s.slowness,
            "deaths": s.deaths,
            "racks": s.racks,
            "oversubscription": s.oversubscription,
            "stagger_s": s.stagger,
            "cpu_per_message_s": s.cpu_per_message,
            "loss": s.loss,
            "slots": s.slots,
            "credit": s.credit,
            "degree": s.degree,
            "survivors": self.survivors,
            "completed": self.completed,
            "lacking": [{"host": one.host, "chunks": one.chunks} for one in self.lacking],
            "makespan_s": self.makespan,
            "bound_s": self.bound_ratio * s.copy_time,
            "ratio": self.ratio,
            "ratio_unslowed": self.ratio_unslowed,
            "bound_ratio": self.bound_ratio,
            "completed_by_s": {"p50": self.completed_by(0.5), "p99": self.completed_by(0.99)},
            "origin_copies": self.origin_copies,
            "copies_per_rack": self.copies_per_rack,
            "wasted": self.wasted,
            "control_messages_per_chunk": self.control_messages_per_chunk,
            "control_share": self.control_share,
            "tracker_events_per_host": self.tracker_events / s.hosts,
            "messages": self.messages,
            "messages_per_s": self.messages_per_s,
            "events_per_s": self.events_per_s,
            "dropped": [list(one) for one in self.dropped],
            "wall_s": self.wall_s,
            "cpu_s": self.cpu_s,
        }


def simulate(scenario: Scenario, watch: Callable[[Point], None] | None = None) -> Outcome:
    """Plays ``scenario`` to its end; ``watch`` is told how far the fleet is.

    The same scenario gives the same outcome, but for ``wall_s`` and ``cpu_s``.
    """
    wall, cpu = perf_counter(), process_time()
    fleet = GossipFleet(scenario) if scenario.discovery == "gossip" else Fleet(scenario)
    fleet.curve.watch = watch
    fleet.run()
    return outcome(fleet, perf_counter() - wall, process_time() - cpu)


def outcome(fleet: Fleet, wall_s: float, cpu_s: float) -> Outcome:
    """The figures of a fleet whose run has ended."""
    scenario, transport = fleet.scenario, fleet.transport
    began_at = transport.began_at if transport.began_at is not None else 0.0
    living = [drawn for drawn in fleet.drawn if drawn.dies_at is None]
    unslowed = [drawn for drawn in living if drawn.slowness == 1]
    ends = _ends(living, fleet.machines, began_at)
    blocks = scenario.chunks * scenario.blocks
    sent = sum(machine.sent for machine in fleet.machines.values())
    beside = fleet.tally.bytes_beside_content(scenario.blocks, sent)
    return Outcome(
        scenario=scenario,
        survivors=len(living),
        lacking=_lacking(living, fleet.machines, scenario.chunks),
        makespan=_last(living, ends),
        unslowed=_last(unslowed, ends),
        bound_ratio=bound_ratio(scenario, fleet.drawn, began_at),
        completions=tuple(sorted(ends.values())),
        origin_copies=sum(origin.sent for origin in fleet.origins) / blocks,
        copies_per_rack=sum(rack.entered for rack in fleet.racks) / blocks / len(fleet.racks),
        wasted=transport.wasted / blocks / scenario.hosts,
        control_messages=fleet.tally.messages,
        control_share=beside / max(1, beside + sent * BLOCK),
        tracker_events=fleet.tracker_told,
        messages=fleet.told,
        events=fleet.clock.happened,
        dropped=tuple(fleet.dropped),
        wall_s=wall_s,
        cpu_s=cpu_s,
        curve=tuple(p._replace(at=p.at - began_at) for p in fleet.curve.points),
    )


def _ends(living: list[HostDraw], machines: dict[str, Machine], began: float) -> dict[str, float]:
    """When each host was complete, by name, without those that are not."""
    ends: dict[str, float] = {}
    for drawn in living:
        machine = machines.get(drawn.name)
        if machine is not None and machine.completed_at is not None:
            ends[drawn.name] = machine.completed_at - began
    return ends


def _last(drawn: list[HostDraw], ends: dict[str, float]) -> float | None:
    if not drawn or any(host.name not in ends for host in drawn):
        return None
    return max(ends[host.name] for host in drawn)


def _lacking(
    living: list[HostDraw], machines: dict[str, Machine], chunks: int
) -> tuple[Lacking, ...]:
    found = []
    for name in sorted(drawn.name for drawn in living):
        had = machines[name].peer.have.bit_count() if name in machines else 0
        if had < chunks:
            found.append(Lacking(name, chunks - had))
    return tuple(found)
