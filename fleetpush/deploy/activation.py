"""When hosts switch to what they verified: each by itself, or (``together``) none before enough have it.

Together, every host switches or none does: the decision falls once, when the threshold is reached, and is
told to whoever records the run before the first host hears of it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from fleetpush.deploy.member import Member
    from fleetpush.deploy.options import DeployOptions


class Activation:
    """``decided`` gets the hosts that are about to switch; times in seconds from the run's start."""

    def __init__(self, options: DeployOptions, decided: Callable[[Sequence[str]], None]) -> None:
        self.held_back = ""
        """Why no host was switched although some could have been."""
        self._together = options.activate == "together"
        self._share = 100.0 if options.min_success is None else options.min_success
        self._tell_decided = decided
        self._members: list[Member] = []
        self._waiting: list[Member] = []
        self._told: list[Member] = []
        self._decided_at: float | None = None
        self._last_at: float | None = None

    def expect(self, members: Iterable[Member]) -> None:
        """The run's hosts."""
        self._members = list(members)

    @property
    def spread(self) -> float | None:
        """Seconds from the first command to the last acknowledgement, on this machine's clock."""
        if self._decided_at is None or self._last_at is None:
            return None
        return self._last_at - self._decided_at

    @property
    def settled(self) -> bool:
        """Every host that was told to switch has: nobody will want to go back."""
        return bool(self._told) and all(member.activated for member in self._told)

    def verified(self, member: Member, at: float) -> None:
        """``member`` could switch."""
        member.waits = True
        self._waiting.append(member)
        self._look(at)

    def switched(self, at: float) -> None:
        """A host says that it has switched."""
        if self._together:
            self._last_at = at

    def lost(self, at: float) -> None:
        """A host failed, or is gone."""
        self._waiting = [m for m in self._waiting if not m.settled.is_set()]
        self._look(at)

    def _look(self, at: float) -> None:
        if not self._together or not self._waiting:
            return
        needed = math.ceil(self._share / 100 * len(self._members) - 1e-9)
        if self._decided_at is not None or len(self._waiting) >= needed:
            self._switch(at)
        elif sum(not m.settled.is_set() for m in self._members) < needed:
            self._hold_back(needed)

    def _switch(self, at: float) -> None:
        waiting, self._waiting = self._waiting, []
        self._tell_decided([member.name for member in waiting])
        if self._decided_at is None:
            self._decided_at = at
        self._told += waiting
        for member in waiting:
            member.waits = False
            member.channel.say({"do": "activate"})

    def _hold_back(self, needed: int) -> None:
        """Too many have failed: those that verified stay as they are."""
        waiting, self._waiting = self._waiting, []
        total = len(self._members)
        self.held_back = (
            f"no host was switched: {needed} of {total} had to verify first (--min-success), "
            f"and only {sum(m.failure is None for m in self._members)} still could"
        )
        for member in waiting:
            member.waits = False
            member.succeed()
