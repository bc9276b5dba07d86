"""What happens while playbooks are run, as events for whoever watches. ``at`` in seconds from its start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from fleetpush.deploy.progress import Notice

if TYPE_CHECKING:
    from fleetpush.deploy.play.performer import Status
    from fleetpush.deploy.play.report import PlayReport


@dataclass(frozen=True, slots=True)
class PlaybooksStarted:
    """``hosts``: how many are in any of the plays."""

    at: float
    run_id: str
    playbooks: tuple[str, ...]
    hosts: int
    check: bool


@dataclass(frozen=True, slots=True)
class PlayStarted:
    """``batches``: the number of hosts in each."""

    at: float
    play: str
    where: str
    hosts: tuple[str, ...]
    batches: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BatchStarted:
    """``number`` counts from 1; ``hosts`` are those that are still with us."""

    at: float
    play: str
    number: int
    of: int
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TaskStarted:
    """``task`` is its name, or its action where it has none. ``hosts``: who is asked to do it."""

    at: float
    task: str
    action: str
    where: str
    handler: bool
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TaskRetried:
    """``attempt`` of ``of`` did not do on ``hosts``; another one follows after the task's delay."""

    at: float
    task: str
    hosts: tuple[str, ...]
    attempt: int
    of: int


@dataclass(frozen=True, slots=True)
class TaskResult:
    """One host's result. ``slug`` and ``message`` are empty unless it failed; ``ignored``: and goes on."""

    at: float
    task: str
    host: str
    status: Status
    slug: str = ""
    message: str = ""
    ignored: bool = False


@dataclass(frozen=True, slots=True)
class TaskFinished:
    """Every host that was asked has its result."""

    at: float
    task: str


@dataclass(frozen=True, slots=True)
class PlayStopped:
    """A rule ended the roll-out. ``untouched``: hosts for which nothing was done because of it."""

    at: float
    play: str
    reason: str
    message: str
    untouched: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlayFinished:
    at: float
    play: str


@dataclass(frozen=True, slots=True)
class PlaybooksFinished:
    at: float
    report: PlayReport


PlayEvent = (
    PlaybooksStarted
    | PlayStarted
    | BatchStarted
    | TaskStarted
    | TaskRetried
    | TaskResult
    | TaskFinished
    | PlayStopped
    | PlayFinished
    | PlaybooksFinished
    | Notice
)


class PlayObserver(Protocol):
    """Whoever watches playbooks. Called in the run's own event loop: return quickly, never raise."""

    def handle(self, event: PlayEvent) -> None: ...
