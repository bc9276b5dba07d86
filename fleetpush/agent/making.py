"""What an exchange is made of, as its configuration says."""

from __future__ import annotations

from fleetpush.agent.store import HostStore
from fleetpush.swarm import bitfield
from fleetpush.swarm.picker import HandOut, Push, Rarest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from fleetpush.agent.place import Place
    from fleetpush.agent.source import SourceStore
    from fleetpush.swarm.manifest import Manifest
    from fleetpush.swarm.picker import Policy


def make_store(manifest: Manifest, config: dict[str, Any], place: Place) -> HostStore:
    """Where a host keeps the content."""
    full = config["verify_full"]
    known = {int(index): note for index, note in config["known"].items()}
    if manifest.tree is not None:
        from fleetpush.agent.tree.store import TreeStore

        delete = config["delete"]
        return TreeStore(manifest, place, verify_full=full, known=known, delete=delete)
    return HostStore(manifest, place, verify_full=full, known=known)


def open_source(manifest: Manifest, config: dict[str, Any]) -> SourceStore:
    """What an origin hands out: all of the content, or what it ``holds``. Raises SourceChanged."""
    from fleetpush.agent.source import SourceStore

    holds = config["holds"]
    have = None if holds is None else bitfield.from_bytes(bytes.fromhex(holds), manifest.chunks)
    return SourceStore(manifest, config["paths"], have)


def policy_of(config: dict[str, Any], chunks: int) -> Policy:
    """Which chunk goes next."""
    shape = config["shape"]
    if shape["push"]:
        return Push()
    if config["role"] == "origin" and shape["frugal_origin"]:
        share = config["share"]
        return HandOut(
            chunks, None if share is None else bitfield.from_bytes(bytes.fromhex(share), chunks)
        )
    return Rarest()
