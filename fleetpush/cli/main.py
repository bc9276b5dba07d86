"""The ``fleetpush`` command: its verbs, and what belongs to none of them."""

import gc
import io
import signal
import sys
from typing import Annotated, Any

import typer

from fleetpush import __version__
from fleetpush.cli.check import check
from fleetpush.cli.clean import clean as clean_up
from fleetpush.cli.config import config
from fleetpush.cli.demo import demo
from fleetpush.cli.deploy import deploy
from fleetpush.cli.help_page import EPILOG
from fleetpush.cli.inventory import inventory
from fleetpush.cli.plan import plan
from fleetpush.cli.play import play
from fleetpush.cli.rollback import rollback
from fleetpush.cli.runs import runs
from fleetpush.cli.simulate import simulate
from fleetpush.cli.unread import asked_for
from fleetpush.cli.verb import Verb
from fleetpush.errors import FleetpushError
from fleetpush.report.sanitise import clean

_USAGE, _INTERRUPTED = 2, 130

_COLLECT_AFTER = 50_000
"""New objects between two looks for garbage in circles: a thousand hosts are made of several hundred thousand
that all live to the end, and Python's own 700 have them looked at over and over."""

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
app.command(epilog=EPILOG, cls=Verb)(rollback)
app.command(epilog=EPILOG, cls=Verb)(plan)
app.command(epilog=EPILOG, cls=Verb)(check)
app.command("clean", epilog=EPILOG, cls=Verb)(clean_up)
app.command(epilog=EPILOG, cls=Verb)(demo)
app.command(epilog=EPILOG, cls=Verb)(simulate)
app.command(epilog=EPILOG, cls=Verb)(config)
app.add_typer(inventory)
app.add_typer(runs)


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


def process() -> None:
    """``main`` as all that a process does: a signal while it ends does not change its exit code."""
    gc.freeze()  # what was imported is no garbage either
    gc.set_threshold(_COLLECT_AFTER)
    try:
        main()
    except KeyboardInterrupt:  # after a verb's own handling of it
        sys.exit(_INTERRUPTED)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)


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
            why = getattr(end.__context__, "format_message", lambda: "stderr says why")()
            _tell_failure(_USAGE, f"the command line does not make sense: {why}", "usage")
        raise
    except FleetpushError as error:  # a setting that cannot be, before there is a verb to tell it
        print(f"error: {clean(str(error))}", file=sys.stderr)  # noqa: T201
        _tell_failure(error.exit_code, str(error), error.slug)
        sys.exit(error.exit_code)


def _tell_failure(exit_code: int, text: str, slug: str) -> None:
    """The document, where one was asked for, and the reports: a night that fails like this is seen, too."""
    words = sys.argv[1:]
    verb = next((word for word in words if not word.startswith("-")), "")
    verbs: dict[str, Any] = getattr(typer.main.get_command(app), "commands", {})
    flags = [
        flag for parameter in getattr(verbs.get(verb), "params", ()) for flag in parameter.opts
    ]
    asked_for(verb, words, flags).not_begun(exit_code, text, slug)
