"""One task or handler: its action, its keywords, and what Ansible has and is not here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fleetpush.inventory.load.document import is_text, line_of
from fleetpush.playbook import foreign, keywords
from fleetpush.playbook.actions import ACTIONS
from fleetpush.playbook.load.arguments import read_arguments
from fleetpush.playbook.load.values import (
    fields,
    fixed,
    place,
    read_conditions,
    read_tags,
    read_vars,
    unknown_key,
)
from fleetpush.playbook.model import Become, Flush, Handler, Step, Task, Template

if TYPE_CHECKING:
    from collections.abc import Mapping

    import yaml

    from fleetpush.inventory.load.document import Document, Entry
    from fleetpush.playbook.actions import Argument

_PREFIXES = ("ansible.builtin.", "ansible.legacy.")
_KNOWN = (*keywords.TASK, *keywords.TASK_PARTS, *ACTIONS, "meta")


class TaskReader:
    """Reads the tasks of one play, which gives them ``tags`` and ``become``. All methods raise InputError."""

    def __init__(self, document: Document, tags: frozenset[str], become: Become) -> None:
        self._document = document
        self._tags = tags
        self._become = become
        self.notified: list[tuple[str, int]] = []
        """Every name that a task notifies, and the line."""

    def tasks(self, entry: Entry) -> tuple[Step, ...]:
        """The tasks of one section."""
        nodes = self._document.items(entry.value, f"'{entry.key}'", "- name:")
        return tuple(self._step(node) for node in nodes)

    def handlers(self, entry: Entry) -> tuple[Handler, ...]:
        nodes = self._document.items(entry.value, "'handlers'", "- name:")
        found = tuple(self._handler(node) for node in nodes)
        self._refuse_twins(found, nodes)
        return found

    def _step(self, node: yaml.Node) -> Step:
        entries = self._entries(node, "a task")
        if "meta" in entries:
            return self._meta(entries)
        return Task(**self._parts(entries, node, "a task", keywords.TASK))

    def _handler(self, node: yaml.Node) -> Handler:
        entries = self._entries(node, "a handler")
        parts = self._parts(entries, node, "a handler", keywords.HANDLER)
        if "name" not in entries and "listen" not in entries:
            self._document.fail(
                line_of(node), "a handler needs a 'name' that 'notify' can call it by"
            )
        for key in ("name", "listen"):
            if key in entries:
                fixed(self._document, entries[key], parts[key])
        return Handler(**parts)

    def _entries(self, node: yaml.Node, owner: str) -> dict[str, Entry]:
        found = {e.key: e for e in self._document.entries(node, owner, "keyword")}
        if not found:
            self._document.fail(line_of(node), f"{owner} is empty")
        return found

    def _meta(self, entries: Mapping[str, Entry]) -> Flush:
        document, entry = self._document, entries["meta"]
        word = entry.value.value if is_text(entry.value) else ""
        if word != "flush_handlers":
            instead = foreign.META.get(str(word))
            hint = f": {instead}" if instead else ""
            document.fail(entry.line, f"'meta' can be flush_handlers here and nothing else{hint}")
        for other in entries.values():
            if other.key not in ("name", "tags", "meta"):
                document.fail(other.line, f"'meta' takes no '{other.key}': every host is meant")
        tags = self._tags | self._own_tags(entries)
        return Flush(tags)

    def _own_tags(self, entries: Mapping[str, Entry]) -> frozenset[str]:
        if "tags" not in entries:
            return frozenset()
        return read_tags(self._document, entries["tags"], keywords.NAMES)

    def _parts(
        self,
        entries: Mapping[str, Entry],
        node: yaml.Node,
        owner: str,
        known: Mapping[str, Argument],
    ) -> dict[str, Any]:
        document = self._document
        action = self._action(entries, node, owner, known)
        parts = fields(document, entries, known)
        if "register" in parts:
            fixed(document, entries["register"], parts["register"])
        notify = parts.get("notify", ())
        if not isinstance(notify, Template):
            self.notified += ((name, entries["notify"].line) for name in notify)
        for name in keywords.CONDITIONS:
            if name in entries:
                parts[name] = read_conditions(document, entries[name])
        if "vars" in entries:
            parts["vars"] = read_vars(document, entries["vars"])
        become = Become(
            become=parts.pop("become", None),
            user=parts.pop("become_user", None),
            method=parts.pop("become_method", None),
        )
        name = _bare(action.key)
        arguments = read_arguments(document, name, action, entries)
        return {
            "name": "",
            **parts,
            "action": name,
            "arguments": arguments,
            "where": place(document, line_of(node)),
            "tags": self._tags | self._own_tags(entries),
            "become": become.within(self._become),
        }

    def _action(
        self,
        entries: Mapping[str, Entry],
        node: yaml.Node,
        owner: str,
        known: Mapping[str, Argument],
    ) -> Entry:
        """The one entry that is an action; complains of every key that is nothing."""
        document = self._document
        found = []
        for entry in entries.values():
            if _bare(entry.key) in ACTIONS:
                found.append(entry)
            elif entry.key not in known and entry.key not in keywords.TASK_PARTS:
                self._refuse_key(entry, owner)
        if not found:
            document.fail(line_of(node), f"{owner} needs an action: one of {', '.join(ACTIONS)}")
        if len(found) > 1:
            both = " and ".join(f"'{entry.key}'" for entry in found[:2])
            document.fail(found[1].line, f"{owner} does one thing, not {both}: make two of it")
        return found[0]

    def _refuse_key(self, entry: Entry, owner: str) -> None:
        if entry.key == "listen":
            self._document.fail(entry.line, "'listen' is for handlers; a task is done anyway")
        instead = foreign.instead_of(entry.key, {**foreign.TASK_KEYWORDS, **foreign.MODULES})
        if instead:
            self._document.fail(entry.line, instead)
        if entry.key in keywords.PLAY or entry.key in keywords.PLAY_PARTS:
            self._document.fail(entry.line, f"'{entry.key}' is for a play, not for {owner}")
        unknown_key(self._document, entry, owner, _KNOWN)

    def _refuse_twins(self, handlers: tuple[Handler, ...], nodes: list[yaml.Node]) -> None:
        seen: dict[object, str] = {}
        for handler, node in zip(handlers, nodes, strict=True):
            first = seen.setdefault(handler.name, handler.where) if handler.name else handler.where
            if first != handler.where:
                self._document.fail(
                    line_of(node), f"a handler {handler.name!r} is there already: {first}"
                )


def _bare(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name
