"""What crosses between racks: by a plan that does not know of them, and by one that does."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from fleetpush.deploy.planning.bound import Content
    from fleetpush.deploy.planning.network import Network


class Crossing(NamedTuple):
    """Copies that cross from rack to rack, and the seconds of the busiest rack's uplink (None: unknown).

    ``blind``: every host fetches from any other alike. ``aware``: each rack fetches one copy.
    """

    racks: int
    blind_copies: float
    aware_copies: int
    blind_s: float | None
    aware_s: float | None


def crossing(network: Network, content: Content) -> Crossing:
    """With R racks of equal size a blind plan moves (1 - 1/R) * N copies across, an aware one R - 1."""
    total = len(network.hosts)
    outside = [len(members) * (1 - len(members) / total) for members in network.racks().values()]
    blind_s = aware_s = None
    if network.rack_uplink is not None and total:
        aware_s = content.size / network.rack_uplink.value
        # The content came from the origin, so at least once through every rack's uplink.
        blind_s = aware_s * max(1.0, *outside)
    return Crossing(len(outside), sum(outside), max(0, len(outside) - 1), blind_s, aware_s)
