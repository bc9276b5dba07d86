"""What may be said of a play and of a task, beside its action: every keyword and what it may be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, get_args

from fleetpush.inventory import amounts
from fleetpush.playbook import readers
from fleetpush.playbook.actions import Argument
from fleetpush.playbook.batches import BatchSize, read_size
from fleetpush.playbook.model import Order

if TYPE_CHECKING:
    from collections.abc import Mapping


def _serial(value: object) -> tuple[BatchSize, ...]:
    if isinstance(value, list) and not value:
        raise ValueError("is an empty list")
    return tuple(read_size(size) for size in (value if isinstance(value, list) else [value]))


def _hosts(value: object) -> str:
    """A host pattern: text, or a list of parts."""
    return ",".join(readers.texts(value))


def _percentage(value: object) -> float:
    if isinstance(value, bool) or not re.fullmatch(r"\s*\d+(?:\.\d+)?\s*%?\s*", str(value)):
        raise ValueError(f"must be a percentage such as 25 or '25%', not {value!r}")
    return amounts.percentage(str(value).replace(" ", ""))


def _delay(value: object) -> float:
    return readers.amount(amounts.duration)(value)


FLAG = Argument(readers.flag)
NUMBER = Argument(readers.whole(0))
DELAY = Argument(_delay, written=True)
TEXT = Argument(readers.text)
NAMES = Argument(readers.names)
IDENTIFIER = Argument(readers.identifier)

BECOME: Mapping[str, Argument] = {
    "become": FLAG,
    "become_user": TEXT,
    "become_method": Argument(readers.become_method),
}

PLAY: Mapping[str, Argument] = {
    "name": TEXT,
    "hosts": Argument(_hosts),
    "serial": Argument(_serial),
    "max_fail_percentage": Argument(_percentage),
    "any_errors_fatal": FLAG,
    "order": Argument(readers.choice(*get_args(Order))),
    **BECOME,
}
"""Of one value each; ``PLAY_PARTS`` are the others."""

PLAY_PARTS = ("vars", "vars_files", "tags", "pre_tasks", "tasks", "post_tasks", "handlers")
PLAY_ACCEPTED: Mapping[str, tuple[str, ...]] = {
    "gather_facts": ("false", "no", "off"),
    "strategy": ("linear", "ansible.builtin.linear"),
}
"""Ansible's keywords that may be there as long as they ask for what is done anyway."""

TASK: Mapping[str, Argument] = {
    "name": TEXT,
    "register": IDENTIFIER,
    "notify": Argument(readers.texts),
    "run_once": FLAG,
    "ignore_errors": FLAG,
    "ignore_unreachable": FLAG,
    "any_errors_fatal": FLAG,
    "check_mode": FLAG,
    "no_log": FLAG,
    "retries": NUMBER,
    "delay": DELAY,
    **BECOME,
}
CONDITIONS = ("when", "changed_when", "failed_when", "until")
TASK_PARTS = ("vars", "tags", "args", "timeout", *CONDITIONS)
HANDLER: Mapping[str, Argument] = {**TASK, "listen": Argument(readers.texts)}
