"""What happens in a run, as events for whoever watches. Times (``at``) in seconds from the run's start."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from fleetpush.deploy.results import HostStatus, RunReport


class HostPhase(StrEnum):
    """Where a host is on its way. Order of declaration is the usual order of events."""

    WAITING = "waiting"
    CONNECTING = "connecting"
    BOOTSTRAPPING = "bootstrapping"
    SCANNING = "scanning"
    EXCHANGING = "exchanging"
    VERIFYING = "verifying"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class RunStarted:
    at: float
    run_id: str
    command: str
    hosts: tuple[str, ...]
    topology: str
    discovery: str
    encrypt: bool


@dataclass(frozen=True, slots=True)
class SourceHashing:
    """The source is being read. Bytes."""

    at: float
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class SourceReady:
    """The manifest is known. ``digest`` in hex, sizes in bytes; ``origin_rate_bound`` not yet."""

    at: float
    name: str
    digest: str
    size: int
    chunk_size: int
    chunks: int
    files: int


@dataclass(frozen=True, slots=True)
class HostPhaseChanged:
    at: float
    host: str
    phase: HostPhase


@dataclass(frozen=True, slots=True)
class HostProgress:
    """Bytes of content that ``host`` has verified on disk, and its rates in bytes a second.

    ``reason`` says in a few words what holds a slow host up ("one neighbour", "disk", "" if nothing known).
    ``bytes_reused``: content that it held from before, of chunks that are not whole yet, too.
    """

    at: float
    host: str
    bytes_done: int
    bytes_total: int
    rate_in: float
    rate_out: float
    reason: str = ""
    bytes_reused: int = 0


@dataclass(frozen=True, slots=True)
class HostFinished:
    """The host's last word. ``slug`` and ``message`` are empty unless it failed."""

    at: float
    host: str
    status: HostStatus
    slug: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class ActivationDecided:
    """``hosts`` verified, and are told to switch as soon as every observer has returned."""

    at: float
    hosts: tuple[str, ...]


Level = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the operator should know that belongs to no single result."""

    at: float
    level: Level
    message: str
    host: str | None = None


@dataclass(frozen=True, slots=True)
class RunFinished:
    at: float
    report: RunReport


Event = (
    RunStarted
    | SourceHashing
    | SourceReady
    | HostPhaseChanged
    | HostProgress
    | HostFinished
    | ActivationDecided
    | Notice
    | RunFinished
)


class Observer(Protocol):
    """Whoever watches a run. Called in the run's own event loop: return quickly, never raise."""

    def handle(self, event: Event) -> None: ...
