"""``fleetpush runs receipt``: a run's signed receipt, as it was signed at the run's end."""

import typer

from fleetpush.cli import run_flags
from fleetpush.cli.conduct import guarded
from fleetpush.cli.flags import Verbose
from fleetpush.cli.job import receipt_files
from fleetpush.cli.output import Output
from fleetpush.errors import InputError
from fleetpush.report.files import check_writable, write_whole


def receipt(
    run: run_flags.Run,
    *,
    receipt: run_flags.Receipt = None,
    verbose: Verbose = 0,
    state_dir: run_flags.StateDir = None,
) -> None:
    """Print a run's receipt, or write it and its signature to files.

    Without --receipt it goes to stdout, byte for byte as it was signed, and its signature nowhere. With it
    FILE and FILE.sig are what runs verify and ssh-keygen -Y verify read.
    """
    from fleetpush.deploy.history.history import History  # noqa: PLC0415 - --help does without

    output = Output(command="runs receipt", verbose=verbose)

    def tell() -> int:
        with History.open(state_dir) as history:
            found = history.run(run)
            issued = history.receipt(found.id)
        if issued is None:
            raise InputError(
                f"run {found.id} has no receipt: it did not come to its end, or an older fleetpush ran it",
                slug="no_receipt",
            )
        if receipt is None:
            # Nothing in it would be shown otherwise than it is.
            output.tell_as_is(dict, list, issued.text.splitlines)
            return 0
        ends = Output(command="runs receipt").reports.ending("runs receipt", 0, receipt=issued)
        for file in receipt_files(receipt):
            check_writable(file.flag, file.path)
            try:
                write_whole(file.path, file.text(ends) or "")
            except OSError as error:
                raise InputError(
                    f"cannot write {file.flag} {file.path}: {error.strerror}", slug="report_file"
                ) from error
        return 0

    raise typer.Exit(guarded(output, tell))
