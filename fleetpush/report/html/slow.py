"""Who was slow, and why: what took a host longer than the others, in which phase, and what it said of it."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from fleetpush.deploy.progress import HostPhase
from fleetpush.deploy.results import HostStatus
from fleetpush.report.html.columns import State
from fleetpush.report.quantities import clock, duration, rate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fleetpush.deploy.history.course import Course, HostCourse

SHOWN = 12
STANDS_OUT = 1.05
"""Times the median after which a host counts as slow; and at least this many seconds later:"""

STANDS_OUT_BY = 0.25
_PAUSE_TOLD = 2.0
_REASON_TOLD = 0.1
"""Share of a host's receiving for which a reason must have held."""

_PARTS = {
    HostPhase.WAITING: State.WAITING,
    HostPhase.CONNECTING: State.CONNECTING,
    HostPhase.BOOTSTRAPPING: State.PREPARING,
    HostPhase.SCANNING: State.PREPARING,
    HostPhase.EXCHANGING: State.RECEIVING,
    HostPhase.VERIFYING: State.VERIFYING,
}


class Span(NamedTuple):
    """One phase of a host: what it did, from when to when."""

    state: State
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass(frozen=True, slots=True)
class SlowHost:
    name: str
    ended: float
    late: float
    """Seconds after the median."""
    spans: Sequence[Span]
    why: Sequence[str]


@dataclass(frozen=True, slots=True)
class Laggards:
    """The slowest hosts that got the content in this run. ``median``: when half of those had it."""

    median: float | None
    hosts: Sequence[SlowHost]
    more: int
    """Others that were slow as well."""
    slowest: str
    ended: float


def laggards(course: Course) -> Laggards:
    fresh = [h for h in course.hosts.values() if h.status is HostStatus.VERIFIED]
    ended = {host.name: host.ended or 0.0 for host in fresh}
    if not fresh:
        return Laggards(None, (), 0, "", 0.0)
    middle = median(ended.values())
    usual = _usual([_seconds(host) for host in fresh])
    late = [
        host
        for host in fresh
        if ended[host.name] > max(middle * STANDS_OUT, middle + STANDS_OUT_BY)
    ]
    late.sort(key=lambda host: (-ended[host.name], host.name))
    size = course.source.size if course.source else 0
    shown = [
        SlowHost(
            host.name,
            ended[host.name],
            ended[host.name] - middle,
            spans(host),
            list(_why(host, usual, size)),
        )
        for host in late[:SHOWN]
    ]
    last = max(fresh, key=lambda host: ended[host.name])
    return Laggards(middle, shown, len(late) - len(shown), last.name, ended[last.name])


def spans(host: HostCourse) -> list[Span]:
    """Its phases up to its last word; neighbours of one kind are one."""
    found: list[Span] = []
    known = [(at, phase) for at, phase in host.phases if phase in _PARTS]
    ends = [at for at, _ in known[1:]] + [host.ended or (known[-1][0] if known else 0.0)]
    if known and known[0][0] > 0:
        found.append(Span(State.WAITING, 0.0, known[0][0]))
    for (began, phase), end in zip(known, ends, strict=True):
        state = _PARTS[phase]
        if found and found[-1].state is state:
            found[-1] = Span(state, found[-1].began, end)
        else:
            found.append(Span(state, began, end))
    return found


def _seconds(host: HostCourse) -> dict[State, float]:
    found: dict[State, float] = {}
    for span in spans(host):
        found[span.state] = found.get(span.state, 0.0) + span.seconds
    return found


def _usual(hosts: Sequence[Mapping[State, float]]) -> dict[State, float]:
    return {state: median(host.get(state, 0.0) for host in hosts) for state in State}


def _why(host: HostCourse, usual: Mapping[State, float], size: int) -> Iterator[str]:
    """The phases that made it late, the worst first, and what it told of its receiving."""
    excess = {state: seconds - usual[state] for state, seconds in _seconds(host).items()}
    worst = max(excess.values(), default=0.0)
    for state in sorted(excess, key=lambda state: -excess[state]):
        if excess[state] >= max(0.25 * worst, 0.05):
            yield _took(state, usual[state] + excess[state], usual[state], size)
            if state is State.RECEIVING:
                yield from _told(host, usual[state] + excess[state])


def _took(state: State, seconds: float, usual: float, size: int) -> str:
    if state is State.RECEIVING and size and seconds and usual:
        return f"received at {rate(size / seconds)}, the others at {rate(size / usual)}"
    words = {
        State.WAITING: "waited {} for its turn",
        State.CONNECTING: "took {} to connect",
        State.PREPARING: "took {} to start its agent and look at what it had",
        State.RECEIVING: "took {} to receive",
        State.VERIFYING: "took {} to verify and activate",
    }[state]
    return f"{words.format(duration(seconds))}, the others {duration(usual)}"


def _told(host: HostCourse, receiving: float) -> Iterator[str]:
    for reason, seconds in sorted(host.reasons.items(), key=lambda item: -item[1]):
        if seconds >= _REASON_TOLD * receiving:
            yield f"{reason} for {duration(seconds)}"
    # Who never told of its progress may not have paused at all.
    if host.bytes_done and host.pause >= max(_PAUSE_TOLD, 0.2 * receiving):
        yield f"not one new byte for {duration(host.pause)}, from {clock(host.paused_at)} on"
