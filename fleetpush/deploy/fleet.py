"""Which hosts a deploy goes to, where on each, and how they are reached: all that is checked beforehand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fleetpush.deploy.named_sources import check_hosts
from fleetpush.deploy.racks import RackRule, check_racks
from fleetpush.deploy.variables import declared_rates, warn_of_unknown
from fleetpush.deploy.walk import is_directory, means_contents, name_of
from fleetpush.errors import InputError, UsageError
from fleetpush.inventory.load import load, read_extra_vars
from fleetpush.inventory.located import located
from fleetpush.remote.target import target_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fleetpush.deploy.named_sources import Wanted
    from fleetpush.deploy.options import DeployOptions
    from fleetpush.deploy.variables import DeclaredRates
    from fleetpush.inventory.model import Host, Inventory
    from fleetpush.remote.connection import Target


@dataclass(frozen=True, slots=True)
class Place:
    """One host: how it is reached, where the content goes, where its peers reach it."""

    name: str
    target: Target
    dest: str
    rack: str
    address: str
    """What ``fleetpush_address`` says, "" to use the one SSH sees."""
    ports: tuple[int, int]
    rates: DeclaredRates
    release_dir: str = ""
    """Where its releases are, "" if the content goes to ``dest`` itself."""
    reuse: tuple[str, ...] = ()
    """Files there that may hold some of the content."""


def choose(
    options: DeployOptions, warn: Callable[[str], None], *, without_sources: bool = False
) -> list[Place]:
    """The selected hosts. ``warn`` hears each warning once.

    ``without_sources``: there may be none, and the default destination is then the login user's home.
    Raises InputError for anything in the inventory that cannot be.
    """
    return chosen(options, warn, without_sources=without_sources)[1]


def chosen(
    options: DeployOptions, warn: Callable[[str], None], *, without_sources: bool = False
) -> tuple[Inventory, list[Place]]:
    """The same, and the inventory that they are of."""
    if not options.sources and not without_sources:
        raise InputError("nothing to deploy: name a source file")
    _check_delete(options)
    if options.reuse and options.no_reuse:
        raise UsageError("--reuse and --no-reuse: give one of them")
    inventory, hosts = selected(options.inventories, options.limit, options.extra_vars, warn)
    check_hosts(options, inventory.hosts)
    warn_of_unknown(hosts, warn)
    warn_once = _Once(warn)
    places = [_place(host, options, warn_once) for host in hosts]
    _refuse_twins(places)
    rule = RackRule.of(options.rack_by)
    if rule is not None:
        check_racks(rule, [(place.name, place.rack) for place in places], warn)
    return inventory, places


def source_places(
    wanted: Sequence[Wanted], options: DeployOptions, inventory: Inventory
) -> dict[str, Place]:
    """The hosts that sources are on, by name, in the order in which they are named."""
    names = dict.fromkeys(place.host for each in wanted for place in each.places)
    found = {}
    for name in names:
        host = inventory.hosts[name]
        target = target_of(host, options.ssh, lambda text: None)
        found[name] = replace(place_of(host, options, target), dest="", release_dir="")
    return found


def own_destinations(source: Place, places: Sequence[Place]) -> list[str]:
    """Where the machine of ``source`` is to get the content itself, under whatever names of the inventory."""
    here = source.target
    return [
        place.dest
        for place in places
        if not place.release_dir
        and (place.target.address, place.target.port) == (here.address, here.port)
        and (place.target.user == here.user or place.dest.startswith("/"))
    ]


def _check_delete(options: DeployOptions) -> None:
    """Raises UsageError where nobody could tell what is to be removed."""
    if not options.delete:
        return
    if options.activate == "none":
        raise UsageError("--delete removes on activation: it cannot be with --activate none")
    if options.release_dir is not None:
        raise UsageError("a release holds nothing else: leave --delete out")
    if len(options.sources) != 1 or not is_directory(options.sources[0]):
        raise UsageError("--delete needs one directory as the source: what it lacks is removed")


def selected(
    inventories: Sequence[str],
    limit: str | None,
    extra_vars: Sequence[str],
    warn: Callable[[str], None],
    *,
    var_directories: Sequence[str] = (),
) -> tuple[Inventory, list[Host]]:
    """The inventory that ``-i`` and ``-e`` name, and its hosts that ``--limit`` leaves: one at least.

    ``var_directories``: where there may be group_vars and host_vars, beside the inventory's own places.
    Raises InputError for anything in them that cannot be.
    """
    cwd = Path.cwd()
    extra = read_extra_vars(extra_vars, cwd=cwd)
    inventory = load(inventories, cwd=cwd, extra_vars=extra, var_directories=var_directories)
    hosts = inventory.select("all", limit)
    if not hosts:
        where = ", ".join(inventories)
        wanted = f"--limit {limit!r} matches no host of" if limit else "no hosts in"
        raise InputError(f"{wanted} {where}", slug="no_hosts")
    for part in inventory.unmatched(limit) if limit else ():
        warn(f"--limit: nothing matches {part}")
    return inventory, hosts


def _place(host: Host, options: DeployOptions, warn: Callable[[str], None]) -> Place:
    return place_of(host, options, target_of(host, options.ssh, warn))


def place_of(host: Host, options: DeployOptions, target: Target) -> Place:
    """Where ``options`` put the content on ``host``, reached as ``target`` says. Raises InputError."""
    return Place(
        name=host.name,
        target=target,
        dest=dest_of(host, options),
        release_dir=_release_dir(host, options),
        rack=_text(host, "fleetpush_rack") or _rack_by(host, options, target),
        address=_text(host, "fleetpush_address"),
        ports=_ports(host, options.port_range),
        rates=declared_rates(host),
        reuse=tuple(_rendered(host, path, "--reuse") for path in options.reuse),
    )


def _rack_by(host: Host, options: DeployOptions, target: Target) -> str:
    rule = RackRule.of(options.rack_by)
    if rule is None:
        return ""
    return rule.rack_of(host, _text(host, "fleetpush_address") or target.address)


class _Once:
    """A thousand hosts that share a setting share its warning."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._said: set[str] = set()

    def __call__(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._warn(text)


def dest_of(host: Host, options: DeployOptions) -> str:
    """What the destination becomes on this host; a bare name lies in the login user's home."""
    if options.release_dir is not None:
        return _release_dir(host, options) + "/current/"
    template = options.dest if options.dest is not None else host.resolved("fleetpush_dest")
    if template is None:
        return _as_named(options.sources)
    if not isinstance(template, str) or not template:
        raise InputError(f"{host.name}: fleetpush_dest must be a path, not {template!r}")
    dest = _rendered(host, template, "the destination")
    if len(_contents(options.sources)) > 1 and not dest.endswith("/"):
        raise InputError(f"--dest {dest}: several sources need a directory, end it in '/'")
    if not dest.endswith("/") and any(is_directory(source) for source in options.sources):
        raise InputError(f"--dest {dest}: a directory goes into a directory, end it in '/'")
    return dest


def _as_named(sources: Sequence[str]) -> str:
    """In the login user's home: a file under its name, a directory and what is in it too."""
    if len(_contents(sources)) != 1 or (
        is_directory(sources[0]) and not means_contents(sources[0])
    ):
        return "./"
    return name_of(sources[0])


def _contents(sources: Sequence[str]) -> Sequence[str]:
    """What they are on the hosts: the same file of several hosts is one."""
    return list(dict.fromkeys(s if located(s) is None else name_of(s) for s in sources))


def _release_dir(host: Host, options: DeployOptions) -> str:
    if options.release_dir is None:
        return ""
    if options.dest is not None:
        raise UsageError("--release-dir and --dest are two places: give one of them")
    return _rendered(host, options.release_dir, "--release-dir").rstrip("/") or "/"


def _rendered(host: Host, template: str, what: str) -> str:
    path = host.render(template)
    if not path.strip() or "\0" in path or "\n" in path:
        raise InputError(f"{host.name}: {what} {template!r} became {path!r}, which is no path")
    return path


def _text(host: Host, name: str) -> str:
    value = host.resolved(name)
    if value is None:
        return ""
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise InputError(f"{host.name}: {name} must be a string, not {value!r}")
    return str(value)


def _ports(host: Host, usual: tuple[int, int]) -> tuple[int, int]:
    text = _text(host, "fleetpush_port")
    if not text:
        return usual
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise InputError(
            f"{host.name}: fleetpush_port must be a port number from 1 to 65535, not {text!r}"
        )
    return int(text), int(text)


def _refuse_twins(places: Sequence[Place]) -> None:
    """Two names for one machine and one destination would write over each other."""
    seen: dict[tuple[object, ...], str] = {}
    for place in places:
        target = place.target
        key = (target.connection, target.address, target.port, target.user, place.dest)
        other = seen.setdefault(key, place.name)
        if other != place.name:
            raise InputError(
                f"{other} and {place.name} are the same machine ({target.address}) with the same "
                f"destination {place.dest}: leave one out, or give them different destinations",
                slug="duplicate_address",
            )
