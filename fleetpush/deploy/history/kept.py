"""What a run was told, as the history keeps it: enough to tell it again, and nothing secret.

Passwords are not kept at all. A variable of ``-e`` that looks like a secret is left out and its name noted:
whoever wants the run again gives it again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleetpush.deploy.options import DeployOptions, SshOptions
from fleetpush.deploy.walk import means_contents
from fleetpush.errors import FleetpushError
from fleetpush.inventory.load import read_extra_vars
from fleetpush.inventory.located import located
from fleetpush.inventory.secret import holds_secret

if TYPE_CHECKING:
    from collections.abc import Sequence

_PASSWORDS = ("password", "become_password")
_PATHS = ("private_key", "ssh_config", "known_hosts")
_NOT_KEPT = ("sign_key",)
"""Who does it again signs for it with a key of their own choice."""

_ASKED = ("asked_password", "asked_become_password")
_ALL = "*"
"""Stands for variables that could not be told apart."""


@dataclass(frozen=True, slots=True)
class KeptOptions:
    """What the history has of a run's options. Relative names in them count from ``cwd``."""

    options: DeployOptions
    cwd: str
    withheld: tuple[str, ...] = ()
    """The variables of ``-e`` that were left out."""
    asked_password: bool = False
    asked_become_password: bool = False
    """It was given a password: that of SSH (``-k``), that of sudo (``-K``)."""


def keep(options: DeployOptions, cwd: Path) -> KeptOptions:
    """``options`` as they may be kept: sources and keys by absolute path, no secrets."""
    extra_vars, withheld = _without_secrets(options.extra_vars, cwd)
    ssh: dict[str, Any] = {name: _absolute(getattr(options.ssh, name), cwd) for name in _PATHS}
    kept = _same(options.ssh, without=(*_PASSWORDS, *_PATHS))
    same = _same(options, without=("ssh", "sources", "extra_vars", *_NOT_KEPT))
    return KeptOptions(
        options=DeployOptions(
            sources=tuple(_source(source, cwd) for source in options.sources),
            extra_vars=extra_vars,
            ssh=SshOptions(**kept, **ssh),
            **same,
        ),
        cwd=str(cwd),
        withheld=withheld,
        asked_password=options.ssh.password is not None,
        asked_become_password=options.ssh.become_password is not None,
    )


def _source(source: str, cwd: Path) -> str:
    """By absolute path; a slash at the end stays, it says that a directory's contents are meant.

    One on a host of the inventory is found there again."""
    if located(source) is not None:
        return source
    path = str(cwd / source)
    return path.rstrip("/") + "/" if means_contents(source) else path


def as_json(kept: KeptOptions) -> dict[str, Any]:
    """A document that ``from_json`` reads back."""
    options = _same(kept.options, without=("ssh", *_NOT_KEPT))
    ssh = _same(kept.options.ssh, without=_PASSWORDS)
    ssh |= {name: str(ssh[name]) for name in _PATHS if ssh[name] is not None}
    own = {name: getattr(kept, name) for name in ("cwd", "withheld", *_ASKED)}
    return {**options, "ssh": ssh, **own}


def from_json(document: dict[str, Any]) -> KeptOptions:
    """Options that a later version does not know are its predecessors' business and are left out.

    Raises ValueError, KeyError or TypeError for what ``as_json`` never wrote.
    """
    ssh = _known(SshOptions, document["ssh"])
    ssh |= {name: Path(ssh[name]) for name in _PATHS if ssh.get(name) is not None}
    options = _known(DeployOptions, document)
    lists = {name: tuple(value) for name, value in options.items() if isinstance(value, list)}
    return KeptOptions(
        options=DeployOptions(**{**options, **lists, "ssh": SshOptions(**ssh)}),
        cwd=document["cwd"],
        withheld=tuple(document["withheld"]),
        **{name: document[name] for name in _ASKED},
    )


def _same(options: DeployOptions | SshOptions, *, without: Sequence[str]) -> dict[str, Any]:
    names = [field.name for field in fields(options) if field.name not in without]
    return {name: getattr(options, name) for name in names}


def _known(kind: type[DeployOptions | SshOptions], document: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in document.items() if name in names}


def _absolute(path: Path | None, cwd: Path) -> Path | None:
    return None if path is None else cwd / path


def _without_secrets(texts: Sequence[str], cwd: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The texts of ``-e`` that may be kept, and the names of the variables that may not."""
    kept: list[str] = []
    withheld: list[str] = []
    for text in texts:
        if text.lstrip().startswith("@"):  # a file: what is in it stays in it
            kept.append(text)
            continue
        try:
            values = read_extra_vars([text], cwd=cwd)
            secret = [name for name, value in values.items() if holds_secret(name, value)]
            rest = {name: value for name, value in values.items() if name not in secret}
            kept += [json.dumps(rest)] if secret and rest else [] if secret else [text]
            withheld += secret
        except (FleetpushError, TypeError, ValueError):
            withheld.append(_ALL)
    return tuple(kept), tuple(withheld)
