"""The least time that the scenario's physics allows, whatever the protocol."""

from __future__ import annotations

from math import ceil, log2
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fleetpush.sim.scenario import HostDraw, Scenario


def bound_ratio(scenario: Scenario, drawn: list[HostDraw], began_at: float) -> float:
    """The bound over F/B, the largest of:

    - the broadcast of K blocks where each sends one at a time: K - 1 + ceil(log2(N + 1)) block times
      (the origin's last block leaves it K - 1 block times after the first and is then at most doubled a
      block time). Blocks, not chunks: a block is passed on as soon as it is there. Of several origins each
      sends a part of them, but nobody receives all of them in less than K block times;
    - what the uplinks together can send to all that live: N / (the origins + the sum of their rates over B);
    - a host's own downlink, from when it arrived (``began_at``: when the first byte was sent);
    - a rack's link.
    """
    living = [host for host in drawn if host.dies_at is None]
    blocks = scenario.chunks * scenario.blocks
    sent = ceil(blocks / scenario.origins)
    least = max(1.0, (sent - 1 + ceil(log2(len(living) / scenario.origins + 1))) / blocks)
    uplinks = scenario.origins + sum(1 / host.slowness for host in drawn)
    late = max(
        max(0.0, host.arrives_at - began_at) / scenario.copy_time + host.slowness for host in living
    )
    bounds = [least, len(living) / uplinks, late]
    if scenario.racks > 1:
        bounds.append(scenario.oversubscription * scenario.racks / scenario.hosts)
    return max(bounds)
