"""Single values of a playbook's mapping: typed where they stand, or kept as templates for later."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, NoReturn

import yaml

from fleetpush.inventory import template
from fleetpush.inventory.load.document import is_null, line_of
from fleetpush.playbook.model import Condition, Template

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fleetpush.inventory.load.document import Document, Entry
    from fleetpush.inventory.model import VarBlock
    from fleetpush.playbook.actions import Argument


def place(document: Document, line: int) -> str:
    return f"{document.name}:{line}"


def read_value(document: Document, entry: Entry, argument: Argument) -> Any:  # noqa: ANN401 - what the argument reads
    """The value as ``argument`` types it, or a ``Template``. Raises InputError with file and line."""
    node = entry.value
    if is_null(node):
        document.fail(entry.line, f"'{entry.key}' is empty: give it a value, or take it out")
    written = argument.written and isinstance(node, yaml.ScalarNode)
    value = node.value if written else document.value(node)
    try:
        template.check(value)
        if template.holds_template(value):
            return Template(value, place(document, line_of(node)))
        return argument.read(value)
    except ValueError as error:
        document.fail(_line(entry), f"'{entry.key}': {error}")


def read_conditions(document: Document, entry: Entry) -> tuple[Condition, ...]:
    """The expressions of ``when`` and the like; a list means all of them."""
    nodes = entry.value.value if isinstance(entry.value, yaml.SequenceNode) else [entry.value]
    return tuple(_condition(document, entry, node) for node in nodes)


def _condition(document: Document, entry: Entry, node: yaml.Node) -> Condition:
    value = document.value(node)
    line = line_of(node)
    if not isinstance(value, str | bool):
        document.fail(line, f"'{entry.key}' must be an expression, or true or false")
    if isinstance(value, str):
        try:
            template.check_condition(value)
        except ValueError as error:
            document.fail(line, f"'{entry.key}': {error}")
    return Condition(value, place(document, line))


def read_vars(document: Document, entry: Entry) -> VarBlock | None:
    """A mapping of variables; None if it is empty."""
    block = document.block(entry.value, f"'{entry.key}'")
    if block is not None:
        for name, value in block.values.items():
            try:
                if not name.isidentifier():
                    raise ValueError(
                        f"{name!r} is no name for a variable: letters, digits and _ only"
                    )
                template.check(value)
            except ValueError as error:
                document.fail(block.lines[name], str(error))
    return block


def read_tags(document: Document, entry: Entry, argument: Argument) -> frozenset[str]:
    """Names, which are the same whatever the variables are."""
    found = read_value(document, entry, argument)
    if isinstance(found, Template):
        document.fail(entry.line, f"'{entry.key}' cannot be a template")
    return frozenset(found)


def fixed(document: Document, entry: Entry, value: Any) -> Any:  # noqa: ANN401 - as it came
    """``value`` again. Raises InputError if it is a template."""
    if isinstance(value, Template):
        document.fail(entry.line, f"'{entry.key}' cannot be a template")
    return value


def unknown_key(document: Document, entry: Entry, owner: str, known: Iterable[str]) -> NoReturn:
    """Raises InputError: ``a task has no 'comand': did you mean 'command'?``."""
    names = sorted(known)
    near = difflib.get_close_matches(entry.key.lower().replace("-", "_"), names, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(names)}"
    document.fail(entry.line, f"{owner} has no '{entry.key}': {hint}")


def fields(
    document: Document, entries: Mapping[str, Entry], known: Mapping[str, Argument]
) -> dict[str, Any]:
    """The values of those entries that ``known`` reads."""
    return {
        name: read_value(document, entry, known[name])
        for name, entry in entries.items()
        if name in known
    }


def _line(entry: Entry) -> int:
    """A scalar's own line, else the key's: a list begins a line later than the eye looks."""
    return line_of(entry.value) if isinstance(entry.value, yaml.ScalarNode) else entry.line
