"""``fleetpush deploy``: push to the hosts, verify, activate."""

import functools
from typing import TYPE_CHECKING

import typer

from fleetpush.cli import flags
from fleetpush.cli.conduct import Signals, conduct
from fleetpush.cli.output import Conclusion, Output
from fleetpush.cli.password import ask_password
from fleetpush.cli.values import DEFAULT_PORTS
from fleetpush.deploy.options import DeployOptions, SshOptions
from fleetpush.deploy.progress import Observer
from fleetpush.errors import UsageError

if TYPE_CHECKING:
    from fleetpush.cli.conduct import Work


def deploy(
    *,
    sources: flags.Sources,
    inventories: flags.Inventories,
    limit: flags.Limit = None,
    extra_vars: flags.ExtraVars = None,
    dest: flags.Dest = None,
    mode: flags.Mode = None,
    owner: flags.Owner = None,
    group: flags.Group = None,
    topology: flags.TopologyChoice = "auto",
    tree_fanout: flags.TreeFanout = None,
    discovery: flags.Discovery = "tracker",
    chunk_size: flags.ChunkSize = None,
    bwlimit: flags.Bwlimit = None,
    host_bwlimit: flags.HostBwlimit = None,
    port_range: flags.PortRange = DEFAULT_PORTS,
    no_encrypt: flags.NoEncrypt = False,
    verify: flags.Verify = "chunks",
    activate: flags.Activate = "each",
    stall: flags.Stall = 60.0,
    deadline: flags.Deadline = None,
    detach_grace: flags.DetachGrace = 0.0,
    min_success: flags.MinSuccess = None,
    user: flags.User = None,
    ask_pass: flags.AskPassword = False,
    forks: flags.Forks = 128,
    private_key: flags.PrivateKey = None,
    ssh_config: flags.SshConfig = None,
    host_key_checking: flags.HostKeyCheckingChoice = "strict",
    jump: flags.Jump = None,
    connection: flags.ConnectionPlugin = None,
    connect_timeout: flags.ConnectTimeout = 15.0,
    progress: flags.Progress = "auto",
    format: flags.Format = "text",
    color: flags.Color = "auto",
    log_file: flags.LogFile = None,
    verbose: flags.Verbose = 0,
) -> None:
    """Push files to every host of an inventory, verify them there, and activate them."""
    output = Output(
        command="deploy",
        progress=progress,
        format=format,
        color=color,
        verbose=verbose,
        log_file=log_file,
    )

    def prepare() -> "Work":
        if tree_fanout is not None and topology in ("mesh", "star"):
            raise UsageError(f"--tree-fanout needs a tree; --topology says {topology}")
        ssh = SshOptions(
            user=user,
            password=ask_password() if ask_pass else None,
            private_key=private_key,
            ssh_config=ssh_config,
            host_key_checking=host_key_checking,
            jump=jump,
            connection=connection,
            forks=forks,
            connect_timeout=connect_timeout,
        )
        options = DeployOptions(
            sources=tuple(sources),
            inventories=tuple(inventories),
            limit=limit,
            extra_vars=tuple(extra_vars or ()),
            dest=dest,
            ssh=ssh,
            topology=topology,
            tree_fanout=tree_fanout,
            discovery=discovery,
            chunk_size=chunk_size,
            bwlimit=bwlimit,
            host_bwlimit=host_bwlimit,
            port_range=port_range,
            encrypt=not no_encrypt,
            verify=verify,
            activate=activate,
            mode=mode,
            owner=owner,
            group=group,
            stall=stall,
            deadline=deadline,
            detach_grace=detach_grace,
            min_success=min_success,
        )
        return functools.partial(execute, options)

    raise typer.Exit(conduct(output, prepare))


async def execute(options: DeployOptions, observer: Observer, signals: Signals) -> Conclusion:
    """Runs the deploy. Raises FleetpushError when the run as a whole cannot be."""
    from fleetpush.deploy.runner import Run  # noqa: PLC0415 - brings asyncssh, which --help can do without

    run = Run(options, observer)
    signals.attach(run)
    report = await run.execute()
    return Conclusion(report, report.exit_code)
