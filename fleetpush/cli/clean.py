"""``fleetpush clean``: takes away what runs that died have left on hosts."""

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
from fleetpush.report.quantities import size

if TYPE_CHECKING:
    from fleetpush.deploy.errand import ErrandReport, HostAnswer

Check = Annotated[
    bool, option("-C", "--check", help="Only say what there is.", rich_help_panel=WHAT)
]


def clean(
    *,
    inventories: flags.Inventories,
    limit: flags.Limit = None,
    extra_vars: flags.ExtraVars = None,
    dest: flags.Dest = None,
    release_dir: flags.ReleaseDir = None,
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
    """Take away what runs that died have left beside a destination: partials, and files kept to go back to.

    Say where as for the deploy: --dest, --release-dir or fleetpush_dest; else it looks into the login users'
    homes. What a run is writing right now stays. A run that was cut off cannot be resumed afterwards. Agents
    need no cleaning: they leave by themselves, 20 s after their command's last sign of life.
    """
    given = dict(locals())
    output = Output(command="clean", format=format, verbose=verbose)

    def run() -> int:
        report = asyncio.run(_clean(options_from(given), output, check=check))
        from fleetpush.report.errand import errand  # noqa: PLC0415 - only one that has ended pays for it

        said = _would_be if check else _is_gone
        output.tell(report.as_json(), [*errand(report, said)], report.exit_code)
        return report.exit_code

    raise typer.Exit(guarded(output, run))


async def _clean(options: DeployOptions, output: Output, *, check: bool) -> "ErrandReport":
    from fleetpush.deploy.cleaning import clean as prepare  # noqa: PLC0415 - brings asyncssh, which --help can do without

    signals = Signals()
    with signals.listening():
        work = prepare(options, output.warn, check=check)
        signals.attach(work)
        return await work.execute()


def _is_gone(result: "HostAnswer") -> str:
    return _told(result, "removed")


def _would_be(result: "HostAnswer") -> str:
    return _told(result, "would remove")


def _told(result: "HostAnswer", verb: str) -> str:
    answer = result.answer
    count = len(answer["removed"])
    what = f"{verb} {count} {'file' if count == 1 else 'files'}, {size(answer['bytes'])}"
    busy = f"; {len(answer['busy'])} in use by a run" if answer["busy"] else ""
    return (what if count else "nothing to remove") + busy
