"""What is simulated: the fleet, the content, the network, and what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from random import Random
from typing import TYPE_CHECKING

from fleetpush.errors import UsageError
from fleetpush.swarm.manifest import BLOCK, MAX_CHUNK_SIZE, MAX_CHUNKS

if TYPE_CHECKING:
    from typing import Literal

MAX_HOSTS = 100_000
MAX_ORIGINS = 10
MAX_TRANSFERS = 100_000_000
"""Hosts times chunks: more than a day's work, and more than memory holds."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Shares are 0 to 1, times in seconds, ``rate`` in bytes a second. Raises UsageError when impossible.

    ``rate`` is what each host sends and receives at once, ``latency`` one hop's, one way: a hop leads from
    one queue to the next, so there is one between hosts of a rack and three between racks.
    ``slots`` (u) and ``credit`` (R), as they are at first, count bundles; None leaves them, and ``degree``,
    to the plan.
    """

    hosts: int = 100
    chunks: int = 250
    blocks: int = 4
    """Of 64 KiB, in a chunk."""
    origins: int = 1
    """Machines that have everything from the start, each as fast as a host."""
    topology: Literal["mesh", "tree", "star"] = "mesh"
    discovery: Literal["tracker", "gossip"] = "tracker"
    loss: float = 0.0
    """The share of the gossip messages that get lost."""
    seed: int = 0
    rate: float = 125e6
    latency: float = 0.0002
    slow: float = 0.0
    slowness: float = 10.0
    """How many times slower the ``slow`` share of the hosts is, both ways."""
    deaths: float = 0.0
    """The share of the hosts that die, at random moments of F/B after their arrival."""
    racks: int = 1
    oversubscription: float = 1.0
    """The rates of a rack's hosts together, over the rate of the rack's own link."""
    stagger: float = 0.0
    """Hosts arrive at random moments of so long."""
    cpu_per_message: float = 0.0
    """What a host's processor takes for each control frame and each block."""
    slots: int | None = None
    credit: int | None = None
    degree: int | None = None

    def __post_init__(self) -> None:
        at_least_one = ("hosts", "chunks", "blocks", "racks", "slots", "credit", "origins")
        for name in at_least_one:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{_flag(name)} {value}: it takes at least 1")
        for name in ("latency", "stagger", "cpu_per_message"):
            if not 0 <= getattr(self, name) < inf:
                raise UsageError(f"{_flag(name)} {getattr(self, name)}: no such time")
        for name in ("slow", "deaths", "loss"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{_flag(name)} {getattr(self, name):.0%}: at most 100%")
        if not 0 < self.rate < inf:
            raise UsageError(f"--rate {self.rate:g}: nothing moves at that rate")
        if not 1 <= self.slowness < inf:
            raise UsageError(f"--slow {self.slowness:g} times slower: it takes at least 1")
        if not 1 <= self.oversubscription < inf:
            raise UsageError(f"--oversubscription {self.oversubscription:g}: it takes at least 1")
        self._check_discovery()
        self._check_limits()

    def _check_discovery(self) -> None:
        gossip = self.discovery == "gossip"
        if gossip and self.topology != "mesh":
            raise UsageError(f"--discovery gossip is for a mesh; a {self.topology} needs a tracker")
        if gossip and self.degree is not None:
            raise UsageError("--degree is the tracker's; with gossip each peer chooses its links")
        if self.loss and not gossip:
            raise UsageError("--loss loses gossip messages; give --discovery gossip with it")

    def _check_limits(self) -> None:
        if self.degree is not None and self.degree < 2:
            raise UsageError(f"--degree {self.degree}: a mesh needs at least 2")
        if self.degree is not None and self.topology != "mesh":
            raise UsageError(f"--degree is for a mesh; a {self.topology} has none to choose")
        if self.origins > 1 and (self.topology != "mesh" or self.discovery == "gossip"):
            raise UsageError("--origins: several are for a mesh with a tracker")
        if self.origins > MAX_ORIGINS:
            raise UsageError(f"--origins {self.origins}: at most {MAX_ORIGINS}")
        if self.hosts > MAX_HOSTS:
            raise UsageError(f"--hosts {self.hosts}: at most {MAX_HOSTS:,}")
        if self.chunks > MAX_CHUNKS or self.chunk_size > MAX_CHUNK_SIZE:
            raise UsageError(
                f"{self.chunks} chunks of {self.blocks} blocks: at most {MAX_CHUNKS:,} chunks of"
                f" {MAX_CHUNK_SIZE // BLOCK:,} blocks"
            )
        if self.hosts * self.chunks > MAX_TRANSFERS:
            raise UsageError(
                f"{self.hosts:,} hosts by {self.chunks:,} chunks: at most {MAX_TRANSFERS:,} transfers"
            )
        if self.racks > self.hosts:
            raise UsageError(f"--racks {self.racks} for {self.hosts} hosts: some would be empty")
        if _part(self.deaths, self.hosts) >= self.hosts:
            raise UsageError(f"--deaths {self.deaths:.0%} of {self.hosts} hosts leaves nobody")

    @property
    def chunk_size(self) -> int:
        """Bytes."""
        return self.blocks * BLOCK

    @property
    def size(self) -> int:
        """F, in bytes."""
        return self.chunks * self.chunk_size

    @property
    def copy_time(self) -> float:
        """F/B: seconds that one copy takes at full rate."""
        return self.size / self.rate

    @property
    def patience(self) -> float:
        """Virtual seconds after which a run will not end any more: far more than any topology takes."""
        worst = self.slowness if self.slow else 1.0
        if self.topology == "star":
            worst *= self.hosts
        if self.racks > 1:
            worst *= self.oversubscription
        messages = 20 * self.cpu_per_message * self.chunks * self.blocks
        return self.stagger + 10.0 + 10.0 * (worst * self.copy_time + messages)


@dataclass(frozen=True, kw_only=True)
class HostDraw:
    """What chance gave one host."""

    name: str
    rack: int
    slowness: float
    arrives_at: float
    dies_at: float | None


@dataclass(frozen=True)
class Draw:
    """A scenario with its dice thrown: ``hosts`` in the order in which they join.

    Racks are filled in the order of the names; hosts join in random order, as handshakes end.
    """

    scenario: Scenario
    hosts: list[HostDraw] = field(init=False)

    def __post_init__(self) -> None:
        scenario, rng = self.scenario, Random(self.scenario.seed)
        count = scenario.hosts
        slow = set(rng.sample(range(count), _part(scenario.slow, count)))
        doomed = set(rng.sample(range(count), _part(scenario.deaths, count)))
        width = len(str(count - 1))
        drawn = []
        for number in range(count):
            arrives_at = rng.random() * scenario.stagger
            dies_at = arrives_at + rng.random() * scenario.copy_time if number in doomed else None
            drawn.append(
                HostDraw(
                    name=f"h{number:0{width}}",
                    rack=number * scenario.racks // count,
                    slowness=scenario.slowness if number in slow else 1.0,
                    arrives_at=arrives_at,
                    dies_at=dies_at,
                )
            )
        rng.shuffle(drawn)
        drawn.sort(key=lambda host: host.arrives_at)
        object.__setattr__(self, "hosts", drawn)


def _part(share: float, count: int) -> int:
    """So many of ``count``; at least one if there is any share."""
    return max(1, round(share * count)) if share else 0


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
