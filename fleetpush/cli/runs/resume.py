"""``fleetpush runs resume``: go on with a run that was cut off, or take back that its hosts switched."""

import asyncio
import functools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from fleetpush.cli import flags, run_flags
from fleetpush.cli.conduct import Signals, conduct, guarded
from fleetpush.cli.deploy import execute
from fleetpush.cli.help_page import WHAT
from fleetpush.cli.job import Job
from fleetpush.cli.option import option
from fleetpush.cli.output import Output
from fleetpush.cli.runs.again import Again, from_here, look_up, output_of
from fleetpush.errors import InputError

if TYPE_CHECKING:
    from fleetpush.deploy.errand import ErrandReport, HostAnswer
    from fleetpush.deploy.options import DeployOptions

Revert = Annotated[
    bool,
    option(
        "--revert",
        help="Not forward but back: hosts that had switched get what they had before.",
        rich_help_panel=WHAT,
    ),
]


def resume(
    run: run_flags.Run,
    *,
    revert: Revert = False,
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
    """Go on with a run that was cut off, as if it had not been.

    Where its hosts had been told to switch together (--activate together), those that have not yet do
    now, and what was kept to go back to is let go; --revert puts all of them back instead. Else the same
    deploy goes on with all of its hosts. Content that is there already does not move again. Passwords and
    variables that look like secrets are not recorded: give them again with -k, -K and -e.
    """
    given = from_here(dict(locals()))
    output = output_of("runs resume", given)
    place = state_dir.absolute() if state_dir else None

    def start() -> int:
        again = _open_one(look_up(run, place), place)
        if revert:
            return _back(again, given, output, place)
        return _forth(again, given, output, place)

    raise typer.Exit(guarded(output, start))


def _open_one(again: Again, place: Path | None) -> Again:
    """Of a try to resume that came to nothing, the run that it was of."""
    tried = again
    while tried.decision is None and tried.record.retry_of:
        tried = look_up(tried.record.retry_of, place)
        if tried.decision is not None and tried.decision.state == "open":
            return tried
    return again


def _forth(again: Again, given: dict[str, Any], output: Output, place: Path | None) -> int:
    decision = again.decision
    if decision is not None and decision.state == "undone":
        raise InputError(f"run {again.record.id} was reverted: deploy again, if it is wanted now")
    is_open = decision is not None and decision.state == "open"
    if not is_open and not again.wanted:
        text = f"run {again.record.id} is complete: there is nothing to resume"
        output.tell({"resumed": again.record.id, "hosts": 0}, [text], 0)
        return 0
    names = decision.hosts if decision is not None and is_open else again.everyone
    found: list[DeployOptions] = []

    def prepare() -> Any:  # noqa: ANN401 - conduct types what it takes
        options = again.options(given, output, names)
        expected = again.record.digest or None
        options = replace(options, expected=expected)
        if is_open:  # that they may is decided; none has to wait for another any more
            options = replace(options, activate="each", min_success=None)
        found.append(options)
        work = functools.partial(
            execute,
            state_dir=place,
            warn=output.warn,
            retry_of=again.record.id,
            wants_receipt=given["receipt"] is not None,
        )
        return functools.partial(work, options)

    code = conduct(output, prepare, Job.of(given))
    if code == 0 and is_open:
        report = _ask("settle", found[0], again, output)
        code = report.exit_code
        if code == 0:
            _close(again, place, "settled")
        else:
            output.warn("what was kept to go back to is still on some hosts: resume again")
    return code


def _back(again: Again, given: dict[str, Any], output: Output, place: Path | None) -> int:
    decision = again.decision
    if decision is None or decision.state != "open":
        why = {
            None: "no host of it was told to switch together with others",
            "settled": "all of its hosts have switched, and what they had before is gone"
            " (fleetpush rollback goes back to a release)",
            "undone": "it is reverted already",
        }[decision.state if decision else None]
        raise InputError(f"run {again.record.id} cannot be reverted: {why}")
    options = again.options(given, output, decision.hosts)
    report = _ask("undo", options, again, output)
    if report.exit_code == 0:
        _close(again, place, "undone")
    from fleetpush.report.errand import errand  # noqa: PLC0415 - only one that has ended pays for it

    output.tell(report.as_json(), [*errand(report, _is_back)], report.exit_code)
    return report.exit_code


def _is_back(result: "HostAnswer") -> str:
    return "back to what it was" if result.answer.get("changed") else "had not switched"


def _ask(
    what: Literal["settle", "undo"], options: "DeployOptions", again: Again, output: Output
) -> "ErrandReport":
    from fleetpush.deploy.resume import after_switching  # noqa: PLC0415 - brings asyncssh

    async def work() -> "ErrandReport":
        signals = Signals()
        with signals.listening():
            errand = after_switching(what, options, again.record.digest, output.warn)
            signals.attach(errand)
            return await errand.execute()

    return asyncio.run(work())


def _close(again: Again, place: Path | None, state: Literal["settled", "undone"]) -> None:
    from fleetpush.deploy.history.decision import DECISION  # noqa: PLC0415 - --help does without
    from fleetpush.deploy.history.history import History  # noqa: PLC0415

    assert again.decision is not None
    decision = replace(again.decision, state=state)
    with History.open(place) as history:
        history.note(again.record.id, DECISION, decision.as_json())
