"""``--progress quiet`` for playbooks: silent when all is well, on failure the recap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleetpush.deploy.play.events import PlaybooksFinished
from fleetpush.report.play.recap import recap
from fleetpush.report.printer import Lines, Stream

if TYPE_CHECKING:
    from fleetpush.deploy.play.events import PlayEvent


class PlayQuietPrinter:
    """Writes the recap to ``stream`` when the run did not end with 0, and nothing else."""

    def __init__(self, stream: Stream) -> None:
        self._lines = Lines(stream)

    def handle(self, event: PlayEvent) -> None:
        if isinstance(event, PlaybooksFinished) and event.report.exit_code:
            self._lines.write("\n".join(line.plain for line in recap(event.report)))

    def close(self) -> None:
        """Nothing to undo."""
