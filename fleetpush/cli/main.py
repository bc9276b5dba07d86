"""The ``fleetpush`` command: its verbs, and what belongs to none of them."""

import io
import itertools
import json
import sys
from typing import Annotated

import typer

from fleetpush import __version__
from fleetpush.cli.demo import demo
from fleetpush.cli.deploy import deploy
from fleetpush.cli.help_page import EPILOG, SectionedCommand
from fleetpush.cli.output import failure_document
from fleetpush.cli.plan import plan
from fleetpush.cli.simulate import simulate

_USAGE = 2

app = typer.Typer(
    name="fleetpush",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command(epilog=EPILOG, cls=SectionedCommand)(deploy)
app.command(epilog=EPILOG, cls=SectionedCommand)(plan)
app.command(epilog=EPILOG, cls=SectionedCommand)(demo)
app.command(epilog=EPILOG, cls=SectionedCommand)(simulate)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fleetpush {__version__}")
        raise typer.Exit


@app.callback()
def fleetpush(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Deliver a big file to a thousand machines in about the time one copy takes, over SSH."""


def main() -> None:
    """Runs the command line; ends the process with the exit code of the table in ``--help``."""
    for stream in (sys.stdout, sys.stderr):
        # File names need not be text, and a log's encoding need not know our glyphs.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except SystemExit as end:
        # A verb that ends by itself has printed its document already.
        typers = not isinstance(end.__context__, typer.Exit)
        if typers and end.code == _USAGE and _asks_for_json(sys.argv[1:]):
            text = "the command line does not make sense; stderr says why"
            verb = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
            print(json.dumps(failure_document(verb, _USAGE, text, "usage"), indent=2))  # noqa: T201
        raise


def _asks_for_json(words: list[str]) -> bool:
    pairs = itertools.pairwise(words)
    return any(pair in (("-o", "json"), ("--output", "json")) for pair in pairs) or (
        "--output=json" in words or "-ojson" in words
    )
