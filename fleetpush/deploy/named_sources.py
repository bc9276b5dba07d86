"""Sources on machines of the inventory as the operator names them, and what is refused of them at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleetpush.errors import InputError, UsageError
from fleetpush.inventory.located import located
from fleetpush.swarm.manifest import check_path

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from fleetpush.deploy.options import DeployOptions
    from fleetpush.inventory.located import Located

MOST = 10
"""Machines that one file may be on."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file of the content, and where the operator says that it is: on one host, or on several alike."""

    name: str
    places: tuple[Located, ...]


def wanted_from(options: DeployOptions) -> tuple[Wanted, ...]:
    """The files of ``options`` that are on hosts; () where the sources are here.

    Of one base name on several hosts each is a replica. Raises InputError, UsageError.
    """
    found = [(source, located(source)) for source in options.sources]
    there = [(source, place) for source, place in found if place is not None]
    if not there:
        return ()
    if len(there) < len(found):
        here = next(source for source, place in found if place is None)
        raise InputError(
            f"{there[0][0]} is on a host and {here} on this machine: deploy them one after the other"
            f" (a file here whose name has a colon is written ./{there[0][0]})"
        )
    names: dict[str, dict[str, Located]] = {}
    for source, place in there:
        _check(source, place)
        places = names.setdefault(place.name, {})
        if place.host in places:
            raise InputError(
                f"{source}: {place.host} has two files {place.name}; rename one of them"
            )
        places[place.host] = place
        if len(places) > MOST:
            raise InputError(f"{place.name} is named on more than {MOST} hosts: leave some out")
    _check_ways(options, [place for _, place in there])
    return tuple(Wanted(name, tuple(places.values())) for name, places in names.items())


def _check(source: str, place: Located) -> None:
    if not place.host or not place.path:
        raise InputError(
            f"{source}: a file on a host is HOST:PATH; one on this machine is written ./{source}"
        )
    if place.name in ("", ".", "..") or "\0" in place.path:
        raise InputError(
            f"{source}: name a file; directories on hosts cannot be deployed from there"
        )
    check_path(place.name)


def _check_ways(options: DeployOptions, places: Sequence[Located]) -> None:
    if options.discovery == "gossip":
        raise UsageError("--discovery gossip is for sources on this machine; leave it out")
    hosts = {place.host for place in places}
    mesh = options.topology in ("auto", "mesh") and options.tree_fanout is None
    if len(hosts) > 1 and not mesh:
        raise UsageError(
            "sources on several hosts need a mesh: leave --topology and --tree-fanout out"
        )


def refuse_here(options: DeployOptions, verb: str) -> None:
    """``verb`` looks at sources on this machine only. Raises InputError."""
    for source in options.sources:
        if located(source) is not None:
            raise InputError(
                f"{verb} does not look at sources on hosts ({source}): deploy shows what is there"
            )


def check_hosts(options: DeployOptions, known: Collection[str]) -> None:
    """Raises InputError for a source on what is none of the inventory's ``known`` hosts."""
    for source in options.sources:
        place = located(source)
        if place is not None and place.host and place.host not in known:
            where = ", ".join(options.inventories)
            raise InputError(
                f"{source}: {place.host} is no host of {where}; name one of its hosts before the"
                f" colon, or write ./{source} for a file of that name on this machine",
                slug="unknown_source_host",
            )
