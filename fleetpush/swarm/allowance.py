"""How much gossip is listened to: each message takes time that all neighbours share."""

from __future__ import annotations

from fleetpush.errors import RemoteProtocolError

BURST, PER_S = 600, 20
"""Messages of one peer at once, and in the long run. One with a single link says at most three in a period of
0.2 s. What it said in up to a minute may come at once: where this process stood still, or the way between
them did; after 15 s of silence links are given up."""


class Allowance:
    """Of each peer, whatever link it comes by: a new link is no new allowance."""

    def __init__(self) -> None:
        self._left: dict[str, tuple[float, float]] = {}
        """By peer: how many messages, and when that was so."""

    def left(self, peer: str, now: float) -> float:
        left, at = self._left.get(peer, (BURST, now))
        return min(BURST, left + PER_S * (now - at))

    def spend(self, peer: str, now: float) -> None:
        """A message of ``peer`` came. Raises RemoteProtocolError if that is one too many."""
        left = self.left(peer, now) - 1
        if left < 0:
            raise RemoteProtocolError("floods of gossip, far more than anybody has to say")
        self._left[peer] = left, now
