"""The vocabulary of the tracker: what happens to it (events) and what it asks for (effects)."""

from __future__ import annotations

from typing import NamedTuple, Union

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fleetpush.swarm.events import Edge


class Joined(NamedTuple):
    """``peer`` is ready to trade and holds ``have`` (a set of chunks) already."""

    peer: str
    rack: str
    have: int


class Left(NamedTuple):
    """``peer`` is gone."""

    peer: str


class DialFailed(NamedTuple):
    """``peer`` could not reach ``other``, or not any more."""

    peer: str
    other: str


class LinksCounted(NamedTuple):
    """``peer`` has ``links`` standing links."""

    peer: str
    links: int


class Finished(NamedTuple):
    """``peer`` has everything and has done all it was asked to: it stays only to serve others."""

    peer: str


class FellBehind(NamedTuple):
    """Neighbours that have a route from ``peer`` or to it do not keep up; what share of its due each takes or
    gives, 0 to 1. ``all``: it feeds them, and nobody else."""

    peer: str
    paces: dict[str, float]
    all: bool


class RelayFailed(NamedTuple):
    """No channel through SSH to ``peer`` either."""

    peer: str
    reason: str


SETTLED_AFTER = 0.1
"""Seconds without a newcomer."""


class Settled(NamedTuple):
    """Nobody has joined for ``SETTLED_AFTER``."""


class Tick(NamedTuple):
    """Time has passed; wanted about once a second."""


Event = Union[
    Joined, Left, DialFailed, LinksCounted, Finished, FellBehind, RelayFailed, Settled, Tick
]


class Introduce(NamedTuple):
    """Tell ``peer`` of its neighbour ``other``: to ``dial`` it or to await its call."""

    peer: str
    other: str
    edge: Edge
    dial: bool


class Part(NamedTuple):
    """Tell ``peer`` that ``other`` is its neighbour no more."""

    peer: str
    other: str


class Relay(NamedTuple):
    """Open a channel through SSH from the origin to ``peer``."""

    peer: str
    edge: Edge


class TellHeld(NamedTuple):
    """Tell the origins which chunks some host holds already."""

    mask: int


class HandOver(NamedTuple):
    """Tell the origin ``peer`` to hand out what another one, which is gone, would have."""

    peer: str
    mask: int


class Release(NamedTuple):
    """``peer`` is of no more use to anybody: it may leave now."""

    peer: str


class Isolated(NamedTuple):
    """Nobody who has the content reaches ``peer``: it fails, by name."""

    peer: str
    reason: str


Effect = Union[Introduce, Part, Relay, TellHeld, HandOver, Release, Isolated]
