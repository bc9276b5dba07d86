"""``fleetpush deploy``: push to the hosts, verify, activate."""

import asyncio
import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fleetpush.cli import flags, job_flags, run_flags
from fleetpush.cli.conduct import Signals, conduct, guarded
from fleetpush.cli.help_page import WHEN
from fleetpush.cli.job import Job
from fleetpush.cli.option import option
from fleetpush.cli.options import fields_of, options_from
from fleetpush.cli.output import Conclusion, Output
from fleetpush.cli.values import DEFAULT_PORTS
from fleetpush.deploy.options import DeployOptions
from fleetpush.deploy.progress import Observer

if TYPE_CHECKING:
    from fleetpush.deploy.preview import PreviewReport


Check = Annotated[
    bool,
    option(
        "-C",
        "--check",
        help="Change nothing; say what would be done on each host. Takes no lock, leaves no record.",
        rich_help_panel=WHEN,
    ),
]


def deploy(
    *,
    sources: flags.Sources,
    inventories: flags.Inventories,
    limit: flags.Limit = None,
    extra_vars: flags.ExtraVars = None,
    dest: flags.Dest = None,
    exclude: flags.Exclude = None,
    delete: flags.Delete = False,
    check: Check = False,
    release_dir: flags.ReleaseDir = None,
    keep_releases: flags.KeepReleases = 5,
    mode: flags.Mode = None,
    owner: flags.Owner = None,
    group: flags.Group = None,
    topology: flags.TopologyChoice = "auto",
    tree_fanout: flags.TreeFanout = None,
    discovery: flags.Discovery = "tracker",
    rack_by: flags.RackBy = None,
    chunk_size: flags.ChunkSize = None,
    bwlimit: flags.Bwlimit = None,
    host_bwlimit: flags.HostBwlimit = None,
    port_range: flags.PortRange = DEFAULT_PORTS,
    no_encrypt: flags.NoEncrypt = False,
    verify: flags.Verify = "chunks",
    checksum: flags.Checksum = False,
    reuse: flags.Reuse = None,
    no_reuse: flags.NoReuse = False,
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
    lock: job_flags.Lock = None,
    lock_wait: job_flags.LockWait = 0.0,
    splay: job_flags.Splay = 0.0,
    on_success: job_flags.OnSuccess = None,
    junit: job_flags.Junit = None,
    metrics: job_flags.Metrics = None,
    metrics_job: job_flags.MetricsJob = None,
    progress: flags.Progress = "auto",
    format: flags.Format = "text",
    color: flags.Color = "auto",
    log_file: flags.LogFile = None,
    state_dir: run_flags.StateDir = None,
    sign_key: run_flags.SignKey = None,
    receipt: run_flags.Receipt = None,
    verbose: flags.Verbose = 0,
) -> None:
    """Push files to every host of an inventory, verify them there, and activate them."""
    given = dict(locals())
    raise typer.Exit(_look(given) if check else _deploy(given))


def _look(given: dict[str, Any]) -> int:
    """What a deploy with these flags would do, host by host; the exit code."""
    output = Output(command="deploy", **fields_of(Output, given))

    def run() -> int:
        report = asyncio.run(_preview(options_from(given), output))
        from fleetpush.report.previewed import previewed  # noqa: PLC0415 - only one that has ended pays for it

        output.tell(report.as_json(), [*previewed(report)], report.exit_code)
        return report.exit_code

    return guarded(output, run)


async def _preview(options: DeployOptions, output: Output) -> "PreviewReport":
    from fleetpush.deploy.preview import Preview  # noqa: PLC0415 - brings asyncssh, which --help can do without

    signals = Signals()
    with signals.listening():
        work = Preview(options, output.warn)
        signals.attach(work)
        return await work.execute()


def _deploy(given: dict[str, Any]) -> int:
    """What the flags ``given`` ask for; the exit code."""
    output = Output(command="deploy", **fields_of(Output, given))
    job = Job.of(given)
    wanted = given["receipt"] is not None
    work = functools.partial(
        execute, state_dir=given["state_dir"], warn=output.warn, wants_receipt=wanted
    )
    return conduct(output, lambda: functools.partial(work, options_from(given)), job)


async def execute(
    options: DeployOptions,
    observer: Observer,
    signals: Signals,
    *,
    state_dir: Path | None,
    warn: Callable[[str], None],
    retry_of: str | None = None,
    wants_receipt: bool = False,
) -> Conclusion:
    """Runs the deploy and records it. Raises FleetpushError when the run as a whole cannot be.

    ``wants_receipt``: the conclusion has it.
    """
    # They bring asyncssh and the inventory's readers, which --help can do without.
    from fleetpush.deploy.history.recorder import history_or_none, remembering  # noqa: PLC0415
    from fleetpush.deploy.receipt.sealer import Sealer  # noqa: PLC0415 - as above
    from fleetpush.deploy.runner import Run  # noqa: PLC0415

    history = history_or_none(state_dir, warn)
    sealer = Sealer(options, history.state_dir if history else None)
    if wants_receipt:
        sealer.prepare()
    recorded = remembering(history, options, observer, warn, retry_of=retry_of, sealer=sealer)
    async with recorded as (recorder, memory):
        run = Run(options, recorder, memory=memory)
        signals.attach(run)
        report = await run.execute()
    receipt = sealer.seal(report) if wants_receipt else None
    return Conclusion(report, report.exit_code, receipt=receipt)
