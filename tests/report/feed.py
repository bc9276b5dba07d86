"""A scripted run: every event a fleet of any size would send, the same each time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fleetpush.deploy.progress import (
    Event,
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
from fleetpush.deploy.results import (
    FileSum,
    HostResult,
    HostStatus,
    RunReport,
    Timing,
    Traffic,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = 5_000_000_000
DIGEST = "ab12" * 16
ESCAPES = "\x1b[2J\x1b]0;owned\x07 red\u202e\x9b31m"
"""What a hostile or broken host may put in its message."""

TRANSFER_ENDS = 22.0
TICK = 0.5


def names(count: int) -> tuple[str, ...]:
    return tuple(f"node{n}" for n in range(1, count + 1))


def _fate(n: int) -> tuple[HostStatus, str, str]:
    """By the host's place: 0.5 % unreachable, 0.3 % out of space, one that speaks in escapes."""
    if n % 200 == 199:
        return (
            HostStatus.UNREACHABLE,
            "connect_timeout",
            f"node{n + 1} did not answer on port 22 within 15 s; check that it is up",
        )
    if n % 400 == 17:
        return (
            HostStatus.FAILED,
            "no_space",
            "no space left on /data: 1.2 GB free, 5.0 GB needed; free some or change --dest",
        )
    if n == 5:
        return HostStatus.FAILED, "no_python", f"the login shell said {ESCAPES}"
    return (HostStatus.ALREADY_PRESENT if n % 50 == 3 else HostStatus.VERIFIED), "", ""


def _speed(n: int) -> float:
    return 0.35 if n % 300 == 150 else 1.0 - (n * 7919 % 100) / 400


def _host_events(n: int, host: str, stalls: bool) -> Iterator[Event]:
    status, slug, message = _fate(n)
    start = 0.5 + (n * 31 % 97) / 40
    yield HostPhaseChanged(start, host, HostPhase.CONNECTING)
    if status is HostStatus.UNREACHABLE:
        yield HostFinished(start + 6.0, host, status, slug, message)
        return
    yield HostPhaseChanged(start + 0.8, host, HostPhase.BOOTSTRAPPING)
    if slug == "no_python":
        yield HostFinished(start + 1.0, host, status, slug, message)
        return
    yield HostPhaseChanged(start + 1.1, host, HostPhase.SCANNING)
    if status is HostStatus.ALREADY_PRESENT:
        yield HostFinished(start + 1.6, host, status)
        return
    at = start + 1.6
    yield HostPhaseChanged(at, host, HostPhase.EXCHANGING)
    rate = SIZE / (TRANSFER_ENDS - 9.0) * _speed(n)
    done = 0.0
    while done < SIZE:
        at += TICK
        stuck = stalls and n == 42 and done > SIZE * 0.6
        done = min(float(SIZE), done + (0 if stuck else rate * TICK))
        if slug and done > SIZE * 0.4:
            yield HostFinished(at, host, status, slug, message)
            return
        if stuck and at > TRANSFER_ENDS:
            yield HostFinished(at, host, HostStatus.FAILED, "stalled", "no progress for 60 s")
            return
        reason = "no neighbour answers" if stuck else ("disk" if _speed(n) < 0.5 else "")
        speed = 0.0 if stuck else rate
        yield HostProgress(at, host, int(done), SIZE, speed, speed, reason)
    yield HostPhaseChanged(at, host, HostPhase.VERIFYING)
    yield HostFinished(at + 0.4, host, status)


def feed(hosts: int = 1000, *, stalls: bool = True) -> list[Event]:
    """The whole run in the order of time, RunFinished last."""
    fleet = names(hosts)
    events: list[Event] = [
        SourceHashing(0.1, 0, SIZE),
        SourceHashing(1.0, SIZE // 3, SIZE),
        SourceReady(2.0, "model.pt", DIGEST, SIZE, 4_194_304, 1193, 1),
        Notice(6.0, "warning", "known_hosts has no key of the jump host", "bastion"),
    ]
    for n, host in enumerate(fleet):
        events += _host_events(n, host, stalls)
    events.sort(key=lambda event: event.at)
    end = events[-1].at + 0.2
    first = RunStarted(0.0, "20260105-030000-7f3a", "deploy", fleet, "mesh", "tracker", True)
    return [first, *events, RunFinished(end, report(events, end))]


def report(events: list[Event], end: float) -> RunReport:
    """What the runner would have made of ``events``."""
    results = tuple(_result(e) for e in events if isinstance(e, HostFinished))
    failed = any(r.status is HostStatus.FAILED for r in results)
    lost = any(not r.status.good for r in results)
    return RunReport(
        run_id="20260105-030000-7f3a",
        command="deploy",
        exit_code=3 if failed else 4 if lost else 0,
        topology="mesh",
        discovery="tracker",
        encrypt=True,
        manifest_digest=DIGEST,
        manifest_name="model.pt",
        size=SIZE,
        chunk_size=4_194_304,
        chunks=1193,
        files=(FileSum("model.pt", SIZE, "cd34" * 16),),
        results=tuple(sorted(results, key=lambda r: int(r.host.removeprefix("node")))),
        timing=Timing(1.9, 2.6, end - 2.0, 14.2, "measured uplink 2.8 Gbit/s", end),
        traffic=Traffic(SIZE + SIZE // 50, SIZE * max(1, len(results) - 1), 0, 12_000_000),
    )


def _result(event: HostFinished) -> HostResult:
    good = event.status.good
    return HostResult(
        event.host,
        event.status,
        "/srv/models/model.pt",
        event.slug,
        event.message,
        verified_at_s=event.at if good else None,
        activated=good,
        digest=DIGEST if good else None,
        verified_by="chunks" if good else "",
    )


def play(handle: object, events: list[Event], speed: float = 1.0) -> None:
    """Sends ``events`` to ``handle`` as time passes; for looking at a printer."""
    start = time.monotonic()
    for event in events:
        ahead = event.at / speed - (time.monotonic() - start)
        if ahead > 0:
            time.sleep(ahead)
        handle(event)  # type: ignore[operator]
