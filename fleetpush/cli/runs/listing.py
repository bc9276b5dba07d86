"""``fleetpush runs list``: the runs, newest first."""

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fleetpush.cli import flags, run_flags
from fleetpush.cli.conduct import guarded
from fleetpush.cli.help_page import SHOWN
from fleetpush.cli.option import option
from fleetpush.cli.output import Output
from fleetpush.report.quantities import age, duration
from fleetpush.report.sanitise import clean, shorten

if TYPE_CHECKING:
    from fleetpush.deploy.history.record import RunRecord

_SOURCE_WIDTH = 32
_ID_WIDTH = 12

Most = Annotated[
    int, option("-n", "--most", metavar="N", min=1, help="Default: 20.", rich_help_panel=SHOWN)
]


def list_runs(
    *,
    most: Most = 20,
    format: flags.Format = "text",
    verbose: flags.Verbose = 0,
    state_dir: run_flags.StateDir = None,
) -> None:
    """List the runs, the newest first.

    HOSTS: how many of how many have the content. A run whose process was killed is interrupted and has no
    exit code.
    """
    from fleetpush.deploy.history.history import History  # noqa: PLC0415 - --help does without

    output = Output(command="runs list", format=format, verbose=verbose)

    def tell() -> int:
        with History.open(state_dir) as history:
            found = history.runs(most)
            lines = (
                [*_table(found)] if found else [f"no run is recorded in {history.state_dir} yet"]
            )
        output.tell({"runs": [_as_json(run) for run in found]}, lines, 0)
        return 0

    raise typer.Exit(guarded(output, tell))


def _as_json(run: "RunRecord") -> dict[str, Any]:
    return {
        "run_id": run.id,
        "command": run.command,
        "began": datetime.fromtimestamp(run.began, UTC).isoformat(),
        "ended": datetime.fromtimestamp(run.ended, UTC).isoformat() if run.ended else None,
        "status": run.status,
        "exit_code": run.exit_code,
        "error": run.error or None,
        "retry_of": run.retry_of,
        "source": run.source,
        "digest": run.digest,
        "size": run.size,
        "hosts": {"total": run.hosts, "verified": run.good, "lost": run.lost},
    }


def _table(runs: Iterable["RunRecord"]) -> Iterator[str]:
    now = time.time()
    rows: list[tuple[str, ...]] = [
        ("RUN", "BEGUN", "COMMAND", "HOSTS", "STATUS", "EXIT", "TOOK", "SOURCE")
    ]
    rows += [_row(run, now) for run in runs]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    right = {3, 5, 6}
    for *row, source in rows:
        cells = [
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join([*cells, source]).rstrip()


def _row(run: "RunRecord", now: float) -> tuple[str, ...]:
    retry = f" (retry of {run.retry_of[:_ID_WIDTH]})" if run.retry_of else ""
    # What a run that was killed took, nobody knows.
    end = run.ended if run.ended is not None else now if run.lives else None
    return (
        clean(run.id[:_ID_WIDTH]),
        f"{age(now - run.began)} ago",
        clean(run.command),
        f"{run.good:,}/{run.hosts:,}",
        run.status,
        "-" if run.exit_code is None else str(run.exit_code),
        "-" if end is None else duration(end - run.began),
        shorten(clean(run.source), _SOURCE_WIDTH) + retry,
    )
