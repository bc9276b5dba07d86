"""Whether hosts are fit for a deploy: what was found on each, what is wrong, what to do about it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from fleetpush.deploy.verdict import FAILED, OK, UNREACHABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleetpush.deploy.probing import ProbedHost

SKEW_WORTH_A_WORD = 60.0
"""Seconds. Certificates bear far more, but logs and file times of such a host mislead."""


class Fitness(StrEnum):
    """READY and WARNED hosts can be deployed to."""

    READY = "ready"
    WARNED = "warned"
    FAILED = "failed"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Trouble:
    """``slug`` is stable; ``message`` says what to do. ``fatal``: a deploy would fail here."""

    slug: str
    message: str
    fatal: bool


@dataclass(frozen=True, slots=True)
class Call:
    """A call to a host's peer port; ``error`` is empty where it went well."""

    caller: str
    error: str


@dataclass(frozen=True, slots=True)
class HostFitness:
    """One host. ``free`` in bytes, times in seconds; what was not learned is None or empty."""

    host: str
    fitness: Fitness
    troubles: tuple[Trouble, ...]
    address: str
    port: int | None
    python: str
    dest: str
    free: int | None
    clock_skew_s: float | None
    login_s: float | None
    called_by: tuple[Call, ...]
    called_from_here: str | None
    """As ``Call.error``; None where no call was made."""


@dataclass(frozen=True, slots=True)
class FitnessReport:
    """``interrupted`` is the exit code that a signal asked for."""

    results: tuple[HostFitness, ...]
    total_s: float
    interrupted: int | None = None

    def count(self, *fitness: Fitness) -> int:
        return sum(1 for result in self.results if result.fitness in fitness)

    @property
    def exit_code(self) -> int:
        """130 or 143, 3 if a host failed, 4 if the others are only unreachable, else 0."""
        if self.interrupted is not None:
            return self.interrupted
        if self.count(Fitness.FAILED):
            return FAILED
        return UNREACHABLE if self.count(Fitness.UNREACHABLE) else OK

    def as_json(self) -> dict[str, Any]:
        """What ``-o json`` prints below its head."""
        counts = {fitness.value: self.count(fitness) for fitness in Fitness}
        return {
            "hosts": {"total": len(self.results), **counts},
            "timing": {"total_s": self.total_s},
            "results": [_as_json(result) for result in self.results],
        }


def _as_json(result: HostFitness) -> dict[str, Any]:
    return {
        "host": result.host,
        "status": result.fitness.value,
        "troubles": [
            {"slug": t.slug, "fatal": t.fatal, "message": t.message} for t in result.troubles
        ],
        "address": result.address or None,
        "port": result.port,
        "python": result.python or None,
        "dest": result.dest or None,
        "free_bytes": result.free,
        "clock_skew_s": result.clock_skew_s,
        "login_s": result.login_s,
        "called_by": [{"host": c.caller, "error": c.error or None} for c in result.called_by],
        "called_from_here": (
            None if result.called_from_here is None else {"error": result.called_from_here or None}
        ),
    }


def fitness(hosts: Sequence[ProbedHost]) -> tuple[HostFitness, ...]:
    """What is to be said of each host when all calls are over."""
    calls: defaultdict[str, list[Call]] = defaultdict(list)
    for caller in hosts:
        for called, error in caller.calls.items():
            calls[called].append(Call(caller.place.name, error))
    return tuple(_fitness_of(host, tuple(calls[host.id])) for host in hosts)


def _fitness_of(host: ProbedHost, calls: tuple[Call, ...]) -> HostFitness:
    troubles: list[Trouble] = []
    if host.failure is not None:
        troubles.append(Trouble(host.failure.slug, host.failure.message, fatal=True))
    else:
        troubles += _network_troubles(host, calls)
    if host.skew is not None and abs(host.skew) > SKEW_WORTH_A_WORD and not host.failure:
        text = f"its clock is {_roughly(abs(host.skew))} {'ahead' if host.skew > 0 else 'behind'}"
        troubles.append(Trouble("clock_skew", f"{text}: let NTP keep it", fatal=False))
    return HostFitness(
        host=host.place.name,
        fitness=_fitness(host, troubles),
        troubles=tuple(troubles),
        address=host.address,
        port=host.port or None,
        python=host.python,
        dest=host.dest or host.place.dest,
        free=host.free if host.dest else None,
        clock_skew_s=host.skew,
        login_s=host.login_s,
        called_by=calls,
        called_from_here=host.called_from_here,
    )


def _fitness(host: ProbedHost, troubles: Sequence[Trouble]) -> Fitness:
    if host.failure is not None and host.failure.unreachable:
        return Fitness.UNREACHABLE
    if any(trouble.fatal for trouble in troubles):
        return Fitness.FAILED
    return Fitness.WARNED if troubles else Fitness.READY


def _network_troubles(host: ProbedHost, calls: Sequence[Call]) -> list[Trouble]:
    first, last = host.place.ports
    ports = f"TCP {first}" if first == last else f"TCP {first}-{last}"
    refused = sorted({call.error for call in calls if call.error})
    cut_off = bool(refused) and all(call.error for call in calls)
    calls_nobody = bool(host.calls) and all(host.calls.values())
    here = host.called_from_here
    if here and host.forwarding and (cut_off or not calls) and (calls_nobody or not host.calls):
        return [
            Trouble(
                "no_peer_link",
                f"nobody reaches its peer port ({here}), it reaches nobody's, and its sshd forwards"
                f" nothing: open {ports}, or set AllowTcpForwarding yes",
                fatal=True,
            )
        ]
    troubles = []
    if refused:
        how_many = "no other host reaches" if cut_off else "some hosts do not reach"
        troubles.append(
            Trouble(
                "peer_port_closed",
                f"{how_many} its peer port ({', '.join(refused)}): open {ports} between the hosts,"
                " or set fleetpush_address to where they reach it",
                fatal=False,
            )
        )
    if here:
        instead = (
            "unless it can call here, the link runs through SSH, which is slow with many hosts"
            if not host.forwarding
            else "it must be able to call here, for its sshd forwards nothing"
        )
        text = (
            f"this machine does not reach its peer port ({here}): {instead}; open {ports} from here"
        )
        troubles.append(Trouble("no_way_from_here", text, fatal=False))
    return troubles


def _roughly(seconds: float) -> str:
    for unit, length in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
