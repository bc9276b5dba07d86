"""``fleetpush rollback``: back to the release before."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from fleetpush.cli import flags
from fleetpush.cli.conduct import Signals, guarded
from fleetpush.cli.help_page import WHAT
from fleetpush.cli.option import option
from fleetpush.cli.options import options_from
from fleetpush.cli.output import Output
from fleetpush.deploy.options import DeployOptions

if TYPE_CHECKING:
    from fleetpush.deploy.errand import ErrandReport, HostAnswer

ReleaseDir = Annotated[
    str,
    option(
        "--release-dir",
        metavar="DIR",
        help="Where the releases are: what they were deployed with.",
        rich_help_panel=WHAT,
    ),
]
To = Annotated[
    str | None,
    option(
        "--to",
        metavar="ID",
        help="Not the one before but this one: a part of its name that only it has.",
        rich_help_panel=WHAT,
    ),
]
Check = Annotated[
    bool, option("-C", "--check", help="Only say what it would be.", rich_help_panel=WHAT)
]


def rollback(
    *,
    inventories: flags.Inventories,
    limit: flags.Limit = None,
    extra_vars: flags.ExtraVars = None,
    release_dir: ReleaseDir,
    to: To = None,
    check: Check = False,
    user: flags.User = None,
    ask_pass: flags.AskPassword = False,
    become: flags.BecomeSwitch = False,
    become_user: flags.BecomeUser = None,
    become_method: flags.BecomeMethod = "sudo",
    ask_become_pass: flags.AskBecomePassword = False,
    forks: flags.Forks = 128,
    private_key: flags.PrivateKey = None,
    ssh_config: flags.SshConfig = None,
    host_key_checking: flags.HostKeyCheckingChoice = "strict",
    jump: flags.Jump = None,
    connection: flags.ConnectionPlugin = None,
    connect_timeout: flags.ConnectTimeout = 15.0,
    format: flags.Format = "text",
    verbose: flags.Verbose = 0,
) -> None:
    """Switch every host back to the release that was active before. Moves no content.

    All hosts are connected to first and then switched at about the same moment. Once more goes back
    further. A host that has nothing to go back to, or cannot be reached, is named; the others go back.
    """
    given = dict(locals())
    output = Output(command="rollback", format=format, verbose=verbose)

    def run() -> int:
        report = asyncio.run(_roll_back(options_from(given), to, output, check=check))
        from fleetpush.report.errand import errand  # noqa: PLC0415 - only one that has ended pays for it

        said = _would_be if check else _is_now
        output.tell(report.as_json(), [*errand(report, said)], report.exit_code)
        return report.exit_code

    raise typer.Exit(guarded(output, run))


async def _roll_back(
    options: DeployOptions, to: str | None, output: Output, *, check: bool
) -> "ErrandReport":
    from fleetpush.deploy.rollback import rollback as prepare  # noqa: PLC0415 - brings asyncssh, too

    signals = Signals()
    with signals.listening():
        work = prepare(options, to, output.warn, check=check)
        signals.attach(work)
        return await work.execute()


def _is_now(result: "HostAnswer") -> str:
    was, now = result.answer["was"], result.answer["now"]
    return f"{now}, as before" if was == now else f"back from {was or 'nothing'} to {now}"


def _would_be(result: "HostAnswer") -> str:
    return f"would go back from {result.answer['was'] or 'nothing'} to {result.answer['now']}"
