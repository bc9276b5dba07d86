"""Our own variables of an inventory: which there are, the rates among them, and slips in their names."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, NamedTuple

from fleetpush.errors import InputError
from fleetpush.inventory.amounts import link_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fleetpush.inventory.model import Host

PREFIX = "fleetpush_"
KNOWN = tuple(
    PREFIX + name for name in ("dest", "rack", "address", "port", "uplink", "downlink", "disk")
)
NEAR = 0.6
"""How alike two names are, of 1, for the one to be a slip for the other (difflib's own default)."""


class DeclaredRates(NamedTuple):
    """What the inventory says that one host can do, in bytes a second; None where it says nothing."""

    uplink: int | None = None
    downlink: int | None = None
    disk: int | None = None


def declared_rates(host: Host) -> DeclaredRates:
    """The host's rates. Raises InputError naming host and variable for what is none."""
    return DeclaredRates(*(_rate(host, PREFIX + name) for name in DeclaredRates._fields))


def _rate(host: Host, name: str) -> int | None:
    value = host.resolved(name)
    if value is None:
        return None
    if not isinstance(value, str):
        # A bare number would be KiB to rsync and Mbit to whoever buys links: nobody should have to guess.
        raise InputError(
            f"{host.name}: {name} must be a rate with its unit, such as 10Gbit or 1.25GB/s,"
            f" not {value!r}"
        )
    try:
        return link_rate(value)
    except ValueError as error:
        raise InputError(f"{host.name}: {name}: {error}") from error


def warn_of_unknown(hosts: Sequence[Host], warn: Callable[[str], None]) -> None:
    """Tells ``warn`` once of each variable that is named like ours and is not, with one host that has it."""
    seen: set[str] = set()
    for host in hosts:
        for name in host.variables:
            if name.startswith(PREFIX) and name not in KNOWN and name not in seen:
                seen.add(name)
                warn(f"{host.name}: nobody reads the variable {name}; {_instead(name)}")


def _instead(name: str) -> str:
    # The prefix that all share would make any two names alike.
    known = [other.removeprefix(PREFIX) for other in KNOWN]
    near = difflib.get_close_matches(name.removeprefix(PREFIX), known, n=1, cutoff=NEAR)
    return f"did you mean {PREFIX}{near[0]}?" if near else f"there are {', '.join(KNOWN)}"
