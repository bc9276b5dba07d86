"""One value of a playbook at a time: what it may be, and what it is then.

Every function takes what YAML or a template made of it, and raises ValueError with what is wrong.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from fleetpush.inventory import amounts
from fleetpush.inventory.filters import truth

if TYPE_CHECKING:
    from collections.abc import Callable

Read = TypeVar("Read")

flag = truth


def text(value: object) -> str:
    """Text that is not empty; a number is taken as it is written."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"must be text, not {kind(value)}{_quotes(value)}")
    if not str(value).strip():
        raise ValueError("is empty")
    if "\0" in str(value):
        raise ValueError("holds a NUL byte")
    return str(value)


def any_text(value: object) -> str:
    """As ``text``, but it may be empty."""
    return value if value == "" and isinstance(value, str) else text(value)


def texts(value: object) -> tuple[str, ...]:
    """One text or a list of them."""
    if not isinstance(value, list):
        return (text(value),)
    if not value:
        raise ValueError("is an empty list")
    return tuple(text(item) for item in value)


def text_list(value: object) -> tuple[str, ...]:
    """A list of texts."""
    if not isinstance(value, list):
        raise ValueError(f"must be a list, not {kind(value)}")
    return texts(value)


def names(value: object) -> tuple[str, ...]:
    """A list of names, or one text with commas between them."""
    listed = value.split(",") if isinstance(value, str) else value
    return tuple(name.strip() for name in texts(listed))


def whole(least: int) -> Callable[[object], int]:
    """A whole number that is not less than ``least``."""

    def read(value: object) -> int:
        found = re.fullmatch(r"\d{1,18}", str(value).strip())
        if isinstance(value, bool) or found is None or int(found[0]) < least:
            raise ValueError(f"must be a whole number from {least} up, not {value!r}")
        return int(found[0])

    return read


def port(value: object) -> int:
    number = whole(1)(value)
    if number > 65535:
        raise ValueError(f"must be a port from 1 to 65535, not {value!r}")
    return number


def choice(*words: str) -> Callable[[object], str]:
    """One of ``words``."""

    def read(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            wanted = f"{', '.join(words[:-1])} or {words[-1]}" if words[1:] else words[0]
            raise ValueError(f"must be {wanted}, not {kind(value)}")
        return value

    return read


def amount(read: Callable[[str], Read]) -> Callable[[object], Read]:
    """What ``inventory.amounts`` reads: text, or a number that stands for itself."""

    def read_amount(value: object) -> Read:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"must be text or a number, not {kind(value)}")
        return read(str(value))

    return read_amount


def mode(value: object) -> int:
    """Permissions in octal. A number has lost how it was written, and with it what it means."""
    if not isinstance(value, str):
        raise ValueError(f"must be octal in quotes, such as '0644', not {kind(value)}")
    return amounts.mode(value)


def statuses(value: object) -> tuple[int, ...]:
    """One HTTP status or a list of them."""
    listed = value if isinstance(value, list) else [value]
    found = tuple(whole(100)(status) for status in listed)
    if not found or max(found) > 599:
        raise ValueError(f"must be HTTP statuses such as 200 or [200, 204], not {value!r}")
    return found


def identifier(value: object) -> str:
    name = text(value)
    if not name.isidentifier():
        raise ValueError(f"{name!r} is no name for a variable: letters, digits and _ only")
    return name


def become_method(value: object) -> str:
    bare = str(value).removeprefix("ansible.builtin.").removeprefix("community.general.")
    return choice("sudo", "doas", "su")(bare)


def kind(value: object) -> str:
    """What ``value`` is, in words; a text or number itself, and nothing that may be secret."""
    words: dict[type[Any], str] = {list: "a list", dict: "a mapping", type(None): "nothing"}
    return words.get(type(value)) or repr(value)


def _quotes(value: object) -> str:
    return ": put it in quotes" if isinstance(value, bool) else ""
