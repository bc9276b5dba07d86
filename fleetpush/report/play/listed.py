"""What playbooks would do, as ``--list-tasks``, ``--list-hosts`` and ``--list-tags`` show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fleetpush.inventory.nodeset import fold
from fleetpush.playbook.model import Template
from fleetpush.report.quantities import hosts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from fleetpush.deploy.play.program import PlannedPlay, Program
    from fleetpush.playbook.model import Task


def lines(program: Program, looks: Collection[str]) -> Iterator[str]:
    """``looks``: names of the flags that ask, such as ``list_tasks``."""
    if "syntax_check" in looks:
        count = len(program.plays)
        plays = f"{count} play{'' if count == 1 else 's'}"
        yield f"{', '.join(book.name for book in program.playbooks)}: no mistake found in {plays}"
    if not {"list_tasks", "list_hosts", "list_tags"} & {*looks}:
        return
    for book in program.playbooks:
        yield f"playbook: {book.name}"
        own = [play for play in program.plays if play.playbook is book]
        for number, play in enumerate(own, 1):
            yield ""
            yield f"  play #{number} ({play.pattern}): {play.name}{_tags(play.play.tags)}"
            yield from _parts(play, looks)


def _parts(play: PlannedPlay, looks: Collection[str]) -> Iterator[str]:
    if "list_hosts" in looks:
        yield from _hosts(play)
    if "list_tasks" in looks:
        for title, tasks in (("tasks", play.tasks), ("handlers", play.play.handlers)):
            if tasks:
                yield f"    {title}:"
                yield from (f"      {name_of(task)}{_tags(task.tags)}" for task in tasks)
    if "list_tags" in looks:
        yield f"    tags: {', '.join(_all_tags(play)) or 'none'}"


def _hosts(play: PlannedPlay) -> Iterator[str]:
    batches = len(play.batches)
    yield f"    {hosts(len(play.hosts))}" + (f" in {batches:,} batches" if batches > 1 else "")
    for number, batch in enumerate(play.batches, 1):
        which = f"batch {number}: " if batches > 1 else ""
        yield f"      {which}{fold(host.name for host in batch)} ({len(batch):,})"


def _tags(tags: Iterable[str]) -> str:
    named = ", ".join(sorted(tags))
    return f"  tags: {named}" if named else ""


def _all_tags(play: PlannedPlay) -> list[str]:
    return sorted({tag for task in play.tasks for tag in task.tags})


def name_of(task: Task) -> str:
    """As it is written, or the action where it has none."""
    name = str(task.name.value) if isinstance(task.name, Template) else task.name
    return name or task.action


def document(program: Program) -> dict[str, Any]:
    """The same and more for programs, whatever was asked for."""
    return {
        "playbooks": [
            {
                "name": book.name,
                "plays": [_play(play) for play in program.plays if play.playbook is book],
            }
            for book in program.playbooks
        ]
    }


def _play(play: PlannedPlay) -> dict[str, Any]:
    return {
        "name": play.name,
        "where": play.play.where,
        "pattern": play.pattern,
        "tags": _all_tags(play),
        "batches": [[host.name for host in batch] for batch in play.batches],
        "tasks": [_task(task) for task in play.tasks],
        "handlers": [_task(handler) for handler in play.play.handlers],
    }


def _task(task: Task) -> dict[str, Any]:
    return {
        "name": name_of(task),
        "action": task.action,
        "where": task.where,
        "tags": sorted(task.tags),
    }
