"""Where a peer sits, and what may flow to it for that.

Chunks fall into ``CLASSES`` classes (chunk modulo ``CLASSES``). Each rack's hosts share these among them, so
that every chunk comes into the rack once, to its *importer*.
"""

from __future__ import annotations

from fleetpush.record import Record
from fleetpush.swarm.events import Edge

CLASSES = 120
"""More than most racks have hosts, with many divisors: shares are then alike. In a bigger rack some classes
come in twice."""


class Seat(Record):
    """The ``place`` of ``of`` in ``rack``, which has a number; 0 for whoever is in none."""

    __slots__ = ("rack", "place", "of")

    def __init__(self, rack: int = 0, place: int = 0, of: int = 1) -> None:
        self.rack = rack
        self.place = place
        self.of = of


NOWHERE = Seat()


def share(place: int, of: int) -> tuple[int, ...]:
    """The classes that the ``place``-th of ``of`` hosts imports into their rack."""
    return tuple(range(place % CLASSES, CLASSES, of)) or (place % CLASSES,)


def flow(mine: Seat, theirs: Seat, *, hungry: bool) -> Edge:
    """What may go to a neighbour. ``hungry``: its rack lacks what nobody brings, so let it import all."""
    if mine.rack == theirs.rack:
        return Edge()
    if not (mine.rack and theirs.rack):
        return Edge(local=False)
    if hungry:
        return Edge(local=False, imports=True)
    return Edge(share(theirs.place, theirs.of), CLASSES, local=False, imports=True)
