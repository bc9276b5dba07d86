"""What a run is going to do: which plays, on which hosts in which batches, with which tasks."""

from __future__ import annotations

import difflib
import fnmatch
import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fleetpush.deploy.fleet import selected
from fleetpush.deploy.play.variables import play_level, settle
from fleetpush.errors import InputError
from fleetpush.inventory.load import read_extra_vars
from fleetpush.playbook import keywords
from fleetpush.playbook.batches import batches
from fleetpush.playbook.load import load_playbook
from fleetpush.playbook.model import Task, Template
from fleetpush.playbook.tags import TagChoice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fleetpush.deploy.play.options import PlayOptions
    from fleetpush.inventory import template
    from fleetpush.inventory.model import Host, Inventory
    from fleetpush.playbook.model import Play, Playbook, Step


@dataclass(frozen=True, slots=True)
class PlannedPlay:
    """One play with its keywords settled. ``steps`` are those that tags and ``--start-at-task`` leave."""

    play: Play
    playbook: Playbook
    name: str
    pattern: str
    steps: tuple[Step, ...]
    hosts: tuple[Host, ...]
    batches: tuple[tuple[Host, ...], ...]
    max_fail_percentage: float | None
    any_errors_fatal: bool

    @property
    def tasks(self) -> list[Task]:
        return [step for step in self.steps if isinstance(step, Task)]


@dataclass(frozen=True, slots=True)
class Program:
    """Everything a run is going to do. ``inventory`` is None where nobody asked for hosts."""

    playbooks: tuple[Playbook, ...]
    plays: tuple[PlannedPlay, ...]
    inventory: Inventory | None

    def hosts(self) -> dict[str, Host]:
        """Every host of any play, by name."""
        return {host.name: host for play in self.plays for host in play.hosts}

    def may_gossip(self) -> bool:
        """Whether a push of it is, or could turn out to be, one whose hosts find each other."""
        tasks = (task for play in self.plays for task in (*play.tasks, *play.play.handlers))
        return any(task.arguments.get("discovery", "tracker") != "tracker" for task in tasks)


def load_program(
    options: PlayOptions, warn: Callable[[str], None], *, with_hosts: bool = True
) -> Program:
    """Reads and checks playbooks and inventory. ``with_hosts=False`` does without an inventory.

    Raises InputError for whatever is wrong with them, and where no play has a host.
    """
    cwd = Path.cwd()
    playbooks = tuple(load_playbook(name, cwd=cwd) for name in options.playbooks)
    inventory: Inventory | None = None
    extra: Mapping[str, object]
    if with_hosts:
        folders = list(dict.fromkeys(str(playbook.path.parent) for playbook in playbooks))
        inventory, _ = selected(
            options.inventories,
            options.limit,
            options.extra_vars,
            warn,
            var_directories=folders,
        )
        extra = inventory.extra_vars
    else:
        extra = read_extra_vars(options.extra_vars, cwd=cwd)
    planner = _Planner(options, inventory, extra, warn)
    plays = tuple(planner.plan(play, book) for book in playbooks for play in book.plays)
    planner.check()
    if inventory is not None and not any(play.hosts for play in plays):
        patterns = ", ".join(dict.fromkeys(play.pattern for play in plays))
        limited = f" within --limit {options.limit!r}" if options.limit else ""
        raise InputError(
            f"no play has a host: nothing matches {patterns}{limited}", slug="no_hosts"
        )
    return Program(playbooks, plays, inventory)


class _Planner:
    def __init__(
        self,
        options: PlayOptions,
        inventory: Inventory | None,
        extra: Mapping[str, object],
        warn: Callable[[str], None],
    ) -> None:
        self._inventory = inventory
        self._limit = options.limit
        self._extra = extra
        self._warn = warn
        only = frozenset(options.tags) or frozenset({"all"})
        self._tags = TagChoice(only, frozenset(options.skip_tags))
        self._start = options.start_at_task
        self._started = options.start_at_task is None
        self._names: list[str] = []

    def plan(self, play: Play, playbook: Playbook) -> PlannedPlay:
        scope = play_level(play.vars, self._extra)
        try:
            pattern = settle(play.hosts, keywords.PLAY["hosts"].read, scope, "hosts", "")
            hosts = self._hosts(play, pattern, scope) if self._inventory else ()
            sizes = settle(play.serial, keywords.PLAY["serial"].read, scope, "serial", ())
            read_percentage = keywords.PLAY["max_fail_percentage"].read
            most = settle(
                play.max_fail_percentage, read_percentage, scope, "max_fail_percentage", None
            )
            fatal = settle(
                play.any_errors_fatal, keywords.FLAG.read, scope, "any_errors_fatal", False
            )
        except ValueError as error:
            raise InputError(str(error)) from error
        return PlannedPlay(
            play=play,
            playbook=playbook,
            name=_title(play, scope) or pattern,
            pattern=pattern,
            steps=self._steps(play),
            hosts=hosts,
            batches=tuple(tuple(batch) for batch in batches(hosts, sizes)),
            max_fail_percentage=most,
            any_errors_fatal=fatal,
        )

    def check(self) -> None:
        """Raises InputError for a ``--start-at-task`` that no task is called."""
        if not self._started:
            near = difflib.get_close_matches(str(self._start), self._names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InputError(f"--start-at-task: no task is called {self._start!r}{hint}")

    def _hosts(self, play: Play, pattern: str, scope: template.Scope) -> tuple[Host, ...]:
        assert self._inventory is not None
        try:
            found = self._inventory.in_order(pattern, self._limit)
            for part in self._inventory.unmatched(pattern):
                self._warn(f"{play.where}: 'hosts': nothing in the inventory matches {part}")
        except InputError as error:
            raise InputError(f"{play.where}: 'hosts': {error}") from error
        order = settle(play.order, keywords.PLAY["order"].read, scope, "order", "inventory")
        return tuple(_ordered(found, order))

    def _steps(self, play: Play) -> tuple[Step, ...]:
        kept = []
        for step in play.steps():
            if not self._tags.takes(step.tags):
                continue
            if isinstance(step, Task) and not self._started:
                names = [step.action, str(getattr(step.name, "value", step.name))]
                self._names += names[1:]
                self._started = any(fnmatch.fnmatchcase(n, str(self._start)) for n in names)
            if self._started:
                kept.append(step)
        return tuple(kept)


def _title(play: Play, scope: template.Scope) -> str:
    if not isinstance(play.name, Template):
        return play.name
    try:
        return settle(play.name, keywords.TEXT.read, scope, "name", "")
    except ValueError:
        return str(play.name.value)


def _ordered(hosts: Sequence[Host], order: str) -> Sequence[Host]:
    if order == "shuffle":
        return random.sample(hosts, len(hosts))
    if order in ("sorted", "reverse_sorted"):
        return sorted(hosts, key=lambda host: host.name, reverse=order == "reverse_sorted")
    return hosts[::-1] if order == "reverse_inventory" else hosts
