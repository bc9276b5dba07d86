"""Everything a run of playbooks can be told: what the command line fills in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

from fleetpush.remote.settings import SshSettings


@dataclass(frozen=True, kw_only=True)
class PlayOptions:
    """One run. ``tags`` and ``skip_tags`` as Ansible has them; ``deadline`` in seconds."""

    playbooks: tuple[str, ...]
    inventories: tuple[str, ...] = ()
    limit: str | None = None
    extra_vars: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    skip_tags: tuple[str, ...] = ()
    start_at_task: str | None = None
    check: bool = False
    deadline: float | None = None
    state_dir: Path | None = None
    """Where its pushes are recorded; None for the default place."""
    ssh: SshSettings = field(default_factory=SshSettings)
