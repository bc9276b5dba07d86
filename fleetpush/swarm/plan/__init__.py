"""Who talks to whom: one page for each topology.

A plan is told who joins, who leaves and which pairs cannot reach each other, and keeps ``links`` as they
should be now. It never sees a chunk.
"""

from __future__ import annotations

from typing import NamedTuple

from fleetpush.swarm.plan.mesh import Mesh
from fleetpush.swarm.plan.star import Star
from fleetpush.swarm.plan.tree import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from fleetpush.swarm.picker import Rng
    from fleetpush.swarm.plan.link import Links

    class Plan(Protocol):
        """``adopt`` joins a host to an origin whatever the topology would say; ``finished`` names those that
        nobody needs any more; ``behind`` hears what ``tracker.FellBehind`` says."""

        links: Links

        def join(self, peer: str, rack: str) -> None: ...

        def leave(self, peer: str) -> None: ...

        def unreachable(self, one: str, other: str) -> None: ...

        def settle(self) -> None: ...

        def tick(self) -> None: ...

        def finished(self, peer: str) -> list[str]: ...

        def behind(self, peer: str, paces: dict[str, float], *, all: bool) -> None: ...

        def adopt(self, peer: str, origin: str) -> None: ...


class Shape(NamedTuple):
    """What the peers need to know of the plan: how they pick and how many transfers at once."""

    push: bool
    """Parents push in order (tree, star), instead of rarest first (mesh)."""
    frugal_origin: bool
    slots: int
    """u: uploads offered or under way at once."""
    credit: int
    """R: chunks coming in at once."""
    bundle: int
    """Chunks that go to one neighbour at a time."""


BUNDLE = 192 * 1024
"""Bytes in flight to one neighbour below which a chunk costs more in messages than in moving."""


def shape_of(topology: str, chunk_size: int) -> Shape:
    """How peers behave in ``topology`` (mesh, tree or star) with chunks of ``chunk_size`` bytes."""
    bundle = max(1, BUNDLE // chunk_size)
    if topology == "mesh":
        return Shape(False, True, slots=2 * bundle, credit=4 * bundle, bundle=bundle)
    # What a parent sends comes from nobody else: it alone knows how much has to be on the way.
    return Shape(True, False, slots=2 * bundle, credit=16 * bundle, bundle=bundle)


def plan_for(
    topology: str,
    origin: str,
    rng: Rng,
    *others: str,
    chunks: int = 1000,
    fanout: int | None = None,
    degree: int | None = None,
) -> Plan:
    """The plan for ``topology`` and so many ``chunks``; ``fanout`` asks for the plain N-ary tree, ``degree``
    for so many neighbours in a mesh. Only a mesh has ``others`` that are origins, too."""
    if topology == "star":
        return Star(origin)
    if topology == "tree":
        return Tree(origin, stripes=1, fanout=fanout) if fanout else Tree(origin)
    return Mesh((origin, *others), rng, chunks, degree)
