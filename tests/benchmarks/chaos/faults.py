"""What may happen to a host or to the command in a round on real processes, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

PHASES = ("connecting", "bootstrapping", "scanning", "exchanging", "verifying", "done")

SHELLS = {
    "broken_python": 'echo "illegal instruction" >&2; kill -ILL $$',
    "late": 'sleep 1.5; exec python3 "$@"',
    "descriptors": 'ulimit -n 24; exec python3 "$@"',
    "file_size": 'ulimit -f 100; exec python3 "$@"',
}
"""What stands in Python's place on a host."""

BEFORE = (*SHELLS, "full", "closed", "no_python", "fixed")
"""There when the run begins; ``late`` and (with nothing to activate) ``fixed`` do no harm."""

DURING = (
    *("kill", "kill", "kill", "pause", "pause", "pause", "cut", "cut"),
    *("unlink", "flip", "fixed", "stop"),
)
"""Strike a host once it is in a phase."""

OF_THE_RUN = (
    *("interrupt", "abort", "terminate", "kill_command", "truncate_source", "overwrite_source"),
    *("restart_sshd", "second_run"),
)

HARMLESS = frozenset(("late", "pause", "descriptors", "unlink", "flip", "fixed", "file_size"))
"""Kinds that a host may survive; all others it cannot, but for one that comes too late."""


@dataclass(frozen=True)
class Fault:
    """``phase`` of ``host`` (an index; of the command: of the first host that enters it) and ``delay`` in
    seconds from then on say when; ``phase`` "" is before the run."""

    kind: str
    host: int | None
    phase: str = ""
    delay: float = 0.0
    long: float = 0.0
    """Seconds that it lasts, where it does not last."""

    def __str__(self) -> str:
        whom = "the run" if self.host is None else f"host {self.host + 1}"
        when = f" {self.delay:.2f} s into {self.phase}" if self.phase else ""
        return f"{whom}: {self.kind}{when}"


@dataclass(frozen=True)
class Draw:
    """A whole round. ``old`` are the hosts that hold another file at the destination."""

    faults: tuple[Fault, ...]
    flags: tuple[str, ...]
    size: int
    old: frozenset[int]
    mends: bool
    """Another run follows that nothing disturbs."""

    def of(self, host: int) -> set[str]:
        """The kinds of its faults."""
        return {fault.kind for fault in self.faults if fault.host == host}

    @property
    def run_kinds(self) -> set[str]:
        return {fault.kind for fault in self.faults if fault.host is None}


def draw(rng: random.Random, hosts: int) -> Draw:
    victims = rng.sample(range(hosts), rng.randint(0, 8))
    faults = [_of_a_host(rng, host) for host in victims]
    if rng.random() < 0.45:
        phase, delay = rng.choice(PHASES[:-1]), rng.uniform(0.0, 0.8)
        faults.append(Fault(rng.choice(OF_THE_RUN), None, phase, delay))
    size = rng.choice((1, 50_000, 1 << 20, 3 << 20, 6 << 20)) + rng.randrange(5)
    old = frozenset(i for i in range(hosts) if rng.random() < 0.2)
    return Draw(tuple(faults), _flags(rng, size), size, old, rng.random() < 0.4)


def _of_a_host(rng: random.Random, host: int) -> Fault:
    if rng.random() < 0.35:
        return Fault(rng.choice(BEFORE), host)
    phase, delay = rng.choice(PHASES[:-1]), rng.choice((0.0, 0.0, rng.uniform(0.0, 1.5)))
    return Fault(rng.choice(DURING), host, phase, delay, rng.uniform(0.2, 4.0))


def _flags(rng: random.Random, size: int) -> tuple[str, ...]:
    flags = ["--topology", rng.choice(("mesh", "mesh", "tree", "star"))]
    if flags[1] == "mesh" and rng.random() < 0.25:
        flags += ["--discovery", "gossip"]
    flags += ["--activate", rng.choice(("each", "each", "each", "together", "none"))]
    flags += ["--verify", rng.choice(("chunks", "full"))]
    if rng.random() < 0.3:
        flags.append("--no-encrypt")
    if size > 1 << 20 and flags[1] != "star":
        flags += ["--bwlimit", rng.choice(("1M", "2M", "4M"))]
    return (*flags, "--chunk-size", rng.choice(("64K", "256K", "1M")))
