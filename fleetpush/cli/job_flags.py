"""The flags of a verb that cron or a pipeline runs."""

from pathlib import Path
from typing import Annotated

from fleetpush.cli import values
from fleetpush.cli.help_page import JOB
from fleetpush.cli.option import option, parsed

Lock = Annotated[
    Path | None,
    option(
        "--lock",
        metavar="FILE",
        help="Hold a lock on FILE; while another run does, exit 75.",
        rich_help_panel=JOB,
    ),
]
LockWait = Annotated[
    float,
    option(
        "--lock-wait",
        metavar="T",
        parser=parsed(values.duration),
        help="Wait up to T for the lock. Default: 0.",
        rich_help_panel=JOB,
    ),
]
Splay = Annotated[
    float,
    option(
        "--splay",
        metavar="T",
        parser=parsed(values.duration),
        help="First wait for a random time up to T. Neither this nor --lock-wait is in --deadline.",
        rich_help_panel=JOB,
    ),
]
OnSuccess = Annotated[
    str | None,
    option(
        "--on-success",
        metavar="CMD",
        help="Then run CMD here, by /bin/sh, if the exit code is 0; FLEETPUSH_RUN_ID and others tell it of"
        " the run. If it fails, exit 5.",
        rich_help_panel=JOB,
    ),
]
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
