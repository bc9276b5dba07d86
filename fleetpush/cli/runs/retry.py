"""``fleetpush runs retry``: the same deploy, to the hosts that did not end well."""

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from fleetpush.cli import flags, run_flags
from fleetpush.cli.conduct import conduct, guarded
from fleetpush.cli.deploy import execute
from fleetpush.cli.output import Output
from fleetpush.cli.password import asked
from fleetpush.deploy.options import DeployOptions
from fleetpush.errors import InputError, UsageError
from fleetpush.report.quantities import hosts
from fleetpush.report.sanitise import clean

if TYPE_CHECKING:
    from fleetpush.deploy.history.kept import KeptOptions
    from fleetpush.deploy.history.record import RunRecord

_STDIN = "-"


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
) -> None:
    """Deploy again to the hosts of a run that did not end well.

    That is: that failed, were not reached, or were not done.

    Sources, inventory and flags are those of RUN, counted from the directory that it was started in.
    Passwords and variables that look like secrets are not recorded: give them again with -k, -K and -e.
    Where every host had ended well there is nothing to do: exit 0.
    """
    given = dict(locals())
    output = Output(
        command="runs retry",
        progress=progress,
        format=format,
        color=color,
        verbose=verbose,
        # The command changes to the run's own directory.
        log_file=log_file.absolute() if log_file else None,
    )
    place = state_dir.absolute() if state_dir else None

    def start() -> int:
        again = _look_up(run, place)
        if not again.wanted:
            text = f"every host of run {again.record.id} ended well: there is nothing to retry"
            output.tell({"retry_of": again.record.id, "hosts": 0}, [text], 0)
            return 0
        work = functools.partial(
            execute, state_dir=place, warn=output.warn, retry_of=again.record.id
        )
        return conduct(output, lambda: functools.partial(work, again.options(given, output)))

    raise typer.Exit(guarded(output, start))


@dataclass(frozen=True)
class _Again:
    """The run to retry, what it was told, and the hosts that did not end well."""

    record: "RunRecord"
    kept: "KeptOptions"
    wanted: Sequence[str]

    def options(self, given: dict[str, Any], output: Output) -> DeployOptions:
        """Those of the run, for the hosts that are wanted and that its inventory still has.

        Changes to the run's directory. Raises UsageError where something secret has to be given again,
        InputError where what the run was told is not there any more.
        """
        kept = self.kept
        given_vars = [_from_here(text) for text in given["extra_vars"] or ()]
        self._check_secrets(given, given_vars)
        try:
            os.chdir(kept.cwd)
        except OSError as error:
            raise InputError(
                f"run {self.record.id} was started in {kept.cwd}, which cannot be entered any more:"
                f" {error.strerror}; its names of files count from there"
            ) from error
        ssh = {"forks": given["forks"]} if given["forks"] else {}
        options = replace(
            kept.options,
            extra_vars=(*kept.options.extra_vars, *given_vars),
            ssh=replace(kept.options.ssh, **ssh, **asked(given)),
        )
        return replace(options, limit=self._limit(options, output))

    def _check_secrets(self, given: dict[str, Any], given_vars: Sequence[str]) -> None:
        from fleetpush.inventory.load import read_extra_vars  # noqa: PLC0415 - --help does without

        for was, flag in (("asked_password", "-k"), ("asked_become_password", "-K")):
            wanted = "ask_pass" if flag == "-k" else "ask_become_pass"
            if getattr(self.kept, was) and not given[wanted]:
                raise UsageError(
                    f"run {self.record.id} was given a password, which is not recorded: add {flag}"
                )
        again = read_extra_vars(given_vars, cwd=Path.cwd())
        missing = [name for name in self.kept.withheld if name not in again]
        if missing and not ("*" in missing and again):
            names = ", ".join(name for name in missing if name != "*") or "variables"
            raise UsageError(
                f"run {self.record.id} was given {names} with -e, which is not recorded because it"
                " looks like a secret: give it again with -e"
            )

    def _limit(self, options: DeployOptions, output: Output) -> str:
        """A pattern for the hosts; tells of those that are gone."""
        from fleetpush.deploy.fleet import selected  # noqa: PLC0415 - --help does without

        pattern = ",".join(self.wanted)
        if _STDIN in options.inventories:  # it can be read only once: the run itself does
            return pattern
        inventory, _ = selected(options.inventories, None, options.extra_vars, lambda text: None)
        gone = [name for name in self.wanted if name not in inventory.hosts]
        still = [name for name in self.wanted if name in inventory.hosts]
        where = ", ".join(options.inventories)
        if not still:
            raise InputError(
                f"{where} no longer has {_folded(gone)}: there is nobody left to retry",
                slug="no_hosts",
            )
        pattern = ",".join(still)
        chosen = {host.name for host in inventory.select("all", pattern)}
        if chosen != set(still):
            raise InputError(
                f"{where} has a group and a host of one name, so that the hosts to retry cannot be named:"
                " deploy again with -l"
            )
        if gone:
            output.warn(f"{where} no longer has {_folded(gone)}: left out")
        return pattern


def _from_here(text: str) -> str:
    """A file of variables, by a name that is true in any directory."""
    name = text.lstrip()
    return f"@{Path(name[1:]).expanduser().absolute()}" if name.startswith("@") else text


def _look_up(name: str, state_dir: Path | None) -> _Again:
    """Raises InputError for a run that cannot be retried."""
    from fleetpush.deploy.history.history import History  # noqa: PLC0415 - --help does without
    from fleetpush.deploy.history.recalled import report_of  # noqa: PLC0415

    with History.open(state_dir) as history:
        record = history.run(name)
        if record.status == "running":
            raise InputError(f"run {record.id} still goes on: wait for its end, or stop it")
        if record.command != "deploy":
            raise InputError(
                f"run {record.id} was a {clean(record.command)}, and only a deploy can be retried"
            )
        results = report_of(history, record).results
        return _Again(record, record.kept(), [r.host for r in results if not r.status.good])


def _folded(names: Sequence[str]) -> str:
    from fleetpush.inventory.nodeset import fold  # noqa: PLC0415 - --help does without

    return f"{fold(names)} ({hosts(len(names))})" if len(names) > 1 else names[0]
