"""Who there is: hosts in groups, and the variables that each host ends up with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from fleetpush.errors import InputError
from fleetpush.inventory import nodeset, template
from fleetpush.inventory import pattern as patterns

PRIORITY = "ansible_group_priority"
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}", re.ASCII)


class VarBlock(NamedTuple):
    """Variables as one place of one file gives them; shared by all hosts of a range."""

    values: Mapping[str, object]
    file: str
    lines: Mapping[str, int]

    def place(self, name: str) -> str:
        line = self.lines.get(name)
        return f"{self.file}:{line}" if line else self.file


class Group:
    """A named set of hosts. ``depth`` is the longest way from ``all``: the deeper group wins."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.hosts: dict[str, Host] = {}
        self.children: dict[str, Group] = {}
        self.parents: dict[str, Group] = {}
        self.blocks: list[VarBlock] = []
        self.file_blocks: dict[str, list[VarBlock]] = {}
        """What ``group_vars`` gives it, by the directory that the inventory source stands in."""
        self.depth = 0
        self.priority = 1

    def __repr__(self) -> str:
        return f"Group({self.name!r})"

    def add_block(self, block: VarBlock) -> None:
        """Adds variables of the inventory itself. Raises InputError for a priority that is none."""
        if PRIORITY in block.values:
            try:
                self.priority = int(str(block.values[PRIORITY]))
            except ValueError:
                raise InputError(f"{PRIORITY} must be a whole number") from None
        self.blocks.append(block)

    def ancestors(self) -> dict[str, Group]:
        """Every group above this one, by name."""
        return _reachable(self, "parents")

    def descendants(self) -> dict[str, Group]:
        """Every group below this one, by name, level by level."""
        return _reachable(self, "children")

    def all_hosts(self) -> list[Host]:
        """Its own hosts, then those of its children level by level, each once."""
        found = dict(self.hosts)
        for group in self.descendants().values():
            found |= {n: h for n, h in group.hosts.items() if n not in found}
        return list(found.values())


class Host:
    """One machine. Cheap: what its groups give is merged once for each set of groups."""

    def __init__(self, name: str, inventory: Inventory, file: str) -> None:
        self.name = name
        self.file = file
        self.direct: dict[str, Group] = {}
        self.blocks: list[VarBlock] = []
        self.file_blocks: list[VarBlock] = []
        """What ``host_vars`` gives it."""
        self._inventory = inventory

    def __repr__(self) -> str:
        return f"Host({self.name!r})"

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """The names of its groups and of their parents, sorted, without ``all``."""
        return self._inventory.group_view(self).names

    @cached_property
    def variables(self) -> Mapping[str, object]:
        """All variables that apply, merged and not yet templated.

        As Ansible has it: all < parent < child, first those of the inventory, then those of group_vars;
        then the host's own of the inventory < host_vars < extra.
        """
        merged = dict(self._inventory.group_view(self).values)
        for block in (*self.blocks, *self.file_blocks):
            merged.update(block.values)
        merged.update(self._inventory.extra_vars)
        return MappingProxyType(merged)

    def resolved(self, name: str, default: object = None) -> object:
        """The value of one variable with its templates filled in; ``default`` if nobody sets it.

        Raises InputError that names the host and the variable if it needs something undefined,
        needs itself, or is not a proper template.
        """
        if name not in self.variables and name not in self.magic:
            return default
        return template.resolve(name, self._scope)

    def render(self, text: str) -> str:
        """``text`` as a template over this host's variables. Raises InputError naming the host."""
        return template.render(text, self._scope) if "{" in text else text

    @cached_property
    def magic(self) -> dict[str, object]:
        """The variables that nobody sets and every host has."""
        return {
            "inventory_hostname": self.name,
            "inventory_hostname_short": self._short_name,
            "inventory_file": self.file,
            "inventory_dir": str(Path(self.file).parent) if self.file else "",
            "group_names": list(self.groups),
            "groups": self._inventory.group_members,
        }

    @property
    def _short_name(self) -> str:
        is_address = _IPV4.fullmatch(self.name) or nodeset.is_ipv6(self.name)
        return self.name if is_address else self.name.split(".", maxsplit=1)[0]

    @cached_property
    def _scope(self) -> template.Scope:
        return template.Scope(self.name, self.variables, self.magic, self.place)

    def place(self, name: str) -> str:
        """Where the value of a variable comes from: file and line as far as known, "" for nowhere."""
        if name in self._inventory.extra_vars:
            return "extra variables"
        blocks = (*self._inventory.group_view(self).blocks, *self.blocks, *self.file_blocks)
        return next((block.place(name) for block in reversed(blocks) if name in block.values), "")


class _GroupView(NamedTuple):
    """What hosts with the same direct groups share."""

    names: tuple[str, ...]
    blocks: tuple[VarBlock, ...]
    """The weakest first."""
    values: Mapping[str, object]


class Inventory:
    """All hosts and groups of one run. Filled by ``load``, then ``settle``d, then only read."""

    def __init__(
        self, *, cwd: Path, extra_vars: Mapping[str, object] = MappingProxyType({})
    ) -> None:
        self.cwd = cwd
        self.extra_vars = extra_vars
        self.hosts: dict[str, Host] = {}
        self.groups: dict[str, Group] = {"all": Group("all"), "ungrouped": Group("ungrouped")}
        self.directories: tuple[str, ...] = ()
        """Where ``group_vars`` and ``host_vars`` were looked for; the later directory wins."""
        self._views: dict[tuple[str, ...], _GroupView] = {}

    def add_group(self, name: str) -> Group:
        """The group of that name, new or known."""
        if name not in self.groups:
            self.groups[name] = Group(name)
        return self.groups[name]

    def add_child(self, parent: Group, child: Group) -> None:
        """Puts ``child`` under ``parent``. Raises InputError if that closes a loop."""
        if child.name == "all" or child is parent or child.name in parent.ancestors():
            raise InputError(f"group {child.name!r} would contain itself through {parent.name!r}")
        parent.children[child.name] = child
        child.parents[parent.name] = parent

    def add_host(self, name: str, group: Group, file: str) -> Host:
        """The host of that name, new or known, as a direct member of ``group``. ``file`` may be ""."""
        host = self.hosts.get(name)
        if host is None:
            host = self.hosts[name] = Host(name, self, file)
        group.hosts[name] = host
        host.direct[group.name] = group
        return host

    def settle(self) -> None:
        """Puts loose groups under ``all`` and loose hosts into ``ungrouped``; computes depths."""
        top, ungrouped = self.groups["all"], self.groups["ungrouped"]
        for group in self.groups.values():
            if group is not top and not group.parents:
                self.add_child(top, group)
        for host in self.hosts.values():
            if host.direct.keys() - {"all", "ungrouped"}:
                ungrouped.hosts.pop(host.name, None)
                host.direct.pop("ungrouped", None)
            else:
                self.add_host(host.name, ungrouped, host.file)
        parents = {name: list(group.parents) for name, group in self.groups.items()}
        for name in TopologicalSorter(parents).static_order():
            group = self.groups[name]
            group.depth = max((above.depth + 1 for above in group.parents.values()), default=0)

    def select(self, pattern: str = "all", limit: str | None = None) -> list[Host]:
        """The hosts that ``pattern`` names and ``limit`` leaves, in inventory order.

        Ansible's host patterns; ``limit`` may also name files of patterns, as ``@site.retry``.
        Raises InputError for a pattern that cannot be read; see ``unmatched`` for one that is empty.
        """
        chosen = {host.name for host in self.in_order(pattern, limit)}
        return [host for host in self.hosts.values() if host.name in chosen]

    def in_order(self, pattern: str, limit: str | None = None) -> list[Host]:
        """As ``select``, in the order in which ``pattern`` names them: ``canary,all`` begins with those."""
        chosen = patterns.select(pattern, self)
        allowed = chosen if limit is None else patterns.select(limit, self, files=True)
        return [self.hosts[name] for name in chosen if name in allowed]

    def unmatched(self, pattern: str) -> list[str]:
        """The parts of a pattern or limit that match no host; of a range, the names that are missing."""
        return patterns.unmatched(pattern, self)

    @cached_property
    def group_members(self) -> Mapping[str, list[str]]:
        """Host names by group, for templates; each list is made when asked for."""
        return _Members(self)

    def members(self, group: str) -> list[str]:
        """The names of a group's hosts in the group's order; ``all`` is everybody in inventory order."""
        if group == "all":
            return list(self.hosts)
        return [host.name for host in self.groups[group].all_hosts()]

    def group_view(self, host: Host) -> _GroupView:
        """What the host's groups give it; computed once for each combination of groups."""
        key = tuple(sorted(host.direct))
        view = self._views.get(key)
        if view is None:
            view = self._views[key] = self._make_view(host)
        return view

    def _make_view(self, host: Host) -> _GroupView:
        found: dict[str, Group] = {"all": self.groups["all"]}
        for group in host.direct.values():
            found[group.name] = group
            found |= group.ancestors()
        top, *others = sorted(found.values(), key=lambda g: (g.depth, g.priority, g.name))
        own = [block for group in (top, *others) for block in group.blocks]
        values: dict[str, object] = {}
        for block in own:
            values.update(block.values)
        values.pop(PRIORITY, None)
        files = [block for blocks in top.file_blocks.values() for block in blocks]
        for directory in self.directories:
            files += (block for group in others for block in group.file_blocks.get(directory, ()))
        for block in files:
            values.update(block.values)
        return _GroupView(tuple(sorted(found.keys() - {"all"})), (*own, *files), values)


class _Members(Mapping[str, list[str]]):
    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._lists: dict[str, list[str]] = {}

    def __getitem__(self, group: str) -> list[str]:
        if group not in self._lists:
            if group not in self._inventory.groups:
                raise KeyError(group)
            self._lists[group] = self._inventory.members(group)
        return self._lists[group]

    def __iter__(self) -> Iterator[str]:
        return iter(self._inventory.groups)

    def __len__(self) -> int:
        return len(self._inventory.groups)


def _reachable(start: Group, relation: str) -> dict[str, Group]:
    """The groups above or below ``start``, nearest level first, without ``start`` itself."""
    found: dict[str, Group] = {}
    level: Sequence[Group] = [start]
    while level:
        level = [g for group in level for g in getattr(group, relation).values()]
        level = list({g.name: g for g in level if g.name not in found}.values())
        found |= {g.name: g for g in level}
    return found
