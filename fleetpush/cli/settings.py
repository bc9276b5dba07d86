"""Every setting: a flag that may also be given by the environment or by ``fleetpush.toml``.

Flags beat ``FLEETPUSH_*``, which beats the file, which beats the defaults. A setting is called like its
flag: ``--host-bwlimit``, ``FLEETPUSH_HOST_BWLIMIT``, ``host-bwlimit = "10M"``. It applies to every verb that
has the flag. What is about one invocation alone (sources, ``--limit``, ``-e``) is no setting, and neither is
anything secret.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX = "FLEETPUSH_"


class Kind(Enum):
    """What a setting's value is in TOML; the name says it to the operator."""

    SWITCH = "true or false"
    NUMBER = "a whole number"
    QUANTITY = "a string as the flag takes it, or a bare number"
    TEXT = "a string"
    PATH = "a path in quotes"
    PATHS = "a path in quotes, or a list of them"

    def accepts(self, value: object) -> bool:
        if self is Kind.PATHS and isinstance(value, list):
            return all(isinstance(each, str) for each in value)
        return isinstance(value, _TYPES[self]) and isinstance(value, bool) == (self is Kind.SWITCH)


_TYPES: dict[Kind, tuple[type, ...]] = {
    Kind.SWITCH: (bool,),
    Kind.NUMBER: (int,),
    Kind.QUANTITY: (str, int, float),
    Kind.TEXT: (str,),
    Kind.PATH: (str,),
    Kind.PATHS: (str,),
}


class Setting(NamedTuple):
    """``name`` is the flag without its dashes, and the key in the file."""

    name: str
    kind: Kind

    @property
    def env(self) -> str:
        return PREFIX + self.name.upper().replace("-", "_")

    def flag_value(self, value: Any) -> object:  # noqa: ANN401 - whatever TOML holds, accepted by the kind
        """What stands in the file as it would stand behind the flag."""
        if self.kind is Kind.SWITCH:
            return value
        if self.kind is Kind.PATHS:
            return [_expanded(each) for each in ([value] if isinstance(value, str) else value)]
        return _expanded(value) if self.kind is Kind.PATH else str(value)


def _expanded(text: str) -> str:
    """A shell has expanded ``~`` in a flag; in a file nobody has."""
    try:
        return str(Path(text).expanduser()) if text.startswith("~") else text
    except RuntimeError:  # no such user: whoever opens the path will say so
        return text


_OF_KIND: dict[Kind, Sequence[str]] = {
    Kind.PATHS: ("inventory",),
    Kind.PATH: (
        "private-key",
        "ssh-config",
        "log-file",
        "lock",
        "junit",
        "metrics",
        "state-dir",
        "sign-key",
    ),
    Kind.SWITCH: ("no-encrypt", "become"),
    Kind.NUMBER: ("forks", "tree-fanout", "keep-releases"),
    Kind.QUANTITY: (
        *("chunk-size", "bwlimit", "host-bwlimit", "stall", "deadline", "detach-grace"),
        *("min-success", "connect-timeout", "lock-wait", "splay"),
        *("origin-uplink", "uplink", "downlink", "disk", "rack-uplink", "cpu"),
    ),
    Kind.TEXT: (
        *(
            "dest",
            "release-dir",
            "mode",
            "owner",
            "group",
            "topology",
            "discovery",
            "rack-by",
            "port-range",
            "verify",
        ),
        *("activate", "user", "host-key-checking", "jump", "connection"),
        *("become-user", "become-method"),
        *("progress", "output", "color"),
    ),
}

SETTINGS = {name: Setting(name, kind) for kind, names in _OF_KIND.items() for name in names}

_ONLY = {
    "simulate": ("output",),
    "retry": ("progress", "output", "color", "log-file", "state-dir", "sign-key"),
}
"""Verbs whose flags have the names of settings and mean something else: a scenario is no deploy, and a retry
goes by what its run went by."""


def setting_of(verb: str, flags: Sequence[str]) -> Setting | None:
    """The setting behind an option of ``verb`` that is written as one of ``flags``."""
    name = next((flag[2:] for flag in flags if flag.startswith("--")), "")
    return SETTINGS.get(name) if name in _ONLY.get(verb, (name,)) else None
