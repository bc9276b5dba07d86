"""Ansible's INI form: ``[group]``, ``[group:vars]``, ``[group:children]``, and hosts with ``name=value``."""

from __future__ import annotations

import ast
import re
import shlex
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from fleetpush.errors import InputError
from fleetpush.inventory.load.place import add_hosts, check_group_name
from fleetpush.inventory.load.source import SECTION
from fleetpush.inventory.model import VarBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleetpush.inventory.load.source import Source
    from fleetpush.inventory.model import Inventory

_CHILD = re.compile(r"([^:\]\s]+)\s*(?:#.*)?")
_NEEDS_SHLEX = re.compile(r"""["'\\#]""")
_BLANKS = re.compile(r"[ \t\r\n]+")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_WORD = re.compile(r"/?[A-Za-z_][\w./:@-]*|[0-9]+\.[0-9]+\.[0-9][0-9.]*", re.ASCII)
_CONSTANTS = ("True", "False", "None")


def read_ini(source: Source, inventory: Inventory) -> None:
    """Adds the hosts and groups of an INI file. Raises InputError with file and line."""
    _IniReader(source, inventory).read()


class _Promise(NamedTuple):
    """A group that was named, ``[x:vars]`` or as a child, and must still have a section of its own."""

    line: int
    problem: str
    parents: list[str]


class _IniReader:
    def __init__(self, source: Source, inventory: Inventory) -> None:
        self._source = source
        self._inventory = inventory
        self._group = inventory.groups["ungrouped"]
        self._promised: dict[str, _Promise] = {}
        self._read_line = self._read_host

    def read(self) -> None:
        for number, raw in enumerate(self._source.text.splitlines(), 1):
            line = raw.strip()
            if not line or line[0] in "#;":
                continue
            with self._at(number):
                if match := SECTION.fullmatch(line):
                    self._begin(number, match[1], match[2] or "hosts")
                elif line[0] == "[" and line[-1] == "]":
                    raise InputError(f"{line} is no section: no blanks, as in [web] or [web:vars]")
                else:
                    self._read_line(number, line)
        for promise in self._promised.values():
            self._fail(promise.line, promise.problem)

    def _begin(self, number: int, name: str, kind: str) -> None:
        readers = {
            "hosts": self._read_host,
            "vars": self._read_variable,
            "children": self._read_child,
        }
        if kind not in readers:
            raise InputError(
                f"[{name}:{kind}] is no section: there are [{name}:vars] and [{name}:children]"
            )
        check_group_name(name)
        if kind == "vars" and name not in self._inventory.groups and name not in self._promised:
            problem = (
                f"[{name}:vars] is for a group that is nowhere: add [{name}], or mend its name"
            )
            self._promised[name] = _Promise(number, problem, [])
        self._group = self._inventory.add_group(name)
        self._read_line = readers[kind]
        if kind != "vars" and name in self._promised:
            for parent in self._promised.pop(name).parents:
                self._inventory.add_child(self._inventory.groups[parent], self._group)

    def _read_host(self, number: int, line: str) -> None:
        needs_shlex = _NEEDS_SHLEX.search(line)  # which takes ten times as long
        tokens = shlex.split(line, comments=True) if needs_shlex else _BLANKS.split(line)
        values: dict[str, object] = {}
        for token in tokens[1:]:
            name, sign, value = token.partition("=")
            if not sign or not name:
                raise InputError(
                    f"{token!r} behind a host must be name=value, without blanks around '='"
                )
            values[name] = evaluate(value)
        own = VarBlock(values, self._source.name, dict.fromkeys(values, number)) if values else None
        add_hosts(
            tokens[0],
            self._group,
            own,
            source=self._source,
            inventory=self._inventory,
            line=number,
        )

    def _read_variable(self, number: int, line: str) -> None:
        name, sign, value = (part.strip() for part in line.partition("="))
        if not sign or not name:
            raise InputError(f"{line!r} in [{self._group.name}:vars] must be name=value")
        self._group.add_block(VarBlock({name: evaluate(value)}, self._source.name, {name: number}))

    def _read_child(self, number: int, line: str) -> None:
        match = _CHILD.fullmatch(line)
        if match is None:
            raise InputError(
                f"{line!r} in [{self._group.name}:children] must be the name of a group"
            )
        name = match[1]
        check_group_name(name)
        if name in self._inventory.groups:
            self._inventory.add_child(self._group, self._inventory.groups[name])
            return
        problem = (
            f"[{self._group.name}:children] names the group {name!r}, which is nowhere: "
            f"add [{name}], or mend its name"
        )
        promise = self._promised.setdefault(name, _Promise(number, problem, []))
        promise.parents.append(self._group.name)

    @contextmanager
    def _at(self, line: int) -> Iterator[None]:
        try:
            yield
        except (InputError, ValueError) as error:
            self._fail(line, str(error))

    def _fail(self, line: int, message: str) -> NoReturn:
        raise InputError(f"{self._source.name}:{line}: {message}") from None


def evaluate(text: str) -> object:
    """What Ansible makes of a value in INI: a Python literal where it reads as one, else the text.

    Raises InputError for a literal that cannot be built.
    """
    if _NUMBER.fullmatch(text):
        return int(text)
    if _WORD.fullmatch(text) and text not in _CONSTANTS:
        return text  # the parser would say the same, slowly
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    except (TypeError, MemoryError, RecursionError) as error:
        raise InputError(f"the value {text[:60]!r} cannot be: {error}") from error
    return _coerced(value)


def _coerced(value: object) -> object:
    """Only types that variables can have."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, dict):
        return {key: _coerced(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_coerced(item) for item in value]
    if value is ...:
        return "..."
    return str(value) if isinstance(value, complex) else value
