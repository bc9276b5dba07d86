"""``fleetpush runs``: what was deployed when, how that went, and once more for those that failed."""

import typer

from fleetpush.cli.help_page import EPILOG
from fleetpush.cli.runs.listing import list_runs
from fleetpush.cli.runs.receipt import receipt
from fleetpush.cli.runs.report import report
from fleetpush.cli.runs.resume import resume
from fleetpush.cli.runs.retry import retry
from fleetpush.cli.runs.show import show
from fleetpush.cli.runs.verify import verify
from fleetpush.cli.verb import Verb

runs = typer.Typer(
    name="runs",
    help="What was deployed when and how it went; once more for the hosts that failed.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
runs.command("list", epilog=EPILOG, cls=Verb)(list_runs)
runs.command("show", epilog=EPILOG, cls=Verb)(show)
runs.command("report", epilog=EPILOG, cls=Verb)(report)
runs.command("receipt", epilog=EPILOG, cls=Verb)(receipt)
runs.command("verify", epilog=EPILOG, cls=Verb)(verify)
runs.command("retry", epilog=EPILOG, cls=Verb)(retry)
runs.command("resume", epilog=EPILOG, cls=Verb)(resume)
