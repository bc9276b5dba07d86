"""``fleetpush runs retry``: the same deploy, to the hosts that did not end well."""

import functools

import typer

from fleetpush.cli import flags, run_flags
from fleetpush.cli.conduct import conduct, guarded
from fleetpush.cli.deploy import execute
from fleetpush.cli.job import Job
from fleetpush.cli.runs.again import from_here, look_up, output_of
from fleetpush.errors import InputError


def retry(
    run: run_flags.Run,
    *,
    extra_vars: flags.ExtraVars = None,
    ask_pass: flags.AskPassword = False,
    ask_become_pass: flags.AskBecomePassword = False,
    forks: run_flags.Forks = None,
    progress: flags.Progress = "auto",
    format: flags.Format = "text",
    color: flags.Color = "auto",
    log_file: flags.LogFile = None,
    verbose: flags.Verbose = 0,
    state_dir: run_flags.StateDir = None,
    sign_key: run_flags.SignKey = None,
    receipt: run_flags.Receipt = None,
) -> None:
    """Deploy again to the hosts of a run that did not end well.

    That is: that failed, were not reached, or were not done.

    Sources, inventory and flags are those of RUN, counted from the directory that it was started in.
    Passwords and variables that look like secrets are not recorded: give them again with -k, -K and -e.
    Where every host had ended well there is nothing to do: exit 0.
    """
    given = from_here(dict(locals()))
    output = output_of("runs retry", given)
    place = state_dir.absolute() if state_dir else None

    def start() -> int:
        again = look_up(run, place)
        if again.kept.options.activate == "together":
            raise InputError(
                f"the hosts of run {again.record.id} switch together:"
                f" fleetpush runs resume {again.record.id} goes on with all of them"
            )
        if not again.wanted:
            text = f"every host of run {again.record.id} ended well: there is nothing to retry"
            output.tell({"retry_of": again.record.id, "hosts": 0}, [text], 0)
            return 0
        work = functools.partial(
            execute,
            state_dir=place,
            warn=output.warn,
            retry_of=again.record.id,
            wants_receipt=receipt is not None,
        )
        return conduct(
            output,
            lambda: functools.partial(work, again.options(given, output, again.wanted)),
            Job.of(given),
        )

    raise typer.Exit(guarded(output, start))
