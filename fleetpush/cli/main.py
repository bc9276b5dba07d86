"""The ``fleetpush`` command: its verbs, and what belongs to none of them."""

import io
import itertools
import json
import os
import sys
from typing import Annotated

import typer

from fleetpush import __version__
from fleetpush.cli.check import check
from fleetpush.cli.config import config
from fleetpush.cli.demo import demo
from fleetpush.cli.deploy import deploy
from fleetpush.cli.help_page import EPILOG
from fleetpush.cli.inventory import inventory
from fleetpush.cli.output import failure_document
from fleetpush.cli.plan import plan
from fleetpush.cli.play import play
from fleetpush.cli.settings import SETTINGS
from fleetpush.cli.simulate import simulate
from fleetpush.cli.verb import Verb
from fleetpush.errors import FleetpushError
from fleetpush.report.sanitise import clean

_USAGE = 2

app = typer.Typer(
    name="fleetpush",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command(epilog=EPILOG, cls=Verb)(deploy)
app.command(epilog=EPILOG, cls=Verb)(play)
app.command(epilog=EPILOG, cls=Verb)(plan)
app.command(epilog=EPILOG, cls=Verb)(check)
app.command(epilog=EPILOG, cls=Verb)(demo)
app.command(epilog=EPILOG, cls=Verb)(simulate)
app.command(epilog=EPILOG, cls=Verb)(config)
app.add_typer(inventory)


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
        if typers and end.code == _USAGE:
            _print_failure(_USAGE, "the command line does not make sense; stderr says why", "usage")
        raise
    except FleetpushError as error:  # a setting that cannot be, before there is a verb to tell it
        print(f"error: {clean(str(error))}", file=sys.stderr)  # noqa: T201
        _print_failure(error.exit_code, str(error), error.slug)
        sys.exit(error.exit_code)


def _print_failure(exit_code: int, text: str, slug: str) -> None:
    """The document, where one was asked for."""
    words = sys.argv[1:]
    if _asks_for_json(words):
        verb = next((word for word in words if not word.startswith("-")), "")
        print(json.dumps(failure_document(verb, exit_code, text, slug), indent=2))  # noqa: T201


def _asks_for_json(words: list[str]) -> bool:
    pairs = itertools.pairwise(words)
    given = [pair[1] for pair in pairs if pair[0] in ("-o", "--output")]
    given += [word[2:] for word in words if word.startswith("-o")]
    given += [word.removeprefix("--output=") for word in words if word.startswith("--output=")]
    return "json" in (given or [os.environ.get(SETTINGS["output"].env, "")])
