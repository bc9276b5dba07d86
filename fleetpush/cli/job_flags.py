"""The flags of a verb that cron or a pipeline runs."""

from pathlib import Path
from typing import Annotated

from fleetpush.cli.help_page import JOB
from fleetpush.cli.option import option

Junit = Annotated[
    Path | None,
    option(
        "--junit",
        metavar="FILE",
        help="Write a JUnit test report, a case a host, however it ends.",
        rich_help_panel=JOB,
    ),
]
