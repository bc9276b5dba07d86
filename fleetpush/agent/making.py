"""What an exchange is made of, as its configuration says."""

from __future__ import annotations

from fleetpush.agent.chance import Chance
from fleetpush.agent.store import HostStore
from fleetpush.lean.suppress import suppress
from fleetpush.swarm import bitfield
from fleetpush.swarm.hand_out import HandOut
from fleetpush.swarm.picker import Push, Rarest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from fleetpush.agent.place import Place
    from fleetpush.agent.source import SourceStore
    from fleetpush.net.loop import Loop
    from fleetpush.net.node import Node
    from fleetpush.net.talker import Talker
    from fleetpush.swarm.manifest import Manifest
    from fleetpush.swarm.peer import Peer
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


def open_source(manifest: Manifest, config: dict[str, Any]) -> SourceStore:
    """What an origin hands out: all of the content, or what it ``holds``. Raises SourceChanged."""
    from fleetpush.agent.leaves import KnownLeaves
    from fleetpush.agent.source import SourceStore

    holds, leaves, known = config["holds"], config["leaves"], None
    have = None if holds is None else bitfield.from_bytes(bytes.fromhex(holds), manifest.chunks)
    if leaves is not None:
        with suppress(OSError):  # another run has thrown them away: all is hashed
            known = KnownLeaves(manifest, **leaves)
    return SourceStore(manifest, config["paths"], have, known)


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


def make_talker(config: dict[str, Any], loop: Loop, node: Node, peer: Peer, place: str) -> Talker:
    """Who finds others by gossip. ``place``: where peers call."""
    # Only such a run's archive holds these.
    from fleetpush.net.talker import Talker
    from fleetpush.swarm.gossip import Gossip
    from fleetpush.swarm.seat import Seat

    told = {**config["gossip"], "seat": Seat(*config["seat"]), "chunks": peer.state.chunks}
    core = Gossip(config["me"], place, peer, Chance(), **told)
    return Talker(loop, node, core)
