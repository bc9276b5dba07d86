"""``fleetpush demo``: a real deploy to an embedded fleet on this machine."""

from typing import Annotated

import typer

from fleetpush.cli import flags, values
from fleetpush.cli.conduct import Signals, conduct
from fleetpush.cli.help_page import WHAT
from fleetpush.cli.option import option, parsed
from fleetpush.cli.output import Conclusion, Output
from fleetpush.deploy.progress import Observer

_FAILED = 3

Hosts = Annotated[
    int, option("--hosts", metavar="N", min=1, max=250, help="Default: 12.", rich_help_panel=WHAT)
]
FileSize = Annotated[
    int,
    option(
        "--size",
        metavar="S",
        parser=parsed(values.size),
        help="Default: 64M.",
        rich_help_panel=WHAT,
    ),
]
Keep = Annotated[
    bool, option("--keep", help="Leave the hosts' homes to look at.", rich_help_panel=WHAT)
]


def demo(
    *,
    hosts: Hosts = 12,
    size: FileSize = 64 << 20,
    topology: flags.TopologyChoice = "auto",
    no_encrypt: flags.NoEncrypt = False,
    keep: Keep = False,
    progress: flags.Progress = "auto",
    format: flags.Format = "text",
    color: flags.Color = "auto",
    log_file: flags.LogFile = None,
    verbose: flags.Verbose = 0,
) -> None:
    """Deploy a random file to an embedded SSH fleet on this machine, and prove that it arrived."""
    output = Output(
        command="demo",
        progress=progress,
        format=format,
        color=color,
        verbose=verbose,
        log_file=log_file,
    )

    async def work(observer: Observer, signals: Signals) -> Conclusion:
        from fleetpush.demo import run  # noqa: PLC0415 - brings asyncssh, which --help can do without

        settings = run.DemoSettings(
            hosts=hosts, size=size, topology=topology, encrypt=not no_encrypt, keep=keep
        )
        outcome = await run.demo(settings, observer, signals.attach)
        # A run that says all is well and homes that say otherwise: the homes are right.
        exit_code = outcome.report.exit_code or (0 if outcome.ok else _FAILED)
        return Conclusion(outcome.report, exit_code, tuple(outcome.proof))

    raise typer.Exit(conduct(output, lambda: work))
