"""What ``-i`` names: a list of hosts, or a file and how it is written."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Literal, NamedTuple

from fleetpush.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

Kind = Literal["hosts", "yaml"]

_YAML_SUFFIXES = (".yaml", ".yml", ".json")
_CONVERT = "convert it once with: ansible-inventory -i {name} --list --yaml > {stem}.yaml"


class Source(NamedTuple):
    """One inventory source, read. ``name`` is for messages; ``path`` is absolute, "" for a host list."""

    kind: Kind
    name: str
    path: str
    text: str


def read_source(source: str, cwd: Path) -> Source:
    """Finds and reads one ``-i``. Raises InputError for what is not there or cannot be read."""
    if "," in source and not _names_a_file(cwd, source):
        return Source("hosts", f"-i {source}", "", source)
    if not source.strip():
        raise InputError("the inventory's name is empty: give a file, or hosts as -i host1,host2")
    path, data = _read(source, cwd)
    name = str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)
    text = _decode(data, name)
    _refuse_other_formats(path, name, text)
    return Source("yaml", name, str(path), text)


def _names_a_file(cwd: Path, source: str) -> bool:
    try:
        return (cwd / source).is_file()
    except (OSError, ValueError):
        return False


def _read(source: str, cwd: Path) -> tuple[Path, bytes]:
    for path in (cwd / source, cwd / "inventories" / source):
        try:
            return path, path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except IsADirectoryError as error:
            raise InputError(
                f"inventory {source}: is a directory: name the files in it, each with its own -i"
            ) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"cannot read the inventory {source}: {reason}") from error
    raise InputError(
        f"inventory {source}: no such file, neither here nor in inventories/"
        f"{_suggestion(source, cwd)}; for a single host write -i {source},"
    )


def _suggestion(source: str, cwd: Path) -> str:
    try:
        known = sorted(path.name for path in (cwd / "inventories").iterdir() if path.is_file())
    except OSError:
        return ""
    near = difflib.get_close_matches(source, known, n=1)
    near = near or [name for name in known if name.partition(".")[0] == source]
    return f"; did you mean {near[0]}?" if near else ""


def _decode(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{name}:{line}: not UTF-8 (byte 0x{data[error.start]:02x}): save the file as UTF-8"
        ) from error


def _refuse_other_formats(path: Path, name: str, text: str) -> None:
    """A file without a suffix may be YAML, as Ansible has it; its first words tell."""
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and line[0] not in "#;"), "")
    if text.startswith("#!"):
        found = "a script"
    elif path.suffix == ".ini" or (not path.suffix and first.startswith("[")):
        found = "an INI file"
    elif path.suffix and path.suffix not in _YAML_SUFFIXES:
        found = f"a file ending in {path.suffix}"
    else:
        return
    convert = _CONVERT.format(name=name, stem=path.stem)
    raise InputError(
        f"inventory {name}: {found}, but inventories are YAML (.yaml, .yml): {convert}"
    )
