"""Which printer fits the place that stderr goes to, for playbooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fleetpush.report.choose import resolve
from fleetpush.report.jsonl import JsonLinesPrinter
from fleetpush.report.play.plain import PlayPlainPrinter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

    from fleetpush.deploy.play.events import PlayEvent
    from fleetpush.report.choose import ProgressStyle


class PlayPrinter(Protocol):
    """Shows playbooks as they go. Never raises: a broken terminal must not break a roll-out."""

    def handle(self, event: PlayEvent) -> None: ...

    def close(self) -> None:
        """Leaves the terminal as it was found. May be called twice."""


def play_printer(style: ProgressStyle, stream: TextIO, environ: Mapping[str, str]) -> PlayPrinter:
    """The printer for ``--progress style`` on ``stream``. A terminal gets lines, too, without their times."""
    chosen = resolve(style, terminal=stream.isatty(), environ=environ)
    if chosen == "json":
        return JsonLinesPrinter(stream)
    if chosen == "quiet":
        from fleetpush.report.play.quiet import PlayQuietPrinter  # noqa: PLC0415 - brings rich

        return PlayQuietPrinter(stream)
    return PlayPlainPrinter(stream, stamped=chosen == "plain")
