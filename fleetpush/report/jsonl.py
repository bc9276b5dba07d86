"""``--progress json``: every event as one line of JSON, for programs that watch."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import TYPE_CHECKING

from fleetpush.report.printer import Lines, Stream
from fleetpush.report.sanitise import printable_json

if TYPE_CHECKING:
    from fleetpush.deploy.play.events import PlayEvent
    from fleetpush.deploy.progress import Event


class JsonLinesPrinter:
    """``{"event": "host_finished", "at": 1.5, ...}``; the last line carries the whole report."""

    def __init__(self, stream: Stream) -> None:
        self._lines = Lines(stream)

    def handle(self, event: Event | PlayEvent) -> None:
        self._lines.write(printable_json(json.dumps(as_json(event), separators=(",", ":"))))

    def close(self) -> None:
        """Nothing to undo: every line was flushed."""


def as_json(event: Event | PlayEvent) -> dict[str, object]:
    """The event's name in snake case and its fields as they stand."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
    fields = {f.name: getattr(event, f.name) for f in dataclasses.fields(event)}
    if "report" in fields:
        fields["report"] = fields["report"].as_json()
    return {"event": name, **fields}
