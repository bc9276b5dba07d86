"""Which plan ``--topology auto`` stands for: asked by ``deploy`` and by ``plan``, so that they agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fleetpush.errors import UsageError

if TYPE_CHECKING:
    from fleetpush.deploy.options import Topology

Plan = Literal["mesh", "tree", "star"]
PLANS: tuple[Plan, ...] = ("mesh", "tree", "star")


def choose_topology(wanted: Topology, tree_fanout: int | None, discovery: str = "tracker") -> Plan:
    """The plan that is meant: a mesh unless somebody says otherwise; a fan-out says tree.

    Raises UsageError for a fan-out of what is no tree, and for gossip in what is no mesh.
    """
    if discovery == "gossip" and (wanted not in ("auto", "mesh") or tree_fanout is not None):
        raise UsageError("--discovery gossip is for a mesh; a tree or a star needs the tracker")
    if wanted == "auto":
        return "mesh" if tree_fanout is None else "tree"
    if tree_fanout is not None and wanted != "tree":
        raise UsageError(f"--tree-fanout needs a tree; --topology says {wanted}")
    return wanted
