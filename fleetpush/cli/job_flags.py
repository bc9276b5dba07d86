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
Metrics = Annotated[
    Path | None,
    option(
        "--metrics",
        metavar="FILE",
        help="Write the run's figures for node_exporter's textfile collector (FILE.prom), however it"
        " ends.",
        rich_help_panel=JOB,
    ),
]
MetricsJob = Annotated[
    str | None,
    option(
        "--metrics-job",
        metavar="NAME",
        help="What the job is called in them. Default: FILE without its suffix.",
        rich_help_panel=JOB,
    ),
]
