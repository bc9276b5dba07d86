"""Ansible's YAML form: groups with ``hosts``, ``vars`` and ``children``."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from fleetpush.inventory.load.document import Document, Entry, is_text, line_of
from fleetpush.inventory.load.place import add_hosts, check_group_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    import yaml

    from fleetpush.inventory.load.source import Source
    from fleetpush.inventory.model import Group, Inventory

_SECTIONS = ("hosts", "vars", "children")


def read_tree(source: Source, inventory: Inventory) -> None:
    """Adds the hosts and groups of a YAML or JSON file. Raises InputError with file and line."""
    _TreeReader(source, inventory).read()


class _TreeReader:
    def __init__(self, source: Source, inventory: Inventory) -> None:
        self._source = source
        self._inventory = inventory
        self._document = Document(source.text, source.name)

    def read(self) -> None:
        try:
            self._read_document()
        except RecursionError:
            self._document.fail(1, "nested too deeply")

    def _read_document(self) -> None:
        root = self._document.root()
        if root is None:
            self._document.fail(1, "the file is empty: it must hold 'all:' with hosts, or groups")
        for entry in self._document.entries(root, "an inventory", "group"):
            if entry.key in _SECTIONS or entry.key in ("plugin", "_meta"):
                self._document.fail(
                    entry.line, f"{entry.key!r} is not a group: {_advice(entry.key)}"
                )
            self._read_group(self._inventory.add_group(entry.key), entry)

    def _read_group(self, group: Group, entry: Entry) -> None:
        readers = {
            "hosts": self._read_hosts,
            "vars": self._read_vars,
            "children": self._read_children,
        }
        with self._document.at(entry.line):
            check_group_name(group.name)
        for section in self._document.entries(entry.value, f"group {group.name!r}", "section"):
            if section.key not in readers:
                near = difflib.get_close_matches(section.key, _SECTIONS, n=1)
                hint = f"did you mean {near[0]!r}?" if near else "variables go under 'vars:'"
                self._document.fail(
                    section.line,
                    f"unknown key {section.key!r} in group {group.name!r}: {hint} "
                    f"(a group has {', '.join(_SECTIONS)})",
                )
            readers[section.key](group, section)

    def _read_children(self, group: Group, section: Entry) -> None:
        for name, line, value in self._members(section, f"children of {group.name!r}", "group"):
            child = self._inventory.add_group(name)
            with self._document.at(line):
                self._inventory.add_child(group, child)
            if value is not None:
                self._read_group(child, Entry(name, line, value))

    def _read_hosts(self, group: Group, section: Entry) -> None:
        for name, line, value in self._members(section, f"hosts of {group.name!r}", "host"):
            own = None if value is None else self._document.block(value, f"host {name!r}")
            with self._document.at(line):
                add_hosts(
                    name,
                    group,
                    own,
                    source=self._source,
                    inventory=self._inventory,
                    line=line,
                )

    def _members(
        self, section: Entry, what: str, kind: str
    ) -> Iterator[tuple[str, int, yaml.Node | None]]:
        """Names with what is said of each. A single name may stand without a colon, as Ansible has it."""
        if is_text(section.value):
            yield section.value.value, line_of(section.value), None
            return
        yield from self._document.entries(section.value, what, kind)

    def _read_vars(self, group: Group, section: Entry) -> None:
        block = self._document.block(section.value, f"vars of {group.name!r}")
        if block is not None:
            with self._document.at(block.lines.get("ansible_group_priority", section.line)):
                group.add_block(block)


def _advice(key: str) -> str:
    if key in _SECTIONS:
        return f"put '{key}:' under 'all:' or under a group's name"
    return (
        "inventory plugins are not read here; save what they find: "
        "ansible-inventory -i FILE --list > fleet.json"
    )
