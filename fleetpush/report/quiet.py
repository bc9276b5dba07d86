"""``--progress quiet``: silent when all is well, for cron; on failure one message that says it all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleetpush.deploy.progress import RunFinished
from fleetpush.report.printer import Lines, Stream
from fleetpush.report.recap import recap

if TYPE_CHECKING:
    from fleetpush.deploy.progress import Event


class QuietPrinter:
    """Writes the recap to ``stream`` when the run did not end with 0, and nothing else."""

    def __init__(self, stream: Stream) -> None:
        self._lines = Lines(stream)

    def handle(self, event: Event) -> None:
        if isinstance(event, RunFinished) and event.report.exit_code:
            self._lines.write("\n".join(line.plain for line in recap(event.report)))

    def close(self) -> None:
        """Nothing to undo."""
