"""What the shell offers behind flags whose values are not fixed. Typer asks it at every press of Tab.

A completion has nobody to complain to: what cannot be read offers nothing.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fleetpush.errors import FleetpushError

_LAST_PART = re.compile(r"(.*[,:])?([!&]?)")
"""What of a pattern stands before the name that is being written."""

INVENTORIES = "inventories"
PLAYBOOKS = "playbooks"


def hosts_and_groups(ctx: Any, incomplete: str) -> list[str]:  # noqa: ANN401 - Typer keeps the types private
    """For ``--limit``: groups, then hosts, of what ``-i`` or a setting names; also within a pattern."""
    from fleetpush.inventory.load import load  # noqa: PLC0415 - only this completion pays for it

    # Nobody pipes anything into a press of Tab, and whoever presses it does not wait for a slow script.
    names = [name for name in ctx.params.get("inventories") or () if name != "-"]
    if not names:
        return []
    try:
        inventory = load(names, cwd=Path.cwd(), script_seconds=2)
    except (FleetpushError, OSError):
        return []
    before = _LAST_PART.match(incomplete)
    kept = before[0] if before else ""
    return [kept + name for name in (*inventory.groups, *inventory.hosts)]


def inventories(incomplete: str) -> list[str]:
    """For ``-i``: files of ``inventories/``, unless files beside fit; those every shell knows itself."""
    return _files_of(INVENTORIES, incomplete)


def playbooks(incomplete: str) -> list[str]:
    """For ``play``: the same of ``playbooks/``."""
    return _files_of(PLAYBOOKS, incomplete)


def _files_of(folder: str, incomplete: str) -> list[str]:
    place = Path(incomplete)
    if "/" in incomplete or any(Path.cwd().glob(f"{_literal(place.name)}*")):
        return []
    try:
        return sorted(path.name for path in Path(folder).iterdir() if path.is_file())
    except OSError:
        return []


def _literal(text: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", text)


def connections() -> list[str]:
    """For ``--connection``."""
    from fleetpush.remote.target import CONNECTIONS  # noqa: PLC0415 - as above

    return list(CONNECTIONS)


def runs(ctx: Any, incomplete: str) -> list[str]:  # noqa: ANN401 - as above
    """For a run's id: the newest first."""
    from fleetpush.deploy.history.history import LAST, SHOWN, History  # noqa: PLC0415 - as above

    try:
        with History.open(ctx.params.get("state_dir")) as history:
            found = [run.id for run in history.runs(50)]
    except FleetpushError:
        return []
    return [LAST, *(run[:SHOWN] for run in found if run.startswith(incomplete))] if found else []
