"""What templates of a play see: variables of inventory, play and task, results, and what is given."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from fleetpush.inventory import template
from fleetpush.playbook.model import Template

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fleetpush.inventory.model import Host, Inventory, VarBlock
    from fleetpush.playbook.model import Task

Value = TypeVar("Value")


class Omit:
    """What ``omit`` is in a template: the argument or keyword is as if nobody had written it."""

    def __str__(self) -> NoReturn:
        raise ValueError("omit leaves out a whole value and cannot be a part of one")


OMIT = Omit()


class Results:
    """What ``register`` has kept, host by host. Over all plays of a run, as in Ansible."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._of: dict[str, dict[str, object]] = {}

    def keep(self, host: str, name: str, result: Mapping[str, object]) -> None:
        if name not in self._inventory.extra_vars:  # which win over everything
            self._of.setdefault(host, {})[name] = result

    def of(self, host: str) -> Mapping[str, object]:
        return self._of.get(host, {})


class PlayScope:
    """Makes the variables of each host in one play. ``given`` are the play's own magic variables."""

    def __init__(
        self,
        inventory: Inventory,
        blocks: Sequence[VarBlock],
        results: Results,
        given: Mapping[str, object],
    ) -> None:
        self._inventory = inventory
        self._blocks = blocks
        self._results = results
        self._play_vars = {k: v for block in blocks for k, v in block.values.items()}
        self._given = {"omit": OMIT, "hostvars": _HostVars(inventory, results), **given}

    def of(
        self, host: Host, task: Task | None = None, more: Mapping[str, object] | None = None
    ) -> template.Scope:
        """Ansible's order: inventory < play < task < registered < extra < magic; ``more`` are registered."""
        blocks = [*self._blocks, *([task.vars] if task and task.vars else [])]
        layers = [self._inventory.extra_vars, *([task.vars.values] if task and task.vars else [])]
        raw = _chain(*layers, self._play_vars, host.variables)
        registered = {**self._results.of(host.name), **(more or {})}
        magic = _chain(host.magic, self._given, registered)

        def place(name: str) -> str:
            if name in self._inventory.extra_vars:
                return "extra variables"
            block = next((block for block in reversed(blocks) if name in block.values), None)
            return block.place(name) if block else host.place(name)

        return template.Scope(host.name, raw, magic, place)


def play_level(blocks: Sequence[VarBlock], extra: Mapping[str, object]) -> template.Scope:
    """What a play's own keywords see, which are the same for all hosts."""
    own = {name: value for block in blocks for name, value in block.values.items()}
    return template.Scope("(none yet)", _chain(extra, own), {"omit": OMIT})


def settle(
    value: Value | Template,
    read: Callable[[object], Value],
    scope: template.Scope,
    key: str,
    default: Value,
) -> Value:
    """``value`` with its templates filled in and read; ``default`` if that comes to ``omit``.

    Raises ValueError with file, line and reason.
    """
    if not isinstance(value, Template):
        return value
    try:
        filled = template.fill(value.value, scope)
        return default if filled is OMIT else read(filled)
    except ValueError as error:
        raise ValueError(f"{value.where}: '{key}': {error}") from error


def _chain(*layers: Mapping[str, object]) -> Mapping[str, object]:
    """The first of ``layers`` that has a name gives it. Nothing is ever written to it."""
    return ChainMap(*cast("tuple[dict[str, object], ...]", layers))


class _HostVars(Mapping[str, Any]):
    """Every host's variables, for templates of others; made when asked for."""

    def __init__(self, inventory: Inventory, results: Results) -> None:
        self._inventory = inventory
        self._results = results

    def __getitem__(self, name: str) -> Mapping[str, object]:
        host = self._inventory.hosts[name]
        magic = _chain(host.magic, self._results.of(name))
        return _Variables(template.Scope(name, host.variables, magic, host.place))

    def __iter__(self) -> Iterator[str]:
        return iter(self._inventory.hosts)

    def __len__(self) -> int:
        return len(self._inventory.hosts)


class _Variables(Mapping[str, object]):
    """A scope's variables and nothing else: a template that asks for ``.host`` wants the variable."""

    def __init__(self, scope: template.Scope) -> None:
        self._scope = scope

    def __getitem__(self, name: str) -> object:
        return self._scope[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._scope)

    def __len__(self) -> int:
        return len(self._scope)
