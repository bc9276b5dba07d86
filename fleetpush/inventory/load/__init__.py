"""Reads inventories as Ansible does: YAML, INI, scripts, directories, lists of hosts, files of variables."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from fleetpush.errors import InputError
from fleetpush.inventory.load.extra import read_extra_vars
from fleetpush.inventory.load.ini import read_ini
from fleetpush.inventory.load.listing import read_listing
from fleetpush.inventory.load.place import add_new_hosts
from fleetpush.inventory.load.script import run_script
from fleetpush.inventory.load.source import STDIN, find_sources
from fleetpush.inventory.load.tree import read_tree
from fleetpush.inventory.load.varfiles import read_var_files
from fleetpush.inventory.model import Inventory
from fleetpush.inventory.nodeset import split_outside

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from fleetpush.inventory.load.source import Kind, Source

__all__ = ["SCRIPT_SECONDS", "load", "read_extra_vars"]

SCRIPT_SECONDS = 60.0
"""How long one run of an inventory script may take."""


def load(
    sources: Sequence[str],
    *,
    cwd: Path,
    extra_vars: Mapping[str, object] = MappingProxyType({}),
    script_seconds: float = SCRIPT_SECONDS,
    var_directories: Sequence[str] = (),
) -> Inventory:
    """All hosts of the sources, and their variables. Later sources add and override.

    A source is a file or directory, also of ``cwd/inventories``; ``host1,host2``; or ``-``, which is
    standard input. Scripts are run. ``extra_vars`` win over every other variable; ``var_directories``
    may hold more group_vars and host_vars, which win over those beside the sources. Raises InputError that
    names the file, the line and what to do.
    """
    if not sources:
        raise InputError("no inventory: name one with -i FILE, or hosts with -i host1,host2")
    if sources.count(STDIN) > 1:
        raise InputError("-i - is there twice, but standard input can be read only once")
    inventory = Inventory(cwd=cwd, extra_vars=extra_vars)
    directories = []
    for name in sources:
        place = find_sources(name, cwd)
        for source in place.sources:
            if source.kind == "script":
                run_script(source, inventory, script_seconds)
            else:
                _READERS[source.kind](source, inventory)
        directories += [place.directory] if place.directory else []
    if not inventory.hosts:
        raise InputError(f"no hosts in {', '.join(sources)}: list them under all: hosts:")
    inventory.settle()
    read_var_files(inventory, [*directories, *var_directories])
    return inventory


def _read_hosts(source: Source, inventory: Inventory) -> None:
    for part in split_outside(source.text, ","):
        add_new_hosts(part, source=source, inventory=inventory)


_READERS: Mapping[Kind, Callable[[Source, Inventory], None]] = {
    "hosts": _read_hosts,
    "tree": read_tree,
    "ini": read_ini,
    "listing": read_listing,
}
