"""``fleetpush deploy``: push to the hosts, verify, activate."""

import functools
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import typer

from fleetpush.cli import flags, run_flags
from fleetpush.cli.conduct import Signals, conduct
from fleetpush.cli.output import Conclusion, Output
from fleetpush.cli.password import asked
from fleetpush.cli.values import DEFAULT_PORTS
from fleetpush.deploy.options import DeployOptions, SshOptions
from fleetpush.deploy.progress import Observer
from fleetpush.deploy.topology import choose_topology


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
    gather: flags.Gather = False,
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
    progress: flags.Progress = "auto",
    format: flags.Format = "text",
    color: flags.Color = "auto",
    log_file: flags.LogFile = None,
    verbose: flags.Verbose = 0,
    state_dir: run_flags.StateDir = None,
) -> None:
    """Push files to every host of an inventory, verify them there, and activate them."""
    given = dict(locals())
    output = Output(
        command="deploy",
        progress=progress,
        format=format,
        color=color,
        verbose=verbose,
        log_file=log_file,
    )
    work = functools.partial(execute, state_dir=state_dir, warn=output.warn)
    raise typer.Exit(conduct(output, lambda: functools.partial(work, options_from(given))))


def options_from(given: dict[str, Any]) -> DeployOptions:
    """The options that the flags of ``deploy``, by parameter name, ask for. Raises UsageError."""
    choose_topology(given["topology"], given["tree_fanout"])
    ssh = SshOptions(**asked(given), **_fields_of(SshOptions, given))
    lists = {name: tuple(given[name] or ()) for name in ("sources", "inventories", "extra_vars")}
    same = _fields_of(DeployOptions, given)
    return DeployOptions(**{**same, **lists, "ssh": ssh, "encrypt": not given["no_encrypt"]})


def _fields_of(options: type[DeployOptions | SshOptions], given: dict[str, Any]) -> dict[str, Any]:
    """The flags that are called like a field of ``options``."""
    return {field.name: given[field.name] for field in fields(options) if field.name in given}


async def execute(
    options: DeployOptions,
    observer: Observer,
    signals: Signals,
    *,
    state_dir: Path | None,
    warn: Callable[[str], None],
    retry_of: str | None = None,
) -> Conclusion:
    """Runs the deploy and records it. Raises FleetpushError when the run as a whole cannot be."""
    # They bring asyncssh and the inventory's readers, which --help can do without.
    from fleetpush.deploy.history.history import History  # noqa: PLC0415
    from fleetpush.deploy.history.recorder import recording  # noqa: PLC0415
    from fleetpush.deploy.runner import Run  # noqa: PLC0415

    history = History.open(state_dir)
    async with recording(history, options, observer, warn, retry_of=retry_of) as recorder:
        run = Run(options, recorder)
        signals.attach(run)
        report = await run.execute()
    return Conclusion(report, report.exit_code)
