"""A run that is to be gone on with: what it was told, and the hosts that are wanted again."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleetpush.cli.options import fields_of
from fleetpush.cli.output import Output
from fleetpush.cli.password import asked
from fleetpush.deploy.options import DeployOptions
from fleetpush.errors import InputError, UsageError
from fleetpush.report.quantities import hosts
from fleetpush.report.sanitise import clean

if TYPE_CHECKING:
    from fleetpush.deploy.history.decision import Decision
    from fleetpush.deploy.history.kept import KeptOptions
    from fleetpush.deploy.history.record import RunRecord

_STDIN = "-"


def from_here(given: dict[str, Any]) -> dict[str, Any]:
    """A verb's flags, by parameter name, with files by absolute path: it changes to the run's directory."""
    paths = {name: value.absolute() for name, value in given.items() if isinstance(value, Path)}
    return {**given, **paths}


def output_of(command: str, given: dict[str, Any]) -> Output:
    """What a verb's flags, by parameter name, say of what is shown."""
    return Output(command=command, **fields_of(Output, given))


@dataclass(frozen=True)
class Again:
    """``decision``: that hosts were told to switch together; ``wanted``: those that did not end well,
    ``everyone``: all that the run had."""

    record: "RunRecord"
    kept: "KeptOptions"
    wanted: Sequence[str]
    everyone: Sequence[str]
    decision: "Decision | None"

    def options(self, given: dict[str, Any], output: Output, names: Sequence[str]) -> DeployOptions:
        """Those of the run, for the hosts ``names`` as far as its inventory still has them.

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
            # The same chunks, however few hosts there are now: what hosts have of them counts.
            chunk_size=self.record.chunk_size or kept.options.chunk_size,
            extra_vars=(*kept.options.extra_vars, *given_vars),
            sign_key=given["sign_key"],
            ssh=replace(kept.options.ssh, **ssh, **asked(given)),
        )
        return replace(options, limit=self._limit(options, output, names))

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

    def _limit(self, options: DeployOptions, output: Output, names: Sequence[str]) -> str:
        """A pattern for the hosts; tells of those that are gone."""
        from fleetpush.deploy.fleet import selected  # noqa: PLC0415 - --help does without

        pattern = ",".join(names)
        if _STDIN in options.inventories:  # it can be read only once: the run itself does
            return pattern
        inventory, _ = selected(options.inventories, None, options.extra_vars, lambda text: None)
        gone = [name for name in names if name not in inventory.hosts]
        still = [name for name in names if name in inventory.hosts]
        where = ", ".join(options.inventories)
        if not still:
            raise InputError(
                f"{where} no longer has {_folded(gone)}: there is nobody left of that run",
                slug="no_hosts",
            )
        pattern = ",".join(still)
        chosen = {host.name for host in inventory.select("all", pattern)}
        if chosen != set(still):
            raise InputError(
                f"{where} has a group and a host of one name, so that the hosts of that run cannot be named:"
                " deploy again with -l"
            )
        if gone:
            output.warn(f"{where} no longer has {_folded(gone)}: left out")
        return pattern


def _from_here(text: str) -> str:
    """A file of variables, by a name that is true in any directory."""
    name = text.lstrip()
    return f"@{Path(name[1:]).expanduser().absolute()}" if name.startswith("@") else text


def look_up(name: str, state_dir: Path | None) -> Again:
    """Raises InputError for a run that cannot be gone on with."""
    from fleetpush.deploy.history.decision import decision_of  # noqa: PLC0415 - --help does without
    from fleetpush.deploy.history.history import History  # noqa: PLC0415
    from fleetpush.deploy.history.recalled import report_of  # noqa: PLC0415

    with History.open(state_dir) as history:
        record = history.run(name)
        if record.status == "running":
            raise InputError(f"run {record.id} still goes on: wait for its end, or stop it")
        if record.command != "deploy":
            raise InputError(
                f"run {record.id} was a {clean(record.command)}, and only a deploy can be done again"
            )
        results = report_of(history, record).results
        return Again(
            record,
            record.kept(),
            wanted=[r.host for r in results if not r.status.good],
            everyone=[r.host for r in results],
            decision=decision_of(history, record.id),
        )


def _folded(names: Sequence[str]) -> str:
    from fleetpush.inventory.nodeset import fold  # noqa: PLC0415 - --help does without

    return f"{fold(names)} ({hosts(len(names))})" if len(names) > 1 else names[0]
