"""``fleetpush demo``: a real deploy to an embedded fleet on this machine."""

import typer

from fleetpush.cli import flags
from fleetpush.cli.conduct import Signals, conduct
from fleetpush.cli.output import Conclusion, Output
from fleetpush.deploy.progress import Observer

_FAILED = 3


def demo(
    *,
    hosts: flags.Hosts = 12,
    size: flags.FileSize = 64 << 20,
    topology: flags.TopologyChoice = "auto",
    no_encrypt: flags.NoEncrypt = False,
    keep: flags.Keep = False,
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
