"""``fleetpush runs report``: a run as one page of HTML."""

from pathlib import Path
from typing import Annotated

import typer

from fleetpush.cli import run_flags
from fleetpush.cli.conduct import guarded
from fleetpush.cli.flags import Verbose
from fleetpush.cli.help_page import WHAT
from fleetpush.cli.option import option
from fleetpush.cli.output import Output
from fleetpush.errors import InputError
from fleetpush.report.files import check_writable, write_whole

Html = Annotated[
    Path,
    option(
        "--html", metavar="FILE", help="Where the page goes; - is stdout.", rich_help_panel=WHAT
    ),
]
_STDOUT = Path("-")


def report(
    run: run_flags.Run,
    *,
    html: Html,
    verbose: Verbose = 0,
    state_dir: run_flags.StateDir = None,
) -> None:
    """Write a run as one page of HTML that needs nothing else.

    What failed, completion and throughput over time, a heat map of the hosts, who was slow and why. It needs
    no network and no script, and can be mailed or put behind any web server.
    """
    # --help does without.
    from fleetpush.deploy.history.history import History  # noqa: PLC0415
    from fleetpush.deploy.history.recalled import report_of  # noqa: PLC0415
    from fleetpush.report.html.page import page  # noqa: PLC0415

    output = Output(command="runs report", verbose=verbose)

    def tell() -> int:
        with History.open(state_dir) as history:
            found = history.run(run)
            text = page(found, report_of(history, found), history.course(found.id))
        if html == _STDOUT:
            output.tell_as_is(dict, list, text.splitlines)
        else:
            _write(html, text)
        return 0

    raise typer.Exit(guarded(output, tell))


def _write(path: Path, text: str) -> None:
    """Whole or not at all. Raises InputError."""
    check_writable("--html", path)
    try:
        write_whole(path, text)
    except OSError as error:
        raise InputError(
            f"cannot write --html {path}: {error.strerror}", slug="report_file"
        ) from error
