"""What ``-i`` names: a list of hosts, a file and how it is written, or a directory of files."""

from __future__ import annotations

import difflib
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from fleetpush.errors import InputError
from fleetpush.inventory.load.text import decode, read_bytes, shown, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["hosts", "tree", "ini", "listing", "script"]
"""``tree`` is Ansible's YAML (and JSON) form, ``listing`` what a script prints."""

STDIN = "-"
SECTION = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?")
"""A section's heading in INI: a group, and what of it."""

_TREE_SUFFIXES = (".yaml", ".yml", ".json")
_NOT_SOURCES = ("host_vars", "group_vars", "vars_plugins")
_IGNORED_SUFFIXES = (
    *(".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst"),
    *(".orig", ".cfg", ".retry"),
)
"""What Ansible passes over in a directory of inventories (its REJECT_EXTS and INVENTORY_IGNORE_EXTS)."""
_TREE_START = re.compile(r"---|%|\{|[^\s=\[]+\s*:(?:\s|$)|(['\"]).*\1\s*:(?:\s|$)")


class Source(NamedTuple):
    """One inventory source. ``name`` is for messages; ``path`` is absolute, "" where there is no file."""

    kind: Kind
    name: str
    path: str
    text: str
    """"" for a script, which is not read but run."""


class Place(NamedTuple):
    """What one ``-i`` stands for. ``directory`` is where its group_vars and host_vars are, "" for nowhere."""

    sources: Iterator[Source]
    directory: str


def find_sources(source: str, cwd: Path) -> Place:
    """Finds one ``-i``. It and its iterator raise InputError for what is not there or cannot be read."""
    if source == STDIN:
        return Place(_read_stdin(), "")
    if "," in source and not _exists(cwd / source):
        return Place(iter([Source("hosts", f"-i {source}", "", source)]), "")
    if not source.strip():
        raise InputError("the inventory's name is empty: give a file, or hosts as -i host1,host2")
    path = _find(source, cwd)
    if path.is_dir():
        return Place(_read_directory(path, cwd, ()), str(path))
    return Place(iter([_read_file(path, shown(path, cwd))]), str(path.parent))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _find(source: str, cwd: Path) -> Path:
    for path in (cwd / source, cwd / "inventories" / source):
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            raise unreadable(error, source, "the inventory") from error
        return Path(os.path.normpath(path))
    raise InputError(
        f"inventory {source}: no such file, neither here nor in inventories/"
        f"{_suggestion(source, cwd)}; for a single host write -i {source},"
    )


def _suggestion(source: str, cwd: Path) -> str:
    try:
        known = sorted(path.name for path in (cwd / "inventories").iterdir())
    except OSError:
        return ""
    near = difflib.get_close_matches(source, known, n=1)
    near = near or [name for name in known if name.partition(".")[0] == source]
    return f"; did you mean {near[0]}?" if near else ""


def _read_stdin() -> Iterator[Source]:
    text = decode(sys.stdin.buffer.read(), "-i -")
    if not text.strip():
        raise InputError("-i -: standard input is empty: pipe an inventory into the command")
    yield Source(_kind_of_text(text), "-i -", "", text)


def _read_directory(path: Path, cwd: Path, above: tuple[str, ...]) -> Iterator[Source]:
    """Everything in it that is an inventory, by name, and so for the directories in it."""
    here = os.path.realpath(path)
    if here in above:
        raise InputError(f"inventory {shown(path, cwd)}: a symbolic link to a directory above it")
    try:
        names = sorted(entry.name for entry in path.iterdir())
    except OSError as error:
        raise unreadable(error, shown(path, cwd), "the inventory") from error
    for name in names:
        if name.startswith(".") or name in _NOT_SOURCES or name.endswith(_IGNORED_SUFFIXES):
            continue
        if (path / name).is_dir():
            yield from _read_directory(path / name, cwd, (*above, here))
        else:
            yield _read_file(path / name, shown(path / name, cwd))


def _read_file(path: Path, name: str) -> Source:
    data = read_bytes(path, name, "the inventory")
    is_script = data.startswith(b"#!")
    # A text file without "#!" cannot be run, whatever its mode says: some file systems give x to all.
    if is_script or b"\0" in data[:1024]:
        if os.access(path, os.X_OK):
            return Source("script", name, str(path), "")
        if is_script:
            raise InputError(
                f"inventory {name}: a script that is not executable: chmod +x {name} lets it run"
            )
    text = decode(data, name, strange_comments=path.suffix not in _TREE_SUFFIXES)
    return Source(_kind_of_file(path, name, text), name, str(path), text)


def _kind_of_file(path: Path, name: str, text: str) -> Kind:
    if path.suffix == ".toml":
        raise InputError(
            f"inventory {name}: TOML is not read here: convert it once with: "
            f"ansible-inventory -i {name} --list --yaml > {path.stem}.yaml"
        )
    if path.suffix and path.suffix not in _TREE_SUFFIXES:
        return "ini"
    kind = _kind_of_text(text)
    # A file that calls itself YAML is complained of as such, unless it begins with a section of INI.
    return (
        "tree"
        if path.suffix and not SECTION.fullmatch(_first_line(text)) and kind == "ini"
        else kind
    )


def _kind_of_text(text: str) -> Kind:
    """Its first words tell, where no suffix does."""
    first = _first_line(text)
    if first.startswith("{") and _is_listing(text):
        return "listing"
    return "tree" if _TREE_START.match(first) else "ini"


def _first_line(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    return next((line for line in lines if line and line[0] not in "#;"), "")


def _is_listing(text: str) -> bool:
    """JSON in which groups are lists of hosts, or hosts' variables stand apart: what scripts print."""
    try:
        groups = json.loads(text)
    except ValueError:
        return False
    if not isinstance(groups, dict):
        return False
    parts = [
        part for group in groups.values() if isinstance(group, dict) for part in group.values()
    ]
    return "_meta" in groups or any(isinstance(part, list) for part in (*groups.values(), *parts))
