"""What inventory scripts and ``ansible-inventory --list`` print: groups by name, and ``_meta``."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fleetpush.errors import InputError
from fleetpush.inventory.load.place import check_group_name, check_host_name
from fleetpush.inventory.marked import Vaulted, Verbatim
from fleetpush.inventory.model import VarBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fleetpush.inventory.load.source import Source
    from fleetpush.inventory.model import Inventory

    Ask = Callable[[list[str]], dict[str, object]]

_KEYS = ("hosts", "vars", "children")


def parse(text: str, name: str) -> object:
    """The document, its encrypted and unsafe values marked. Raises InputError that begins with ``name``."""

    def mark(found: dict[str, Any]) -> object:
        if "__ansible_vault" in found:
            return Vaulted(name)
        if "__ansible_unsafe" in found:
            return Verbatim(found["__ansible_unsafe"])
        return found

    try:
        return json.loads(text, object_hook=mark)
    except json.JSONDecodeError as error:
        raise InputError(f"{name}:{error.lineno}: this is no JSON: {error.msg}") from error
    except RecursionError:
        raise InputError(f"{name}: nested too deeply") from None


def read_listing(source: Source, inventory: Inventory) -> None:
    """Adds the hosts and groups of such a document. Raises InputError that says what is wrong in it."""
    add_listing(parse(source.text, source.name), source, inventory, lambda hosts: {})


def add_listing(document: object, source: Source, inventory: Inventory, ask: Ask) -> None:
    """As ``read_listing``; ``ask`` gives the hosts' variables where ``_meta`` has none at all."""
    _ListingReader(source, inventory).read(document, ask)


class _ListingReader:
    def __init__(self, source: Source, inventory: Inventory) -> None:
        self._source = source
        self._inventory = inventory
        self._hosts: dict[str, None] = {}

    def read(self, document: object, ask: Ask) -> None:
        groups = self._mapping(document, "the whole")
        for name, said in groups.items():
            if name != "_meta":
                with self._at(f"group {name!r}"):
                    self._read_group(name, said)
        meta = self._mapping(groups.get("_meta", {}), "_meta")
        known = meta["hostvars"] if "hostvars" in meta else ask(list(self._hosts))
        variables = self._mapping(known, "_meta.hostvars")
        for host in self._hosts:
            block = self._block(variables.get(host), f"what is said of host {host!r}")
            if block is not None:
                self._inventory.hosts[host].blocks.append(block)

    def _read_group(self, name: str, said: object) -> None:
        check_group_name(name)
        group = self._inventory.add_group(name)
        parts: dict[str, object] = (
            {"hosts": said} if isinstance(said, list) else self._mapping(said, "it")
        )
        if not any(key in parts for key in _KEYS):
            parts = {"hosts": [name], "vars": parts}  # the oldest form, of a host by itself
        for host in self._names(parts, "hosts"):
            check_host_name(host)
            self._inventory.add_host(host, group, self._source.path)
            self._hosts[host] = None
        block = self._block(parts.get("vars"), "its 'vars'")
        if block is not None:
            group.add_block(block)
        for child in self._names(parts, "children"):
            check_group_name(child)
            self._inventory.add_child(group, self._inventory.add_group(child))

    def _names(self, parts: dict[str, object], key: str) -> list[str]:
        names = parts.get(key, [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InputError(f"its {key!r} must be a list of names")
        return names

    def _block(self, values: object, what: str) -> VarBlock | None:
        if values is None:
            return None
        return VarBlock(self._mapping(values, what), self._source.name, {}) if values else None

    def _mapping(self, found: object, what: str) -> dict[str, object]:
        if isinstance(found, dict):
            return found
        raise InputError(f"{self._source.name}: {what} must be an object, not {_kind(found)}")

    @contextmanager
    def _at(self, what: str) -> Iterator[None]:
        try:
            yield
        except InputError as error:
            text = str(error).removeprefix(f"{self._source.name}: ")
            raise InputError(f"{self._source.name}: {what}: {text}") from error


def _kind(value: object) -> str:
    return {list: "a list", str: "text", type(None): "null"}.get(type(value), "a bare value")
