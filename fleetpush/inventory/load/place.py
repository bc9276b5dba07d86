"""Hosts as inventories write them, ``web[01:50]`` or ``web1:2222``, put into their groups."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fleetpush.errors import InputError
from fleetpush.inventory import nodeset
from fleetpush.inventory.model import VarBlock

if TYPE_CHECKING:
    from fleetpush.inventory.load.source import Source
    from fleetpush.inventory.model import Group, Inventory

# No leading dash: a name must never read as an option of ssh. No slash: nor as a path to host_vars.
_NAME = re.compile(r"\w[\w.+-]{0,254}")
_GROUP_NAME = re.compile(r"\w[^\s/,:!&*?~\[\]\x00-\x1f\x7f]{0,254}")
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]+(?:%[\w.-]+)?")
_PORT = re.compile(
    r"(?:\[(?P<bare>[^\[\]]+)\]|(?P<name>[^:\[\]]*(?:\[[^\]]*\][^:\[\]]*)*)):(?P<port>[0-9]{1,5})"
)


def add_hosts(
    text: str,
    group: Group,
    own: VarBlock | None,
    *,
    source: Source,
    inventory: Inventory,
    line: int,
) -> None:
    """Puts all hosts that ``text`` stands for into ``group``, with their ``own`` variables.

    A port counts where the host is named first, as Ansible has it. Raises InputError for what is no host.
    """
    names, port = _names(text)
    always = [own] if own else []
    first = [VarBlock({"ansible_port": port}, source.name, {"ansible_port": line})] if port else []
    for name in names:
        blocks = always if name in inventory.hosts else first + always
        inventory.add_host(name, group, source.path).blocks += blocks


def add_new_hosts(text: str, *, source: Source, inventory: Inventory) -> None:
    """As ``add_hosts``, for a list on the command line, which says nothing new of hosts that are known."""
    names, port = _names(text)
    for name in names:
        if name not in inventory.hosts:
            host = inventory.add_host(name, inventory.groups["ungrouped"], source.path)
            host.blocks += [VarBlock({"ansible_port": port}, source.name, {})] if port else []


def check_host_name(name: str) -> None:
    """Raises InputError for what cannot be the name of a host."""
    if not _NAME.fullmatch(name) and not (_ADDRESS.fullmatch(name) and nodeset.is_ipv6(name)):
        raise InputError(
            f"{name!r} is no name for a host: letters, digits, dots, dashes and underscores, "
            "and no dash in front"
        )


def check_group_name(name: str) -> None:
    """Raises InputError for what cannot be the name of a group, or not be named in a pattern."""
    if not _GROUP_NAME.fullmatch(name):
        raise InputError(f"{name!r} is no name for a group")


def _names(text: str) -> tuple[list[str], int]:
    """The names behind ``web[01:50]`` or ``web1:2222``, and the port or 0."""
    port = 0
    match = _PORT.fullmatch(text)
    if match:
        bare, port = match["bare"], int(match["port"])
        text = f"[{bare}]" if bare and nodeset.is_range(bare) else bare or match["name"]
    names = [text] if nodeset.is_ipv6(text) else nodeset.expand(text)
    if not names:
        raise InputError(f"{text!r} names no host")
    for name in names:
        check_host_name(name)
    return names, port
