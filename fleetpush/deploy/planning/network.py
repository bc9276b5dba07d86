"""The fleet as rates: what each host's link and disk can do, and where each figure comes from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from fleetpush.deploy.variables import DeclaredRates

    class Known(Protocol):
        """A host by its name, its rack ("" for none) and what its variables declare."""

        @property
        def name(self) -> str: ...

        @property
        def rack(self) -> str: ...

        @property
        def rates(self) -> DeclaredRates: ...


GIGABIT = 125_000_000.0
"""Bytes a second that a link is taken to do where nobody says: what a server has at least these days."""


class Grounds(StrEnum):
    """Why a rate is believed."""

    DECLARED = "declared"
    FLAG = "flag"
    LIMIT = "limit"
    """--bwlimit or --host-bwlimit."""
    OTHER_WAY = "other_direction"
    """Declared for the other direction only: links are sold full-duplex."""
    ASSUMED = "assumed"
    MEASURED = "measured"


class Rate(NamedTuple):
    """``value`` in bytes a second."""

    value: float
    grounds: Grounds


ASSUMED = Rate(GIGABIT, Grounds.ASSUMED)


class Machine(NamedTuple):
    """One host. ``disk`` is None where nobody knows it: then it limits nothing."""

    name: str
    rack: str
    uplink: Rate
    downlink: Rate
    disk: Rate | None = None

    @property
    def intake(self) -> Rate:
        """What it can take in: its downlink, or its disk if that is slower."""
        return min(self.downlink, self.disk or self.downlink, key=lambda rate: rate.value)


@dataclass(frozen=True, slots=True)
class Network:
    """The origin, outside every rack, and the hosts. ``rack_uplink``: between a rack and the rest, each way.

    ``cpu``: what one agent can receive and pass on once.
    """

    origin_uplink: Rate
    hosts: tuple[Machine, ...]
    rack_uplink: Rate | None = None
    cpu: Rate | None = None

    def racks(self) -> dict[str, list[Machine]]:
        """The members of each rack; hosts without one form the rack ""."""
        racks: dict[str, list[Machine]] = {}
        for host in self.hosts:
            racks.setdefault(host.rack, []).append(host)
        return racks


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenRates:
    """What the command line says, in bytes a second; it beats the inventory. Limits cap what is possible."""

    origin_uplink: int | None = None
    uplink: int | None = None
    downlink: int | None = None
    disk: int | None = None
    rack_uplink: int | None = None
    bwlimit: int | None = None
    host_bwlimit: int | None = None


def network_of(
    places: Sequence[Known],
    given: GivenRates,
    *,
    unknown: Rate = ASSUMED,
    cpu: Rate | None = None,
) -> Network:
    """The fleet of ``places``; a link that nobody knows does ``unknown``."""
    return Network(
        origin_uplink=_capped(_flag(given.origin_uplink) or unknown, given.bwlimit),
        hosts=tuple(machine_of(place, given, unknown) for place in places),
        rack_uplink=_flag(given.rack_uplink),
        cpu=cpu,
    )


def machine_of(place: Known, given: GivenRates, unknown: Rate) -> Machine:
    """One host with the flags, the variables, then ``unknown`` for its rates."""
    up = _flag(given.uplink) or _declared(place.rates.uplink)
    down = _flag(given.downlink) or _declared(place.rates.downlink)
    return Machine(
        place.name,
        place.rack,
        uplink=_capped(up or _mirrored(down) or unknown, given.host_bwlimit),
        downlink=_capped(down or _mirrored(up) or unknown, given.host_bwlimit),
        disk=_flag(given.disk) or _declared(place.rates.disk),
    )


def _flag(value: int | None) -> Rate | None:
    return None if value is None else Rate(value, Grounds.FLAG)


def _declared(value: int | None) -> Rate | None:
    return None if value is None else Rate(value, Grounds.DECLARED)


def _mirrored(other: Rate | None) -> Rate | None:
    return None if other is None else Rate(other.value, Grounds.OTHER_WAY)


def _capped(rate: Rate, limit: int | None) -> Rate:
    return rate if limit is None or rate.value <= limit else Rate(limit, Grounds.LIMIT)
