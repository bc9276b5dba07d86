"""``--progress quiet``: silent when all is well, for cron; on failure one message that says it all.

Warnings wait for a failure that they may explain: a run that did what it was told has nothing to report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleetpush.deploy.progress import Notice, RunFinished
from fleetpush.report.printer import Lines, Stream
from fleetpush.report.recap import recap
from fleetpush.report.sanitise import clean

if TYPE_CHECKING:
    from fleetpush.deploy.progress import Event

WARNINGS_SHOWN = 10


class QuietPrinter:
    """Writes the recap to ``stream`` when the run did not end with 0, and nothing else."""

    def __init__(self, stream: Stream) -> None:
        self._lines = Lines(stream)
        self._warnings: dict[str, None] = {}

    def handle(self, event: Event) -> None:
        if isinstance(event, Notice) and event.level != "info":
            host = f"{clean(event.host)}: " if event.host else ""
            self._warnings[f"{event.level}: {host}{clean(event.message)}"] = None
        elif isinstance(event, RunFinished) and event.report.exit_code:
            lines = [f"fleetpush {clean(event.report.command)} failed"]
            lines += [line.plain for line in recap(event.report)]
            if self._warnings:
                lines += ["", *list(self._warnings)[:WARNINGS_SHOWN]]
            if len(self._warnings) > WARNINGS_SHOWN:
                lines.append(f"and {len(self._warnings) - WARNINGS_SHOWN:,} more warnings")
            self._lines.write("\n".join(lines))

    def close(self) -> None:
        """Nothing to undo."""
