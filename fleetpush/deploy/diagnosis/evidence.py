"""What was measured of a run that bears on where its time went. Times in seconds from the run's start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fleetpush.deploy.said import Spent


@dataclass(frozen=True, slots=True)
class Passage:
    """One host on its way to its proof; None for what was not seen of it.

    ``calling``: its turn to connect; ``greeted``: its agent was up; ``ready``: it knew what it had;
    ``joined``: it was let into the exchange; ``complete``: it had every block. ``lacked`` bytes.
    """

    name: str
    rack: str
    verified: float
    lacked: int
    calling: float | None = None
    connected: float | None = None
    greeted: float | None = None
    ready: float | None = None
    joined: float | None = None
    complete: float | None = None
    pause: float = 0.0
    """The longest time without a new byte, once the first was there."""
    over_ssh: str = ""
    spent: Spent | None = None

    def rate(self, began: float) -> float | None:
        """Bytes a second while it was in the exchange, which ``began`` then, and lacked some; None where that
        was not to be seen."""
        if self.complete is None or self.joined is None or not self.lacked:
            return None
        seconds = self.complete - max(began, self.joined)
        return self.lacked / seconds if seconds > 0 else None


@dataclass(frozen=True, slots=True)
class Sender:
    """All origins as one. ``sent`` bytes of content; ``whole_at``: when those were one copy."""

    sent: int = 0
    whole_at: float | None = None
    last_at: float = 0.0
    """When it last sent any."""
    spent: Spent | None = None
    """Of the one with the least to spare."""
    hosts: tuple[str, ...] = ()
    """None: it is this machine."""
    bwlimit: int | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """``began``: the first block was sent. ``passages``: of the hosts that got the content in this run."""

    began: float
    makespan: float
    bound: float
    size: int
    passages: tuple[Passage, ...]
    sender: Sender = Sender()
    quiet_from: float = 0.0
    quiet: float = 0.0
    """The longest time in which no host got a byte, and when that began; 0 for none that is certain."""

    @property
    def lost(self) -> float:
        """Seconds beyond the bound."""
        return self.makespan - self.bound
