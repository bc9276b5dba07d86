"""What a playbook says: plays, tasks and handlers, checked and not yet run.

Whatever holds a template is a ``Template`` here, which is filled in where and when a task runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from fleetpush.inventory.model import VarBlock
    from fleetpush.playbook.batches import BatchSize

ActionName = Literal["push", "command", "shell", "wait_for", "activate", "rollback"]
BecomeMethod = Literal["sudo", "doas", "su"]
Order = Literal["inventory", "reverse_inventory", "sorted", "reverse_sorted", "shuffle"]


class Template(NamedTuple):
    """A value with templates in it. ``where`` is its file and line."""

    value: object
    where: str


class Condition(NamedTuple):
    """A bare expression, as ``when`` has it. ``where`` is its file and line."""

    expression: str | bool
    where: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Become:
    """What a play or a task says of becoming another user; None where it says nothing."""

    become: bool | Template | None = None
    user: str | Template | None = None
    method: BecomeMethod | Template | None = None

    def within(self, outer: Become) -> Become:
        """What holds for a task that says this, in a play that says ``outer``."""
        return Become(
            become=outer.become if self.become is None else self.become,
            user=outer.user if self.user is None else self.user,
            method=outer.method if self.method is None else self.method,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One action on each host. ``tags`` and ``become`` are with what its play says.

    ``arguments`` are typed as ``playbook.actions`` says, or a ``Template``. Times in seconds.
    """

    name: str | Template
    action: ActionName
    arguments: Mapping[str, object]
    where: str
    """Its file and line."""
    when: tuple[Condition, ...] = ()
    """All of them must hold."""
    register: str | None = None
    notify: tuple[str, ...] | Template = ()
    run_once: bool | Template = False
    tags: frozenset[str] = frozenset()
    vars: VarBlock | None = None
    become: Become = Become()
    ignore_errors: bool | Template = False
    ignore_unreachable: bool | Template = False
    any_errors_fatal: bool | Template | None = None
    """None: what the play says."""
    changed_when: tuple[Condition, ...] = ()
    failed_when: tuple[Condition, ...] = ()
    until: tuple[Condition, ...] = ()
    retries: int | Template | None = None
    delay: float | Template = 5.0
    check_mode: bool | Template | None = None
    """None: what the command line says."""
    no_log: bool | Template = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Handler(Task):
    """A task that is done, at the end of a section, on hosts where a changed task has notified it."""

    listen: tuple[str, ...] = ()


class Flush(NamedTuple):
    """The place where notified handlers are done: the end of a section, or ``meta: flush_handlers``."""

    tags: frozenset[str] = frozenset({"always"})


Step = Task | Flush


@dataclass(frozen=True, kw_only=True, slots=True)
class Play:
    """Tasks for the hosts of a pattern, batch by batch."""

    name: str | Template
    hosts: str | Template
    """A host pattern."""
    where: str
    serial: tuple[BatchSize, ...] | Template = ()
    max_fail_percentage: float | Template | None = None
    any_errors_fatal: bool | Template = False
    order: Order | Template = "inventory"
    vars: tuple[VarBlock, ...] = ()
    """The weakest first: those of the play, then those of its files."""
    tags: frozenset[str] = frozenset()
    pre_tasks: tuple[Step, ...] = ()
    tasks: tuple[Step, ...] = ()
    post_tasks: tuple[Step, ...] = ()
    handlers: tuple[Handler, ...] = ()

    def steps(self) -> Iterator[Step]:
        """Everything in the order in which it is done, with the flushes that nobody writes."""
        for section in (self.pre_tasks, self.tasks, self.post_tasks):
            yield from section
            yield Flush()


@dataclass(frozen=True, slots=True)
class Playbook:
    """A file of plays. ``name`` is as messages have it."""

    name: str
    path: Path
    plays: tuple[Play, ...]
