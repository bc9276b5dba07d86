"""When who is ready joins the exchange: at once, or (``--gather``) all together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleetpush.deploy.member import Member


class Admission:
    """Of ``everyone``, the origin included. ``gather`` holds all back until nobody is awaited any more, so
    that the makespan has no bootstrap in it: a host that is ready or has failed is not awaited."""

    def __init__(self, everyone: Sequence[Member], *, gather: bool) -> None:
        self._awaited = {member.peer for member in everyone} if gather else set()
        self._held: list[Member] = []

    def holds(self, member: Member) -> bool:
        """``member`` is ready and waits for others: not its fault that it gets nowhere."""
        return member in self._held

    def ready(self, member: Member) -> list[Member]:
        """``member`` is ready. Returns who joins now, in the order in which they became ready."""
        self._awaited.discard(member.peer)
        self._held.append(member)
        return self._admit()

    def lost(self, member: Member) -> list[Member]:
        """``member`` failed or is gone. Returns who joins now."""
        self._awaited.discard(member.peer)
        if member in self._held:
            self._held.remove(member)
        return self._admit()

    def _admit(self) -> list[Member]:
        if self._awaited:
            return []
        admitted, self._held = self._held, []
        return admitted
