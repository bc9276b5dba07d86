"""What an exchange is made of, as its configuration says."""

from __future__ import annotations

from fleetpush.agent.store import HostStore
from fleetpush.swarm.picker import HandOut, Push, Rarest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from fleetpush.agent.place import Place
    from fleetpush.swarm.manifest import Manifest
    from fleetpush.swarm.picker import Policy


def make_store(
    manifest: Manifest, config: dict[str, Any], place: Place, previous: str
) -> HostStore:
    """Where a host keeps the content. ``previous``: the directory with what it replaces, "" if that is at
    the destination."""
    reuse = config["reuse"] and {**config["reuse"], "previous": previous}
    full = config["verify_full"]
    known = {int(index): note for index, note in config["known"].items()}
    if manifest.tree is not None:
        from fleetpush.agent.tree.store import TreeStore

        delete = config["delete"]
        return TreeStore(manifest, place, verify_full=full, known=known, reuse=reuse, delete=delete)
    return HostStore(manifest, place, verify_full=full, known=known, reuse=reuse)


def policy_of(config: dict[str, Any], chunks: int) -> Policy:
    """Which chunk goes next."""
    shape = config["shape"]
    if shape["push"]:
        return Push()
    if config["role"] == "origin" and shape["frugal_origin"]:
        return HandOut(chunks)
    return Rarest()
