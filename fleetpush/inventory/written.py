"""An inventory written down: as ``ansible-inventory`` prints it, so that Ansible and ``-i`` read it again."""

from __future__ import annotations

import base64
import datetime
import difflib
from typing import TYPE_CHECKING, Any

import yaml

from fleetpush.errors import InputError
from fleetpush.inventory.marked import Vaulted, Verbatim

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from fleetpush.inventory.model import Group, Host, Inventory


def as_listing(inventory: Inventory, hosts: Collection[Host]) -> dict[str, object]:
    """What ``ansible-inventory --list`` prints: groups by name, and the hosts' variables under ``_meta``.

    Templates stay as they are written; what groups give is merged into the hosts. Groups without a host
    among ``hosts`` are named by their parents alone.
    """
    variables = {host.name: _for_json(host.variables) for host in hosts}
    return {"_meta": {"hostvars": variables}, **as_groups(inventory, hosts)}


def as_groups(inventory: Inventory, hosts: Collection[Host], top: str = "all") -> dict[str, object]:
    """The groups of such a listing from ``top`` down: what each contains, without any variable.

    Raises InputError if there is no such group.
    """
    shown = {host.name for host in hosts}
    first = _group(inventory, top)
    found: dict[str, object] = {}
    for group in (first, *first.descendants().values()):
        said = {
            "hosts": _own_hosts(group, shown),
            "children": [child.name for child in _children(group)],
        }
        parts = {key: names for key, names in said.items() if names}
        if parts:
            found[group.name] = parts
    return found


def as_tree(inventory: Inventory, hosts: Collection[Host]) -> str:
    """What ``ansible-inventory --list --yaml`` prints; a host's variables stand where it comes first."""
    shown = {host.name: host for host in hosts}
    told: set[str] = set()

    def tree(group: Group) -> dict[str, object]:
        children = {child.name: tree(child) for child in _children(group)}
        own: dict[str, object] = {}
        for name in _own_hosts(group, shown):
            own[name] = {} if name in told else _for_yaml(shown[name].variables)
            told.add(name)
        parts = {"children": children, "hosts": own}
        return {key: part for key, part in parts.items() if part}

    return as_yaml({"all": tree(inventory.groups["all"])})


def graph(inventory: Inventory, hosts: Collection[Host], top: str = "all") -> Iterator[str]:
    """The lines that ``ansible-inventory --graph`` prints. Raises InputError if there is no group ``top``."""
    first = _group(inventory, top)
    shown = {host.name for host in hosts}

    def lines(group: Group, depth: int) -> Iterator[str]:
        yield f"{_indent(depth)}@{group.name}:"
        for child in _children(group, empty_too=True):
            yield from lines(child, depth + 1)
        for name in _own_hosts(group, shown):
            yield f"{_indent(depth + 1)}{name}"

    return lines(first, 0)


def as_yaml(document: object) -> str:
    """``document`` as YAML in the order that it has; marked values keep their tags."""
    return str(
        yaml.dump(
            document, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True
        )
    )


def variables_as_json(host: Host) -> dict[str, object]:
    """What ``ansible-inventory --host`` prints."""
    return _for_json(host.variables)


def variables_as_yaml(host: Host) -> str:
    """The same in YAML."""
    return as_yaml(_for_yaml(host.variables))


def _group(inventory: Inventory, name: str) -> Group:
    if name not in inventory.groups:
        near = difflib.get_close_matches(name, inventory.groups, n=1)
        hint = f"did you mean {near[0]}?" if near else "see: fleetpush inventory graph"
        raise InputError(f"the inventory has no group {name!r}: {hint}")
    return inventory.groups[name]


def _own_hosts(group: Group, shown: Collection[str]) -> list[str]:
    """Everybody is in ``all``; who is in no other group is listed under ``ungrouped``."""
    return [] if group.name == "all" else [name for name in group.hosts if name in shown]


def _children(group: Group, *, empty_too: bool = False) -> Iterator[Group]:
    for child in group.children.values():
        if child.name != "ungrouped" or child.hosts or empty_too:
            yield child


def _indent(depth: int) -> str:
    return "  |" * depth + "--" if depth else ""


def _for_json(values: Mapping[str, object]) -> dict[str, object]:
    return {name: _plain(value, marks=True) for name, value in values.items()}


def _for_yaml(values: Mapping[str, object]) -> dict[str, object]:
    return {name: _plain(value, marks=False) for name, value in values.items()}


def _plain(value: object, *, marks: bool) -> object:
    """``value`` in the types that both forms have; ``marks``: with JSON's marks for what is more."""
    if isinstance(value, dict):
        return {str(key): _plain(item, marks=marks) for key, item in value.items()}
    if isinstance(value, set):
        return sorted((_plain(item, marks=marks) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [_plain(item, marks=marks) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return _marked(value) if marks else value


def _marked(value: object) -> object:
    if isinstance(value, Vaulted):
        return {"__ansible_vault": repr(value)}
    if isinstance(value, Verbatim):
        return {"__ansible_unsafe": str(value)}
    return value.isoformat() if isinstance(value, datetime.date) else value


class _Dumper(yaml.SafeDumper):
    """Without anchors, which people do not expect in an inventory."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401 (PyYAML's own signature)
        return True


def _vault(dumper: _Dumper, value: Vaulted) -> yaml.ScalarNode:
    return dumper.represent_scalar("!vault", repr(value))


def _unsafe(dumper: _Dumper, value: Verbatim) -> yaml.ScalarNode:
    return dumper.represent_scalar("!unsafe", str(value))


_Dumper.add_representer(Vaulted, _vault)
_Dumper.add_representer(Verbatim, _unsafe)
