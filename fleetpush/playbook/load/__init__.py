"""Reads playbooks as Ansible writes them. Every complaint names file and line, and the nearest key."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from fleetpush.errors import InputError
from fleetpush.inventory.load.document import Document, line_of
from fleetpush.inventory.load.text import decode, read_bytes, shown, unreadable
from fleetpush.playbook.load.play import read_play
from fleetpush.playbook.model import Playbook

__all__ = ["load_playbook"]

FOLDER = "playbooks"


def load_playbook(name: str, *, cwd: Path) -> Playbook:
    """The playbook of that name: a path, else a file of ``cwd/playbooks``.

    Raises InputError for one that is not there, cannot be read, or says what no playbook says.
    """
    path = _find(name, cwd)
    title = shown(path, cwd)
    document = Document(decode(read_bytes(path, title, "the playbook"), title), title)
    try:
        root = document.root()
        if root is None:
            document.fail(1, "the file is empty: a playbook is a list of plays, '- hosts: ...'")
        plays = tuple(
            read_play(document, node, path.parent, cwd)
            for node in document.items(root, "a playbook", "- hosts:")
        )
        if not plays:
            document.fail(line_of(root), "a playbook without a play does nothing")
    except RecursionError:
        document.fail(1, "nested too deeply")
    return Playbook(title, path, plays)


def _find(name: str, cwd: Path) -> Path:
    if not name.strip():
        raise InputError("the playbook's name is empty")
    for path in (cwd / name, cwd / FOLDER / name):
        try:
            if path.is_dir():
                raise InputError(f"playbook {name}: this is a directory; name a file in it")
            if path.exists():
                return Path(os.path.normpath(path))
        except (OSError, ValueError) as error:
            raise unreadable(error, name, "the playbook") from error
    raise InputError(
        f"playbook {name}: no such file, neither here nor in {FOLDER}/{_suggestion(name, cwd)}"
    )


def _suggestion(name: str, cwd: Path) -> str:
    try:
        known = sorted(path.name for path in (cwd / FOLDER).iterdir())
    except OSError:
        return ""
    near = difflib.get_close_matches(name, known, n=1)
    near = near or [other for other in known if other.partition(".")[0] == name]
    return f"; did you mean {near[0]}?" if near else ""
