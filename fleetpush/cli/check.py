"""``fleetpush check``: is every host fit for a deploy, and what to do where not."""

import asyncio
import sys
from typing import Annotated

import typer

from fleetpush.cli import flags
from fleetpush.cli.conduct import Signals, guarded
from fleetpush.cli.help_page import WHAT
from fleetpush.cli.options import options_from
from fleetpush.cli.output import Output
from fleetpush.cli.values import DEFAULT_PORTS
from fleetpush.deploy.fitness import FitnessReport
from fleetpush.deploy.options import DeployOptions

Sources = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SRC]",
        help="Files that would be pushed: is there room for them?",
        rich_help_panel=WHAT,
        show_default=False,
    ),
]


def check(
    *,
    sources: Sources = None,
    inventories: flags.Inventories,
    limit: flags.Limit = None,
    extra_vars: flags.ExtraVars = None,
    dest: flags.Dest = None,
    exclude: flags.Exclude = None,
    port_range: flags.PortRange = DEFAULT_PORTS,
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
    """Look whether every host is fit for a deploy: SSH, Python, room, peer ports, clock. Changes nothing.

    Each host is called on a peer port by two others and by this machine. Warnings do not change the exit
    code: such hosts can be deployed to. -v shows a line for every host.
    """
    given = dict(locals())
    output = Output(command="check", format=format, verbose=verbose)

    def run() -> int:
        report = asyncio.run(_look(options_from(given), output))
        from fleetpush.report.checked import checked  # noqa: PLC0415 - only a check that has ended pays for it

        output.tell(report.as_json(), [*checked(report, each=verbose > 0)], report.exit_code)
        return report.exit_code

    raise typer.Exit(guarded(output, run))


async def _look(options: DeployOptions, output: Output) -> FitnessReport:
    from fleetpush.deploy.readiness import Check  # noqa: PLC0415 - brings asyncssh, which --help can do without

    signals = Signals()
    with signals.listening():
        work = Check(options, output.warn, _show if sys.stderr.isatty() else _stay_silent)
        signals.attach(work)
        return await work.execute()


def _show(done: int, total: int) -> None:
    end = "\r\x1b[K" if done == total else ""
    sys.stderr.write(f"\r{done:,} of {total:,} hosts have answered{end}")
    sys.stderr.flush()


def _stay_silent(done: int, total: int) -> None:
    """A log wants no counter."""
