"""``fleetpush simulate``: the shipped swarm code in virtual time."""

import typer

from fleetpush.cli import flags, scenario_flags
from fleetpush.cli.output import Output
from fleetpush.errors import UsageError


def simulate(
    *,
    hosts: scenario_flags.Hosts = 100,
    chunks: scenario_flags.Chunks = 250,
    blocks: scenario_flags.Blocks = None,
    chunk_size: scenario_flags.ChunkBlocks = None,
    seed: scenario_flags.Seed = 0,
    topology: scenario_flags.Topology = "mesh",
    discovery: scenario_flags.Discovery = "tracker",
    rate: scenario_flags.Rate = 125e6,
    origins: scenario_flags.Origins = 1,
    latency: scenario_flags.Latency = 0.0002,
    racks: scenario_flags.Racks = 1,
    oversubscription: scenario_flags.Oversubscription = 1.0,
    slow: scenario_flags.SlowHosts = None,
    deaths: scenario_flags.Deaths = 0.0,
    stagger: scenario_flags.Stagger = 0.0,
    loss: scenario_flags.Loss = 0.0,
    cpu_per_message: scenario_flags.CpuPerMessage = 0.0,
    slots: scenario_flags.Slots = None,
    credit: scenario_flags.Credit = None,
    degree: scenario_flags.Degree = None,
    plot: scenario_flags.Plot = None,
    format: flags.Format = "text",
    verbose: flags.Verbose = 0,
) -> None:
    """Play a deploy's exchange in virtual time: the very code that runs on the hosts."""
    # Only a simulation pays for what it needs; --help does not.
    from fleetpush.cli.simulation import conclude  # noqa: PLC0415
    from fleetpush.sim.scenario import Scenario  # noqa: PLC0415

    def scenario() -> Scenario:
        if blocks is not None and chunk_size is not None:
            raise UsageError("--blocks and --chunk-size say the same thing; give one of them")
        return Scenario(
            hosts=hosts,
            chunks=chunks,
            origins=origins,
            blocks=next((given for given in (blocks, chunk_size) if given is not None), 4),
            topology=topology,
            discovery=discovery,
            loss=loss,
            seed=seed,
            rate=rate,
            latency=latency,
            slow=slow.share if slow else 0.0,
            slowness=slow.factor if slow else 10.0,
            deaths=deaths,
            racks=racks,
            oversubscription=oversubscription,
            stagger=stagger,
            cpu_per_message=cpu_per_message,
            slots=slots,
            credit=credit,
            degree=degree,
        )

    output = Output(command="simulate", format=format, verbose=verbose)
    raise typer.Exit(conclude(output, scenario, plot))
