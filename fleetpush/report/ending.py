"""How a run ended, for the files that other programs read: whole, or why it could not begin."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleetpush.deploy.progress import HostFinished

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from fleetpush.deploy.progress import Event
    from fleetpush.deploy.receipt import Receipt
    from fleetpush.deploy.results import RunReport


@dataclass(frozen=True, kw_only=True)
class Ending:
    """``report`` is None where nothing began; ``error`` and ``slug`` then say why. Times with their zone."""

    command: str
    exit_code: int
    began: datetime
    ended: datetime
    report: RunReport | None = None
    error: str = ""
    slug: str = ""
    receipt: Receipt | None = None
    finished_at: Mapping[str, float] = field(default_factory=dict)
    """When each host had its last word, in seconds from the run's start."""

    @property
    def ok(self) -> bool:
        return self.exit_code == 0

    @property
    def lost(self) -> int:
        """Hosts that failed or were never reached."""
        return sum(1 for r in self.report.results if not r.status.good) if self.report else 0


class FinishTimes:
    """A printer that shows nothing and remembers when each host was done."""

    def __init__(self) -> None:
        self.by_host: dict[str, float] = {}

    def handle(self, event: Event) -> None:
        if isinstance(event, HostFinished):
            self.by_host.setdefault(event.host, event.at)

    def close(self) -> None:
        """Nothing to undo."""
