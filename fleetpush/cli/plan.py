"""``fleetpush plan``: what a deploy would do and how long it must take. Connects to nobody."""

from typing import Annotated, Any

import typer

from fleetpush.cli import flags, values
from fleetpush.cli.conduct import guarded
from fleetpush.cli.help_page import RATES
from fleetpush.cli.option import option, parsed
from fleetpush.cli.output import Output
from fleetpush.deploy.options import DeployOptions, SshOptions
from fleetpush.deploy.planning.network import GivenRates


def _rate(flag: str, text: str) -> Any:  # noqa: ANN401 - Typer's own signature
    parser = parsed(values.link_rate)
    return option(flag, metavar="R", parser=parser, help=text, rich_help_panel=RATES)


OriginUplink = Annotated[
    int | None, _rate("--origin-uplink", "What this machine can send, such as 10Gbit or 1.25GB/s.")
]
Uplink = Annotated[int | None, _rate("--uplink", "What every host can send: fleetpush_uplink.")]
Downlink = Annotated[
    int | None, _rate("--downlink", "What every host can receive: fleetpush_downlink.")
]
Disk = Annotated[int | None, _rate("--disk", "What every host can write: fleetpush_disk.")]
RackUplink = Annotated[
    int | None, _rate("--rack-uplink", "Between each rack and the rest, each way.")
]
Cpu = Annotated[
    int | None,
    option(
        "--cpu",
        metavar="R",
        parser=parsed(lambda text: values.rate(text) or 0),
        help="What one agent can move; 0 leaves it out. Default: measured on this machine.",
        rich_help_panel=RATES,
    ),
]


def plan(
    *,
    sources: flags.Sources,
    inventories: flags.Inventories,
    limit: flags.Limit = None,
    extra_vars: flags.ExtraVars = None,
    dest: flags.Dest = None,
    exclude: flags.Exclude = None,
    topology: flags.TopologyChoice = "auto",
    tree_fanout: flags.TreeFanout = None,
    discovery: flags.Discovery = "tracker",
    rack_by: flags.RackBy = None,
    chunk_size: flags.ChunkSize = None,
    bwlimit: flags.Bwlimit = None,
    host_bwlimit: flags.HostBwlimit = None,
    no_encrypt: flags.NoEncrypt = False,
    origin_uplink: OriginUplink = None,
    uplink: Uplink = None,
    downlink: Downlink = None,
    disk: Disk = None,
    rack_uplink: RackUplink = None,
    cpu: Cpu = None,
    user: flags.User = None,
    forks: flags.Forks = 128,
    connection: flags.ConnectionPlugin = None,
    format: flags.Format = "text",
    color: flags.Color = "auto",
    verbose: flags.Verbose = 0,
) -> None:
    """Say what a deploy would do: topology, chunks, bound and its reason, predicted makespan.

    Nothing is changed and nobody is connected to. Rates come from fleetpush_uplink, fleetpush_downlink and
    fleetpush_disk, or from flags, which beat them; racks from fleetpush_rack, or as --rack-by says.
    """
    options = DeployOptions(
        sources=tuple(sources),
        inventories=tuple(inventories),
        limit=limit,
        extra_vars=tuple(extra_vars or ()),
        dest=dest,
        exclude=tuple(exclude or ()),
        topology=topology,
        tree_fanout=tree_fanout,
        discovery=discovery,
        rack_by=rack_by,
        chunk_size=chunk_size,
        bwlimit=bwlimit,
        host_bwlimit=host_bwlimit,
        encrypt=not no_encrypt,
        ssh=SshOptions(user=user, forks=forks, connection=connection),
    )
    given = GivenRates(
        origin_uplink=origin_uplink,
        uplink=uplink,
        downlink=downlink,
        disk=disk,
        rack_uplink=rack_uplink,
    )
    output = Output(command="plan", format=format, color=color, verbose=verbose)
    raise typer.Exit(guarded(output, lambda: _tell(options, given, cpu, output)))


def _tell(options: DeployOptions, given: GivenRates, cpu: int | None, output: Output) -> int:
    # They bring cryptography and jinja2, which --help can do without.
    from fleetpush.deploy.planning.document import document  # noqa: PLC0415
    from fleetpush.deploy.planning.plan import make_plan  # noqa: PLC0415
    from fleetpush.report.planned import planned  # noqa: PLC0415

    found = make_plan(options, given, cpu, output.warn)
    output.tell(document(found), planned(found), 0)
    return 0
