"""Which printer fits the place that stderr goes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from fleetpush.report.jsonl import JsonLinesPrinter
from fleetpush.report.plain import PlainPrinter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

    from rich.console import Console

    from fleetpush.report.printer import Printer

ProgressStyle = Literal["auto", "tty", "plain", "json", "quiet"]
ColorChoice = Literal["auto", "always", "never"]
PROGRESS_STYLES: tuple[ProgressStyle, ...] = get_args(ProgressStyle)


def resolve(style: ProgressStyle, *, terminal: bool, environ: Mapping[str, str]) -> ProgressStyle:
    """What ``auto`` stands for: tty on a terminal that can be drawn on and is not CI's, else plain."""
    if style != "auto":
        return style
    in_ci = environ.get("CI", "").lower() not in ("", "0", "false")
    dumb = environ.get("TERM", "") in ("", "dumb", "unknown")
    return "tty" if terminal and not in_ci and not dumb else "plain"


def console(stream: TextIO, color: ColorChoice, *, terminal: bool | None = None) -> Console:
    """A console that interprets no markup. NO_COLOR is honoured unless ``color`` is always."""
    from fleetpush.report.screen import Screen  # noqa: PLC0415 - rich costs time that --help should not pay

    return Screen(
        file=stream,
        force_terminal=True if color == "always" else terminal,
        no_color={"auto": None, "always": False, "never": True}[color],
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=True,
    )


def printer(
    style: ProgressStyle,
    stream: TextIO,
    environ: Mapping[str, str],
    *,
    color: ColorChoice = "auto",
    verbose: bool = False,
) -> Printer:
    """The printer for ``--progress style`` on ``stream``."""
    chosen = resolve(style, terminal=stream.isatty(), environ=environ)
    if chosen == "tty":
        from fleetpush.report.live import LivePrinter  # noqa: PLC0415 - brings rich

        return LivePrinter(console(stream, color, terminal=True))
    if chosen == "json":
        return JsonLinesPrinter(stream)
    if chosen == "quiet":
        from fleetpush.report.quiet import QuietPrinter  # noqa: PLC0415 - brings rich

        return QuietPrinter(stream)
    return PlainPrinter(stream, verbose=verbose)
