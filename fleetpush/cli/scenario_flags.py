"""The flags of ``simulate``: a fleet, its network, what goes wrong, and the protocol's knobs."""

import re
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from fleetpush.cli import values
from fleetpush.cli.help_page import HOW, SHOWN, WHAT
from fleetpush.cli.option import option, parsed
from fleetpush.swarm.manifest import BLOCK
from fleetpush.swarm.plan import BUNDLE

NETWORK = "The network"
TROUBLE = "What goes wrong"
KNOBS = "The protocol's knobs"


class Slow(NamedTuple):
    """A share of the hosts (0 to 1), and how many times slower it is."""

    share: float
    factor: float


def slow(text: str) -> Slow:
    """``5%:10``. Raises ValueError."""
    share, colon, factor = text.strip().partition(":")
    if not colon or not re.fullmatch(r"\d+(?:\.\d+)?", factor) or float(factor) < 1:
        raise ValueError(f"{text!r} is not a share and how many times slower; write 5%:10")
    return Slow(values.percentage(share) / 100, float(factor))


def share(text: str) -> float:
    """``2%`` as 0.02. Raises ValueError."""
    return values.percentage(text) / 100


def blocks(text: str) -> int:
    """A chunk size in blocks. Raises ValueError."""
    return values.chunk_size(text) // BLOCK


Hosts = Annotated[int, option("--hosts", metavar="N", help="Default: 100.", rich_help_panel=WHAT)]
Chunks = Annotated[int, option("--chunks", metavar="K", help="Default: 250.", rich_help_panel=WHAT)]
Blocks = Annotated[
    int | None,
    option(
        "--blocks",
        metavar="N",
        help="Blocks of 64 KiB in a chunk. Default: 4.",
        rich_help_panel=WHAT,
    ),
]
ChunkBlocks = Annotated[
    int | None,
    option(
        "--chunk-size",
        metavar="S",
        parser=parsed(blocks),
        help="Instead of --blocks: 256K.",
        rich_help_panel=WHAT,
    ),
]
Seed = Annotated[
    int,
    option(
        "--seed", metavar="S", help="The same seed, the same run. Default: 0.", rich_help_panel=WHAT
    ),
]
Topology = Annotated[
    Literal["mesh", "tree", "star"],
    option("--topology", help="Who sends to whom. Default: mesh.", rich_help_panel=HOW),
]
Discovery = Annotated[
    Literal["tracker", "gossip"],
    option("--discovery", help="How peers find each other. Default: tracker.", rich_help_panel=HOW),
]
Origins = Annotated[
    int,
    option(
        "--origins",
        metavar="N",
        help="Machines that have the content from the start, up to 10. Default: 1.",
        rich_help_panel=NETWORK,
    ),
]
Rate = Annotated[
    float,
    option(
        "--rate",
        metavar="R",
        parser=parsed(values.link_rate),
        help="What each host sends and receives at once: 1Gbit (default), 125MB.",
        rich_help_panel=NETWORK,
    ),
]
Latency = Annotated[
    float,
    option(
        "--latency",
        metavar="T",
        parser=parsed(values.duration),
        help="Of a hop, one way; three hops lead from rack to rack. Default: 0.2ms.",
        rich_help_panel=NETWORK,
    ),
]
Racks = Annotated[
    int,
    option(
        "--racks", metavar="R", help="Hosts stand in R racks. Default: 1.", rich_help_panel=NETWORK
    ),
]
Oversubscription = Annotated[
    float,
    option(
        "--oversubscription",
        metavar="X",
        help="The rates of a rack's hosts together, over that of the rack's link. Default: 1.",
        rich_help_panel=NETWORK,
    ),
]
SlowHosts = Annotated[
    Slow | None,
    option(
        "--slow",
        metavar="P:X",
        parser=parsed(slow),
        help="So many hosts are so many times slower, such as 5%:10.",
        rich_help_panel=TROUBLE,
    ),
]
Deaths = Annotated[
    float,
    option(
        "--deaths",
        metavar="P",
        parser=parsed(share),
        help="So many hosts die, at random moments of F/B after their arrival: 2%.",
        rich_help_panel=TROUBLE,
    ),
]
Stagger = Annotated[
    float,
    option(
        "--stagger",
        metavar="T",
        parser=parsed(values.duration),
        help="Hosts arrive at random moments of so long. Default: 0.",
        rich_help_panel=TROUBLE,
    ),
]
Loss = Annotated[
    float,
    option(
        "--loss",
        metavar="P",
        parser=parsed(share),
        help="So many of the gossip messages get lost: 5%.",
        rich_help_panel=TROUBLE,
    ),
]
CpuPerMessage = Annotated[
    float,
    option(
        "--cpu-per-message",
        metavar="T",
        parser=parsed(values.duration),
        help="What a host takes to handle a frame or a block, such as 0.02ms. Default: 0.",
        rich_help_panel=TROUBLE,
    ),
]
Slots = Annotated[
    int | None,
    option(
        "--slots",
        metavar="U",
        help=f"Uploads offered or under way at once, at first, in bundles of {BUNDLE // 1024} KiB.",
        rich_help_panel=KNOBS,
    ),
]
Credit = Annotated[
    int | None,
    option(
        "--credit",
        metavar="R",
        help=f"Chunks coming in at once, at first, in bundles of {BUNDLE // 1024} KiB.",
        rich_help_panel=KNOBS,
    ),
]
Degree = Annotated[
    int | None,
    option("--degree", metavar="D", help="Neighbours in a mesh.", rich_help_panel=KNOBS),
]
Plot = Annotated[
    Path | None,
    option(
        "--plot",
        metavar="FILE",
        help="Write completion over time as an SVG picture.",
        rich_help_panel=SHOWN,
    ),
]
