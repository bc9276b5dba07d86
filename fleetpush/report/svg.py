"""The live view as a picture, for a README or a ticket."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console

from fleetpush.report.frame import frame

if TYPE_CHECKING:
    from fleetpush.report.state import RunState


def live_svg(
    state: RunState, now: float, *, width: int = 80, height: int = 24, title: str = "fleetpush"
) -> str:
    """An SVG document of the frame that a terminal of ``width`` by ``height`` would show at ``now``."""
    console = Console(
        record=True,
        file=io.StringIO(),
        force_terminal=True,
        width=width,
        height=height,
        color_system="truecolor",
        _environ={},
    )
    for line in frame(state, now, width, height):
        console.print(line)
    return console.export_svg(title=title)
