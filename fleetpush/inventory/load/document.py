"""One YAML document, walked node by node, so that every complaint can name its line."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import yaml

from fleetpush.errors import InputError
from fleetpush.inventory.marked import Vaulted, Verbatim
from fleetpush.inventory.model import VarBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

_STANDARD_TAG = "tag:yaml.org,2002:"
_VAULT_TAGS = ("!vault", "!vault-encrypted")
_UNSAFE_TAG = "!unsafe"
_TAGS = (*_VAULT_TAGS, _UNSAFE_TAG)

_Base: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


class _Loader(_Base):  # type: ignore[misc]  # which of the two it is shows when it runs
    """YAML's own types and Ansible's two tags. ``file`` is for the places of encrypted values."""

    file = ""


def _vaulted(loader: _Loader, node: yaml.Node) -> Vaulted:
    return Vaulted(f"{loader.file}:{line_of(node)}")


def _unsafe(loader: _Loader, node: yaml.Node) -> object:
    plain = copy.copy(node)  # the node itself is under construction already
    plain.tag = loader.resolve(type(node), node.value, (True, False))
    return verbatim(loader.construct_object(plain, deep=True))


def verbatim(value: object) -> object:
    """``value`` with all its text marked as no template."""
    if isinstance(value, str):
        return Verbatim(value)
    if isinstance(value, dict):
        return {key: verbatim(item) for key, item in value.items()}
    return [verbatim(item) for item in value] if isinstance(value, list) else value


for _tag in _VAULT_TAGS:
    _Loader.add_constructor(_tag, _vaulted)
_Loader.add_constructor(_UNSAFE_TAG, _unsafe)


class Entry(NamedTuple):
    """One ``key: value`` of a mapping, with the key's line."""

    key: str
    line: int
    value: yaml.Node


class Document:
    """A document in ``text``; ``name`` is the file's, for messages. All methods raise InputError."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self._text = text
        with self.at(_first_unprintable_line(text)):
            self._loader = _Loader(text)
        self._loader.file = name

    def root(self) -> yaml.Node | None:
        """The outermost node, all below it looked through; None for a document without content."""
        with self.at(_first_unprintable_line(self._text)):
            root: yaml.Node | None = self._loader.get_single_node()
        if root is not None:
            self._check_nodes(root)
        return root

    def entries(self, node: yaml.Node, what: str, kind: str) -> Iterator[Entry]:
        """The pairs of a mapping with text keys; nothing for null."""
        if is_null(node):
            return
        if not isinstance(node, yaml.MappingNode):
            is_list = isinstance(node, yaml.SequenceNode)
            found, example = ("a list", kind) if is_list else (repr(node.value), node.value)
            self.fail(
                line_of(node),
                f"{what} must be a mapping, not {found}: write '{example}:', one {kind} a line",
            )
        with self.at(line_of(node)):
            self._loader.flatten_mapping(node)
        for key, value in node.value:
            if key.tag != _STANDARD_TAG + "str":
                self.fail(
                    line_of(key), f"{what}: the key {key.value!r} must be text: put it in quotes"
                )
            yield Entry(key.value, line_of(key), value)

    def items(self, node: yaml.Node, what: str, each: str) -> list[yaml.Node]:
        """The items of a list; nothing for null. ``each`` is how one begins: ``- name:``."""
        if is_null(node):
            return []
        if not isinstance(node, yaml.SequenceNode):
            found = "a mapping" if isinstance(node, yaml.MappingNode) else repr(node.value)
            self.fail(
                line_of(node), f"{what} must be a list, not {found}: begin each with '{each}'"
            )
        return list(node.value)

    def value(self, node: yaml.Node) -> object:
        """What YAML makes of the node."""
        with self.at(line_of(node)):
            return self._loader.construct_object(node, deep=True)

    def block(self, node: yaml.Node, what: str) -> VarBlock | None:
        """The variables in a mapping; None if there are none."""
        values, lines = {}, {}
        for entry in self.entries(node, what, "variable"):
            with self.at(entry.line):
                values[entry.key] = self._loader.construct_object(entry.value, deep=True)
            lines[entry.key] = entry.line
        return VarBlock(values, self.name, lines) if values else None

    @contextmanager
    def at(self, line: int) -> Iterator[None]:
        """What goes wrong inside becomes a message with file and line."""
        try:
            yield
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self.fail(mark.line + 1 if mark else line, str(error.problem or error.context))
        except (yaml.YAMLError, InputError, ValueError, OverflowError) as error:
            self.fail(line, str(error).splitlines()[0])

    def fail(self, line: int, message: str) -> NoReturn:
        raise InputError(f"{self.name}:{line}: {message}") from None

    def _check_nodes(self, root: yaml.Node) -> None:
        """Duplicate keys (YAML itself lets the last one win) and tags, anywhere in the document."""
        stack, seen = [root], set()
        while stack:
            node = stack.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if not node.tag.startswith(_STANDARD_TAG):
                self._check_tag(node)
            if isinstance(node, yaml.MappingNode):
                self._check_duplicates(node)
                stack += [part for pair in node.value for part in pair]
            elif isinstance(node, yaml.SequenceNode):
                stack += node.value

    def _check_tag(self, node: yaml.Node) -> None:
        if node.tag not in _TAGS:
            self.fail(line_of(node), f"the tag {node.tag} is not supported: write a plain value")
        if node.tag in _VAULT_TAGS and not isinstance(node, yaml.ScalarNode):
            self.fail(line_of(node), f"the tag {node.tag} stands before encrypted text only")

    def _check_duplicates(self, node: yaml.MappingNode) -> None:
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.fail(
                    line_of(key), "a key is a list or a mapping: quote values that begin with {{"
                )
            first = lines.get((key.tag, key.value))
            if first is not None and key.value != "<<":
                self.fail(line_of(key), f"{key.value!r} is here twice, first in line {first}")
            lines[key.tag, key.value] = line_of(key)


def read_mapping(text: str, name: str, what: str) -> VarBlock | None:
    """The variables of a whole document. Raises InputError with file and line; None if there are none."""
    document = Document(text, name)
    try:
        root = document.root()
        return None if root is None else document.block(root, what)
    except RecursionError:
        document.fail(1, "nested too deeply")


def is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == _STANDARD_TAG + "null"


def is_text(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == _STANDARD_TAG + "str"


def line_of(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _first_unprintable_line(text: str) -> int:
    """The line of the one mistake that YAML reports without a line; 1 if it is not there."""
    match = yaml.reader.Reader.NON_PRINTABLE.search(text)
    return text.count("\n", 0, match.start()) + 1 if match else 1
