"""``fleetpush runs show``: a run's recap, once more."""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import typer

from fleetpush.cli import flags, run_flags
from fleetpush.cli.conduct import guarded
from fleetpush.cli.output import Conclusion, Output
from fleetpush.report.quantities import age, hosts

if TYPE_CHECKING:
    from fleetpush.deploy.history.history import History
    from fleetpush.deploy.history.record import RunRecord
    from fleetpush.deploy.results import RunReport

_NOTICES_SHOWN = 10


def show(
    run: run_flags.Run,
    *,
    format: flags.Format = "text",
    color: flags.Color = "auto",
    verbose: flags.Verbose = 0,
    state_dir: run_flags.StateDir = None,
) -> None:
    """Show a run's recap as it was printed.

    With it: when that was, and the warnings. -o json prints the document that the run had for -o json.
    """
    # --help does without.
    from fleetpush.deploy.history.history import History  # noqa: PLC0415
    from fleetpush.deploy.history.recalled import document_of, report_of  # noqa: PLC0415

    output = Output(command="runs show", format=format, color=color, verbose=verbose)

    def tell() -> int:
        with History.open(state_dir) as history:
            found = history.run(run)
            if format == "json":
                document = document_of(history, found)
                output.tell_as_is(lambda: document, list, list)
            else:
                report = report_of(history, found)
                output.show(Conclusion(report, 0, tuple(_more(history, found, report))))
        return 0

    raise typer.Exit(guarded(output, tell))


def _more(history: "History", run: "RunRecord", report: "RunReport") -> Iterator[str]:
    """What the recap, printed at the run's own end, had no need to say."""
    began = datetime.fromtimestamp(run.began).astimezone()
    yield f"begun {began.isoformat(sep=' ', timespec='seconds')}, {age(time.time() - run.began)} ago"
    if run.retry_of:
        yield f"a retry of run {run.retry_of}"
    yield from _warnings(history, run)
    lost = sum(1 for result in report.results if not result.status.good)
    if run.status == "running":
        yield f"it still goes on: {run.good + run.lost:,} of {hosts(run.hosts)} are done"
        return
    if run.exit_code is None:
        yield "interrupted: its process was killed before the end"
    if lost:
        yield f"to try {hosts(lost)} again: fleetpush runs retry {run.id}"


def _warnings(history: "History", run: "RunRecord") -> Iterator[str]:
    course = history.course(run.id)
    if course is None:
        return
    told = [notice for notice in course.notices if notice.level != "info"]
    for notice in told[:_NOTICES_SHOWN]:
        host = f"{notice.host}: " if notice.host else ""
        yield f"{notice.level}: {host}{notice.message}"
    more = len(told) - _NOTICES_SHOWN + course.notices_dropped
    if more > 0:
        yield f"and {more:,} more warnings"
