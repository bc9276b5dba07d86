"""One play: its keywords, its variables, its sections of tasks."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from fleetpush.errors import InputError
from fleetpush.inventory import template
from fleetpush.inventory.load.document import line_of, read_mapping
from fleetpush.inventory.load.text import decode, read_bytes, shown
from fleetpush.playbook import foreign, keywords
from fleetpush.playbook.actions import ACTIONS, Argument
from fleetpush.playbook.load.task import TaskReader
from fleetpush.playbook.load.values import (
    fields,
    fixed,
    place,
    read_tags,
    read_value,
    read_vars,
    unknown_key,
)
from fleetpush.playbook.model import Become, Handler, Play
from fleetpush.playbook.readers import texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    import yaml

    from fleetpush.inventory.load.document import Document, Entry
    from fleetpush.inventory.model import VarBlock

_SECTIONS = ("pre_tasks", "tasks", "post_tasks")


def read_play(document: Document, node: yaml.Node, folder: Path, cwd: Path) -> Play:
    """The play at ``node`` of a playbook in ``folder``. Raises InputError with file and line."""
    entries = {entry.key: entry for entry in document.entries(node, "a play", "keyword")}
    for entry in entries.values():
        _check_key(document, entry)
    if "hosts" not in entries:
        document.fail(line_of(node), "a play needs 'hosts': a group, a host or a pattern")
    parts = fields(document, entries, keywords.PLAY)
    become = Become(
        become=parts.pop("become", None),
        user=parts.pop("become_user", None),
        method=parts.pop("become_method", None),
    )
    tags = frozenset[str]()
    if "tags" in entries:
        tags = read_tags(document, entries["tags"], keywords.NAMES)
    reader = TaskReader(document, tags, become)
    sections: dict[str, Any] = {
        name: reader.tasks(entries[name]) for name in _SECTIONS if name in entries
    }
    handlers = reader.handlers(entries["handlers"]) if "handlers" in entries else ()
    _check_notified(document, reader.notified, handlers)
    return Play(
        **{"name": "", **parts},
        **sections,
        handlers=handlers,
        tags=tags,
        vars=tuple(_variables(document, entries, folder, cwd)),
        where=place(document, line_of(node)),
    )


def _check_key(document: Document, entry: Entry) -> None:
    if entry.key in keywords.PLAY or entry.key in keywords.PLAY_PARTS:
        return
    if entry.key in keywords.PLAY_ACCEPTED and (
        str(document.value(entry.value)).lower() in keywords.PLAY_ACCEPTED[entry.key]
    ):
        return
    instead = foreign.instead_of(entry.key, foreign.PLAY_KEYWORDS)
    if instead:
        document.fail(entry.line, instead)
    if entry.key in ACTIONS or entry.key in keywords.TASK or entry.key in keywords.TASK_PARTS:
        document.fail(entry.line, f"'{entry.key}' is for a task: put it under 'tasks'")
    if foreign.instead_of(entry.key, foreign.MODULES):
        document.fail(entry.line, foreign.instead_of(entry.key, foreign.MODULES))
    unknown_key(document, entry, "a play", (*keywords.PLAY, *keywords.PLAY_PARTS))


def _variables(
    document: Document, entries: Mapping[str, Entry], folder: Path, cwd: Path
) -> Iterator[VarBlock]:
    if "vars" in entries:
        block = read_vars(document, entries["vars"])
        if block is not None:
            yield block
    if "vars_files" in entries:
        entry = entries["vars_files"]
        names = fixed(document, entry, read_value(document, entry, Argument(texts)))
        for name in names:
            block = _vars_file(document, entry.line, name, folder, cwd)
            if block is not None:
                yield block


def _vars_file(
    document: Document, line: int, name: str, folder: Path, cwd: Path
) -> VarBlock | None:
    """A file of variables: in ``vars/`` beside the playbook, else beside it."""
    places = [folder / "vars" / name, folder / name]
    path = next((path for path in places if path.is_file()), None)
    if path is None:
        document.fail(
            line, f"'vars_files': there is no file {name} beside the playbook or in vars/"
        )
    title = shown(path, cwd)
    block = read_mapping(
        decode(read_bytes(path, title, "the variables of"), title), title, "a file of variables"
    )
    if block is not None:
        for key, value in block.values.items():
            try:
                template.check(value)
            except ValueError as error:
                raise InputError(f"{block.place(key)}: {error}") from error
    return block


def _check_notified(
    document: Document, notified: Iterable[tuple[str, int]], handlers: Iterable[Handler]
) -> None:
    """Ansible says so when a task has changed something and the handler is not there: too late."""
    known = {name for handler in handlers for name in (str(handler.name), *handler.listen) if name}
    for name, line in notified:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f": did you mean {near[0]!r}?" if near else " in the play's 'handlers'"
            document.fail(line, f"'notify': there is no handler {name!r}{hint}")
