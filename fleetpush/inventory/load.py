"""Reads inventories: Ansible's YAML form and ``-i`` lists of hosts. Later sources add and override."""

from __future__ import annotations

import difflib
import re
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import yaml

from fleetpush.errors import InputError
from fleetpush.inventory import nodeset
from fleetpush.inventory.model import PRIORITY, Inventory, VarBlock
from fleetpush.inventory.source import Kind, Source, read_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from fleetpush.inventory.model import Group

_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_SECTIONS = ("hosts", "vars", "children")
_STANDARD_TAG = "tag:yaml.org,2002:"
# No leading dash: a name must never read as an option of ssh.
_NAME = re.compile(r"\w[\w.+-]{0,254}")
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]+(?:%[\w.-]+)?")
_PORT = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]]*(?:\[[^\]]*\][^:\[\]]*)*)):(?P<port>[0-9]{1,5})"
)


def load(
    sources: Sequence[str], *, cwd: Path, extra_vars: Mapping[str, object] = MappingProxyType({})
) -> Inventory:
    """All hosts of the sources: paths, files of ``cwd/inventories``, or ``host1,host2`` lists.

    ``extra_vars`` win over every variable of the files. Raises InputError that names the file, the
    line and what to do.
    """
    if not sources:
        raise InputError("no inventory: name one with -i FILE, or hosts with -i host1,host2")
    inventory = Inventory(cwd=cwd, extra_vars=extra_vars)
    for name in sources:
        source = read_source(name, cwd)
        _READERS[source.kind](source, inventory)
    if not inventory.hosts:
        raise InputError(f"no hosts in {', '.join(sources)}: list them under all: hosts:")
    inventory.settle()
    return inventory


def _read_hosts(source: Source, inventory: Inventory) -> None:
    for part in nodeset.split_outside(source.text, ","):
        names, block = _hosts_named(part, source.name, None)
        for name in names:
            host = inventory.add_host(name, inventory.groups["all"], source.path)
            host.blocks += [block] if block else []


def _hosts_named(text: str, file: str, line: int | None) -> tuple[list[str], VarBlock | None]:
    """The names behind ``web[01:50]`` or ``web1:2222``, and the port as a variable."""
    block = None
    match = _PORT.fullmatch(text)
    if match and (match["v6"] is None or nodeset.is_ipv6(match["v6"])):
        text = match["v6"] or match["name"]
        lines = {"ansible_port": line} if line else {}
        block = VarBlock({"ansible_port": int(match["port"])}, file, lines)
    names = [text] if nodeset.is_ipv6(text) else nodeset.expand(text)
    for name in names:
        if not _NAME.fullmatch(name) and not (_ADDRESS.fullmatch(name) and nodeset.is_ipv6(name)):
            raise InputError(
                f"{name!r} is no name for a host: letters, digits, dots, dashes and underscores, "
                "and no dash in front"
            )
    return names, block


class _Entry(NamedTuple):
    """One ``key: value`` of a YAML mapping, with the key's line."""

    key: str
    line: int
    value: yaml.Node


class _YamlReader:
    """Walks the nodes of one document, so that every complaint can name its line."""

    def __init__(self, source: Source, inventory: Inventory) -> None:
        self._source = source
        self._inventory = inventory
        with self._at(_first_unprintable_line(source.text)):
            self._loader = _LOADER(source.text)

    def read(self) -> None:
        try:
            self._read_document()
        except RecursionError:
            self._fail(1, "nested too deeply")

    def _read_document(self) -> None:
        with self._at(_first_unprintable_line(self._source.text)):
            root = self._loader.get_single_node()
        if root is None:
            self._fail(1, "the file is empty: it must hold 'all:' with hosts, or groups")
        self._check_nodes(root)
        for entry in self._entries(root, "an inventory", "group"):
            if entry.key in _SECTIONS or entry.key in ("plugin", "_meta"):
                self._fail(entry.line, f"{entry.key!r} is not a group: {_advice(entry.key)}")
            self._read_group(self._inventory.add_group(entry.key), entry)

    def _check_nodes(self, root: yaml.Node) -> None:
        """Duplicate keys (YAML itself lets the last one win) and tags, anywhere in the document."""
        stack, seen = [root], set()
        while stack:
            node = stack.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if not node.tag.startswith(_STANDARD_TAG):
                self._fail(_line(node), _tag_advice(node.tag))
            if isinstance(node, yaml.MappingNode):
                self._check_duplicates(node)
                stack += [part for pair in node.value for part in pair]
            elif isinstance(node, yaml.SequenceNode):
                stack += node.value

    def _check_duplicates(self, node: yaml.MappingNode) -> None:
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._fail(
                    _line(key), "a key is a list or a mapping: quote values that begin with {{"
                )
            first = lines.setdefault((key.tag, key.value), _line(key))
            if first != _line(key) and key.value != "<<":
                self._fail(_line(key), f"{key.value!r} is here twice, first in line {first}")

    def _read_group(self, group: Group, entry: _Entry) -> None:
        readers = {
            "hosts": self._read_hosts,
            "vars": self._read_vars,
            "children": self._read_children,
        }
        if not _NAME.fullmatch(group.name):
            self._fail(entry.line, f"{group.name!r} is no name for a group")
        for section in self._entries(entry.value, f"group {group.name!r}", "section"):
            if section.key not in readers:
                near = difflib.get_close_matches(section.key, _SECTIONS, n=1)
                hint = f"did you mean {near[0]!r}?" if near else "variables go under 'vars:'"
                self._fail(
                    section.line,
                    f"unknown key {section.key!r} in group {group.name!r}: {hint} "
                    f"(a group has {', '.join(_SECTIONS)})",
                )
            readers[section.key](group, section)

    def _read_children(self, group: Group, section: _Entry) -> None:
        for entry in self._entries(section.value, f"children of {group.name!r}", "group"):
            child = self._inventory.add_group(entry.key)
            with self._at(entry.line):
                self._inventory.add_child(group, child)
            self._read_group(child, entry)

    def _read_hosts(self, group: Group, section: _Entry) -> None:
        for entry in self._entries(section.value, f"hosts of {group.name!r}", "host"):
            with self._at(entry.line):
                names, port = _hosts_named(entry.key, self._source.name, entry.line)
            own = self._block(entry.value, f"host {entry.key!r}")
            blocks = [block for block in (port, own) if block is not None]
            for host in names:
                self._inventory.add_host(host, group, self._source.path).blocks += blocks

    def _read_vars(self, group: Group, section: _Entry) -> None:
        block = self._block(section.value, f"vars of {group.name!r}")
        if block is None:
            return
        group.blocks.append(block)
        if PRIORITY in block.values:
            try:
                group.priority = int(str(block.values[PRIORITY]))
            except ValueError:
                self._fail(block.lines[PRIORITY], f"{PRIORITY} must be a whole number")

    def _block(self, node: yaml.Node, what: str) -> VarBlock | None:
        values, lines = {}, {}
        for entry in self._entries(node, what, "variable"):
            with self._at(entry.line):
                values[entry.key] = self._loader.construct_object(entry.value, deep=True)
            lines[entry.key] = entry.line
        return VarBlock(values, self._source.name, lines) if values else None

    def _entries(self, node: yaml.Node, what: str, kind: str) -> Iterator[_Entry]:
        """The pairs of a mapping with text keys; nothing for null."""
        if isinstance(node, yaml.ScalarNode) and node.tag == _STANDARD_TAG + "null":
            return
        if not isinstance(node, yaml.MappingNode):
            is_list = isinstance(node, yaml.SequenceNode)
            found, example = ("a list", kind) if is_list else (repr(node.value), node.value)
            self._fail(
                _line(node),
                f"{what} must be a mapping, not {found}: write '{example}:', one {kind} a line",
            )
        with self._at(_line(node)):
            self._loader.flatten_mapping(node)
        for key, value in node.value:
            if key.tag != _STANDARD_TAG + "str":
                self._fail(
                    _line(key), f"{what}: the key {key.value!r} must be text: put it in quotes"
                )
            yield _Entry(key.value, _line(key), value)

    @contextmanager
    def _at(self, line: int) -> Iterator[None]:
        """What goes wrong inside becomes a message with file and line."""
        try:
            yield
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._fail(mark.line + 1 if mark else line, str(error.problem or error.context))
        except (yaml.YAMLError, InputError, ValueError, OverflowError) as error:
            self._fail(line, str(error).splitlines()[0])

    def _fail(self, line: int, message: str) -> NoReturn:
        raise InputError(f"{self._source.name}:{line}: {message}") from None


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _first_unprintable_line(text: str) -> int:
    """The line of the one mistake that YAML reports without a line; 1 if it is not there."""
    match = yaml.reader.Reader.NON_PRINTABLE.search(text)
    return text.count("\n", 0, match.start()) + 1 if match else 1


def _advice(key: str) -> str:
    if key in _SECTIONS:
        return f"put '{key}:' under 'all:' or under a group's name"
    return (
        "inventory plugins and script output are not read here; save what ansible-inventory lists"
    )


def _tag_advice(tag: str) -> str:
    if tag.startswith("!vault"):
        return (
            "a vault-encrypted value, which fleetpush cannot decrypt: keep the secret out of the "
            "inventory (an SSH agent, or -k and -K ask for passwords)"
        )
    return f"the tag {tag} is not supported: write a plain value"


def _read_yaml(source: Source, inventory: Inventory) -> None:
    _YamlReader(source, inventory).read()


_READERS: Mapping[Kind, Callable[[Source, Inventory], None]] = {
    "hosts": _read_hosts,
    "yaml": _read_yaml,
}
