"""Everything one deploy can be told: what the command line fills in."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003 - whoever asks for a field's type gets it
from typing import Literal

from fleetpush.remote.settings import SshSettings

SshOptions = SshSettings
Topology = Literal["auto", "mesh", "tree", "star"]


@dataclass(frozen=True, kw_only=True)
class DeployOptions:
    """One deploy. Sizes in bytes, rates in bytes a second, times in seconds."""

    sources: tuple[str, ...]
    inventories: tuple[str, ...]
    limit: str | None = None
    extra_vars: tuple[str, ...] = ()
    dest: str | None = None
    exclude: tuple[str, ...] = ()
    """Patterns of what is left out of directories (``swarm.exclude``)."""
    delete: bool = False
    """Removes from the hosts' directory what the source, one directory, lacks."""
    ssh: SshOptions = field(default_factory=SshOptions)
    topology: Topology = "auto"
    tree_fanout: int | None = None
    discovery: Literal["tracker", "gossip"] = "tracker"
    rack_by: str | None = None
    """Where ``fleetpush_rack`` says nothing: what racks' groups begin with, or ``subnet`` (``subnet/22``)."""
    chunk_size: int | None = None
    bwlimit: int | None = None
    host_bwlimit: int | None = None
    port_range: tuple[int, int] = (47600, 47699)
    encrypt: bool = True
    verify: Literal["chunks", "full"] = "chunks"
    activate: Literal["each", "together", "none"] = "each"
    release_dir: str | None = None
    keep_releases: int = 5
    mode: int | None = None
    owner: str | None = None
    group: str | None = None
    checksum: bool = False
    """Reads what is there even where an earlier run has verified it and nobody has touched it since."""
    reuse: tuple[str, ...] = ()
    """Files on the hosts that may hold some of the content, as templates like ``dest``."""
    no_reuse: bool = False
    """Looks at no older content on the hosts, the destination's included."""
    stall: float = 60.0
    deadline: float | None = None
    detach_grace: float = 0.0
    min_success: float | None = None
    expected: str | None = None
    """The manifest's digest in hex: any other content is refused before a host is told of it."""
    sign_key: Path | None = None
    """The private key that the receipt is signed with; None for the state directory's."""
    gather: bool = False
    """Nobody begins to trade before every host is ready or has failed."""
