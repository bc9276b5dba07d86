"""``group_vars`` and ``host_vars`` beside an inventory: which files a name has there, and what they say."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from fleetpush.inventory.load.document import read_mapping
from fleetpush.inventory.load.text import decode, read_bytes, shown, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fleetpush.inventory.model import Inventory, VarBlock

_SUFFIXES = ("", ".yml", ".yaml", ".json")
"""In the order in which Ansible looks; the first that is there is the only one."""


def read_var_files(inventory: Inventory, directories: Iterable[str]) -> None:
    """Gives every group and host what the directories' files say of it. The later directory wins.

    Raises InputError with file and line for a file that cannot be read.
    """
    # A directory named twice counts where it was named last, as if it were read again there.
    found = tuple(reversed(dict.fromkeys(reversed([os.path.realpath(d) for d in directories]))))
    inventory.directories = found
    for directory in found:
        groups = _VarFiles(Path(directory) / "group_vars", inventory.cwd)
        for name, group in inventory.groups.items():
            group.file_blocks[directory] = groups.blocks(name)
        hosts = _VarFiles(Path(directory) / "host_vars", inventory.cwd)
        for name, host in inventory.hosts.items():
            host.file_blocks += hosts.blocks(name)


class _VarFiles:
    def __init__(self, path: Path, cwd: Path) -> None:
        self._path = path
        self._cwd = cwd
        # Looked at once: ten thousand hosts would be forty thousand questions.
        self._entries = frozenset(_listed(path, cwd) if path.is_dir() else ())

    def blocks(self, name: str) -> list[VarBlock]:
        """What is said of the group or host of that name, the weakest first."""
        if not self._entries:
            return []
        names = (name + suffix for suffix in _SUFFIXES)
        path = next((self._path / name for name in names if name in self._entries), None)
        if path is None:
            return []
        files = _files_in(path, self._cwd) if path.is_dir() else [path]
        return [block for block in map(self._read, files) if block is not None]

    def _read(self, path: Path) -> VarBlock | None:
        name = shown(path, self._cwd)
        text = decode(read_bytes(path, name, "the variables of"), name)
        return read_mapping(text, name, "a file of variables")


def _listed(path: Path, cwd: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in path.iterdir())
    except OSError as error:
        raise unreadable(error, shown(path, cwd), "the variables of") from error


def _files_in(path: Path, cwd: Path) -> Iterator[Path]:
    """All files below, by name; of directories those without a suffix, as Ansible has it."""
    for name in _listed(path, cwd):
        inner = path / name
        if name.startswith(".") or name.endswith("~"):
            continue
        if inner.is_dir():
            if not inner.suffix:
                yield from _files_in(inner, cwd)
        elif inner.suffix in _SUFFIXES:
            yield inner
