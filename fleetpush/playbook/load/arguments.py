"""What an action is told: by its own value, by ``args``, and by Ansible's other spellings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml

from fleetpush.inventory.load.document import Entry, is_null, line_of
from fleetpush.playbook.actions import ACTIONS
from fleetpush.playbook.load.values import read_value, unknown_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleetpush.inventory.load.document import Document

_INLINE = re.compile(r"(?:^|\s)(chdir|creates|removes|executable|stdin)=\S")
_ALIASES = {"interval": "sleep"}


def read_arguments(
    document: Document, name: str, entry: Entry, entries: Mapping[str, Entry]
) -> dict[str, object]:
    """The typed arguments of the action ``name``, whose key is ``entry`` among the task's ``entries``.

    Raises InputError with file and line.
    """
    action = ACTIONS[name]
    given: dict[str, Entry] = {}
    for each in (*_own(document, name, entry), *_args(document, entries), *_timeout(entries)):
        if each.key not in action.arguments:
            unknown_key(document, each, name, action.arguments)
        if each.key in given:
            document.fail(
                each.line, f"'{each.key}' is given twice, first in line {given[each.key].line}"
            )
        given[each.key] = each
    found = {key: read_value(document, each, action.arguments[key]) for key, each in given.items()}
    complaint = action.complaint(found)
    if complaint:
        document.fail(entry.line, complaint)
    return {_ALIASES.get(key, key): value for key, value in found.items()}


def _own(document: Document, name: str, entry: Entry) -> list[Entry]:
    node = entry.value
    if is_null(node) and name == "activate":
        return []
    if name == "activate" and isinstance(node, yaml.ScalarNode):
        return [_activate_word(document, entry)]
    if isinstance(node, yaml.MappingNode) or is_null(node) or not ACTIONS[name].short:
        return list(document.entries(node, name, "argument"))
    short = ACTIONS[name].short
    if isinstance(node, yaml.SequenceNode) and name in ("command", "shell"):
        document.fail(line_of(node), f"{name} takes one line; a list of words is its 'argv'")
    if short == "cmd" and (found := _INLINE.search(str(node.value))):
        document.fail(
            line_of(node), f"'{found[1]}=' within a command line is not read: write it under args:"
        )
    return [Entry(short, line_of(node), node)]


def _activate_word(document: Document, entry: Entry) -> Entry:
    """``activate: together``."""
    if entry.value.value not in ("together", "each"):
        document.fail(
            entry.line,
            f"'activate' must be each or together, or a mapping, not {entry.value.value!r}",
        )
    truth = "true" if entry.value.value == "together" else "false"
    node = yaml.ScalarNode("tag:yaml.org,2002:bool", truth, entry.value.start_mark, None)
    return Entry("together", entry.line, node)


def _args(document: Document, entries: Mapping[str, Entry]) -> list[Entry]:
    if "args" not in entries:
        return []
    return list(document.entries(entries["args"].value, "'args'", "argument"))


def _timeout(entries: Mapping[str, Entry]) -> list[Entry]:
    """Ansible's keyword of that name, for the actions that have such an argument."""
    return [entries["timeout"]] if "timeout" in entries else []
