"""How a run went: when each host was in which phase, how its bytes grew, what held it up.

Folded from events in constant time each and bounded, whatever the run's length. Times in seconds from
the run's start, sizes in bytes.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from fleetpush.deploy.history.series import Series
from fleetpush.deploy.progress import (
    ActivationDecided,
    HostFinished,
    HostPhase,
    HostPhaseChanged,
    HostProgress,
    Notice,
    RunFinished,
    RunStarted,
    SourceHashing,
    SourceReady,
)
from fleetpush.deploy.results import HostStatus

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from fleetpush.deploy.progress import Event

HOST_POINTS = 120
ALL_POINTS = 200
NOTICES = 500
"""Kept at most; what comes later is counted."""

REASONS = 8
"""Different reasons that are kept of one host."""


@dataclass(slots=True)
class HostCourse:
    """One host. ``phases``: when it entered each. ``reasons``: seconds that each held it up."""

    name: str
    phases: list[tuple[float, HostPhase]] = field(default_factory=list)
    done: Series = field(default_factory=lambda: Series(HOST_POINTS))
    bytes_done: int = 0
    reasons: dict[str, float] = field(default_factory=dict)
    pause: float = 0.0
    """The longest time in which it received and had no new byte, and when that began."""
    paused_at: float = 0.0
    status: HostStatus | None = None
    slug: str = ""
    message: str = ""
    ended: float | None = None
    _heard: float = 0.0
    _moved: float | None = None

    def enter(self, at: float, phase: HostPhase) -> None:
        self._rest(at)
        self.phases.append((at, phase))
        self._heard = at
        self._moved = at if phase is HostPhase.EXCHANGING else None

    def progress(self, at: float, done: int, reason: str) -> None:
        self.done.add(at, done)
        if reason and (reason in self.reasons or len(self.reasons) < REASONS):
            self.reasons[reason] = self.reasons.get(reason, 0.0) + at - self._heard
        self._heard = at
        if done > self.bytes_done:
            self._rest(at)
            self._moved = at
        self.bytes_done = done

    def finish(self, event: HostFinished) -> None:
        self._rest(event.at)
        self.status, self.ended = event.status, event.at
        self.slug, self.message = event.slug, event.message

    def _rest(self, at: float) -> None:
        if self._moved is not None and at - self._moved > self.pause:
            self.pause, self.paused_at = at - self._moved, self._moved

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "phases": [[round(at, 3), phase.value] for at, phase in self.phases],
            "done": self.done.as_json(),
            "reasons": {reason: round(seconds, 2) for reason, seconds in self.reasons.items()},
            "pause": [round(self.paused_at, 2), round(self.pause, 2)],
            "status": self.status.value if self.status else None,
            "slug": self.slug,
            "message": self.message,
            "ended": None if self.ended is None else round(self.ended, 3),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> HostCourse:
        done = Series.from_json(document["done"], HOST_POINTS)
        points = done.points()
        return cls(
            name=document["name"],
            phases=[(at, HostPhase(phase)) for at, phase in document["phases"]],
            done=done,
            bytes_done=int(points[-1][1]) if points else 0,
            reasons=document["reasons"],
            pause=document["pause"][1],
            paused_at=document["pause"][0],
            status=HostStatus(document["status"]) if document["status"] else None,
            slug=document["slug"],
            message=document["message"],
            ended=document["ended"],
        )


@dataclass(slots=True)
class Course:
    """The whole run. ``done``: verified bytes on all hosts, what lost ones had had included."""

    started: RunStarted | None = None
    source: SourceReady | None = None
    hosts: dict[str, HostCourse] = field(default_factory=dict)
    done: Series = field(default_factory=lambda: Series(ALL_POINTS))
    bytes_done: int = 0
    notices: list[Notice] = field(default_factory=list)
    notices_dropped: int = 0
    hashed: tuple[float, float] | None = None
    """When the source began to be read, and when it had been."""
    at: float = 0.0

    def fold(self, event: Event) -> None:
        """Takes one event, in the order they happened; those about strangers are left out."""
        self.at = max(self.at, event.at)
        match event:
            case HostProgress():
                self._progress(event)
            case HostPhaseChanged():
                self._open(event.host).enter(event.at, event.phase)
            case HostFinished():
                self._open(event.host).finish(event)
            case RunStarted():
                self.started = event
                self.hosts = {name: HostCourse(name) for name in event.hosts}
            case SourceHashing():
                self.hashed = (self.hashed[0] if self.hashed else event.at), event.at
            case SourceReady():
                self.source = event
            case Notice():
                self._notice(event)
            case ActivationDecided() | RunFinished():
                pass

    def _open(self, name: str) -> HostCourse:
        """The host; one that nobody keeps if it is a stranger or has had its last word."""
        host = self.hosts.get(name)
        return host if host is not None and host.status is None else HostCourse(name)

    def _progress(self, event: HostProgress) -> None:
        host = self.hosts.get(event.host)
        if host is None or host.status is not None:
            return
        self.bytes_done += event.bytes_done - host.bytes_done
        self.done.add(event.at, self.bytes_done)
        host.progress(event.at, event.bytes_done, event.reason)

    def _notice(self, event: Notice) -> None:
        if len(self.notices) < NOTICES:
            self.notices.append(event)
        else:
            self.notices_dropped += 1

    def as_json(self, lock: AbstractContextManager[object] | None = None) -> dict[str, Any]:
        """Everything but ``started``, which the history keeps apart.

        ``lock`` is held while something is read that may be folded into, never for more than one host.
        """
        guard = lock or nullcontext()
        with guard:
            document: dict[str, Any] = {
                "source": asdict(self.source) if self.source else None,
                "done": self.done.as_json(),
                "notices": [[n.at, n.level, n.message, n.host] for n in self.notices],
                "notices_dropped": self.notices_dropped,
                "hashed": self.hashed,
                "at": self.at,
            }
            hosts = list(self.hosts.values())
        document["hosts"] = rows = []
        for host in hosts:
            with guard:
                rows.append(host.as_json())
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Course:
        """Raises ValueError, KeyError or TypeError for what ``as_json`` never wrote."""
        hosts = [HostCourse.from_json(host) for host in document["hosts"]]
        done = Series.from_json(document["done"], ALL_POINTS)
        points = done.points()
        return cls(
            source=SourceReady(**document["source"]) if document["source"] else None,
            hosts={host.name: host for host in hosts},
            done=done,
            bytes_done=int(points[-1][1]) if points else 0,
            notices=[Notice(*notice) for notice in document["notices"]],
            notices_dropped=document["notices_dropped"],
            hashed=tuple(document["hashed"]) if document["hashed"] else None,
            at=document["at"],
        )
