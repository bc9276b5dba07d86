"""What an agent may answer to each task: the names, and what each must be. Anything else is no answer.

Whoever asked can then take an answer apart without another look; a host that lies about shapes fails alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fleetpush.deploy.said import LARGEST

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _text(value: object) -> bool:
    return isinstance(value, str)


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _count(value: object) -> bool:
    return type(value) is int and 0 <= value < LARGEST


def _number(value: object) -> bool:
    return type(value) is int and abs(value) < LARGEST


def _seconds(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value < LARGEST and math.isfinite(value)  # type: ignore[operator, arg-type]  # a number by then


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _mappings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


ANSWERS: dict[str, dict[str, Callable[[object], bool]]] = {
    "command": {
        "rc": _number,
        "stdout": _text,
        "stderr": _text,
        "skipped": _flag,
        "seconds": _seconds,
    },
    "wait_for": {"attempts": _count, "answer": _text, "seconds": _seconds},
    "clean": {"removed": _texts, "busy": _texts, "bytes": _count},
    "compare": {"dest": _text, "would": _text, "found": _text},
    "roll_back": {"was": _text, "now": _text, "directory": _text},
    "undo": {"changed": _flag},
    "settle": {"changed": _flag},
    "measure": {"files": _mappings},
    "digest": {"files": _mappings},
    "sum": {"sha256": _text},
}
"""By task, as ``agent.tasks`` answers them."""


def check(what: str, answer: Mapping[str, Any]) -> None:
    """Raises ValueError for what is no answer to the task ``what``."""
    wanted = ANSWERS[what]
    if answer.keys() != wanted.keys():
        raise ValueError(f"an answer to {what} with other names in it")
    for name, is_right in wanted.items():
        if not is_right(answer[name]):
            raise ValueError(f"{name} of an answer to {what} is not what it should be")
