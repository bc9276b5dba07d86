"""From what was measured to where the time went. A pure function; what no figure says is not said.

Each rule looks for one way to lose time and says how many seconds that explains; these overlap, and need not
add up. What explains little of the loss is left out.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from fleetpush.deploy.results import LostTime

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fleetpush.deploy.diagnosis.evidence import Evidence, Passage
    from fleetpush.deploy.said import Spent

POOR = 1.15
"""Times the bound from which on there is something to explain; and at least this many seconds more:"""

LEAST = 0.5
MOST = 3
WORTH = 0.2
"""Share of the loss that a rule must explain."""

SLOW = 0.7
"""Of the median rate: who received at less is slow."""

WHOLE_CORE = 0.85
QUEUED = 0.4
HELD = 0.3
"""Shares of a thread's time from which on it had too little processor, or waited for it or for the disk: with
less, it had time to make up for that."""

TO_THE_END = 0.85
"""Share of the makespan for which an origin must have been sending to have set the pace."""


def diagnose(evidence: Evidence) -> tuple[LostTime, ...]:
    """Where the time went, the most first; at most ``MOST``, none where the run was near its bound."""
    lost = evidence.lost
    if evidence.bound <= 0 or evidence.makespan < POOR * evidence.bound or lost < LEAST:
        return ()
    found = [
        *_late(evidence),
        *_slow(evidence),
        *_proving(evidence),
        *_origin(evidence),
        *_everywhere(evidence),
        *_quiet(evidence),
    ]
    found = [each for each in found if each.seconds >= WORTH * lost]
    if not any(each.hosts for each in found):
        found += _last(evidence)
    return tuple(sorted(found, key=lambda each: -each.seconds)[:MOST])


def _end(evidence: Evidence) -> float:
    return max((host.verified for host in evidence.passages), default=0.0)


def _among_the_last(evidence: Evidence) -> list[Passage]:
    """The hosts that the run's end waited for."""
    since = _end(evidence) - WORTH * evidence.lost
    return [host for host in evidence.passages if host.verified >= since]


def _late(evidence: Evidence) -> Iterator[LostTime]:
    """Hosts that were let into the exchange long after it had begun."""
    delays = {
        host.name: host.joined - evidence.began
        for host in _among_the_last(evidence)
        if host.joined is not None
    }
    late = [host for host in evidence.passages if delays.get(host.name, 0.0) >= LEAST]
    if not late:
        return
    worst = max(late, key=lambda host: delays[host.name])
    seconds = delays[worst.name]
    late = [host for host in late if delays[host.name] >= seconds / 2]
    step, took = _held_up(worst, evidence.passages)
    yield LostTime(
        "late_hosts",
        min(evidence.lost, seconds),
        hosts=_names(late),
        held_by=step,
        held_s=took,
    )


def _held_up(worst: Passage, everyone: Sequence[Passage]) -> tuple[str, float | None]:
    """The step before the exchange that took it longest beyond what is usual, and for how long in all."""
    own = _steps(worst)
    usual = {
        step: median(steps[step] for steps in map(_steps, everyone) if step in steps)
        for step in own
    }
    step = max(own, key=lambda step: own[step] - usual[step], default="")
    if step and own[step] - usual[step] < LEAST / 2:  # most of them were late
        step = max(own, key=lambda step: own[step])
    if not step or own[step] < LEAST / 2:
        return "", None
    return step, own[step]


def _steps(host: Passage) -> dict[str, float]:
    moments = (
        ("turn", 0.0, host.calling),
        ("connecting", host.calling, host.connected),
        ("agent", host.connected, host.greeted),
        ("reading", host.greeted, host.ready),
        ("admission", host.ready, host.joined),
    )
    return {
        step: ended - began
        for step, began, ended in moments
        if began is not None and ended is not None
    }


def _slow(evidence: Evidence) -> Iterator[LostTime]:
    """Few hosts that received much more slowly than most, and were done later."""
    rates = {host.name: host.rate(evidence.began) for host in evidence.passages}
    known = [rate for rate in rates.values() if rate is not None]
    if len(known) < 3:
        return
    usual = median(known)
    slow = [h for h in evidence.passages if (rates[h.name] or usual) < SLOW * usual]
    if not slow:
        return
    middle = median(host.verified for host in evidence.passages)
    last = max(slow, key=lambda host: host.verified)
    held_by, share = _reason(last)
    paused = last.pause if last.pause >= (last.verified - middle) / 2 else None
    if paused and not held_by:
        held_by = "paused"
    yield LostTime(
        "slow_hosts",
        min(evidence.lost, last.verified - middle),
        hosts=_names(slow),
        racks=_whole_racks(slow, evidence.passages),
        rate=rates[last.name],
        usual_rate=usual,
        held_by=held_by,
        held_s=paused if held_by == "paused" else None,
        share=share,
    )


def _whole_racks(some: Sequence[Passage], everyone: Iterable[Passage]) -> tuple[str, ...]:
    """The racks that ``some`` hosts are all of, if they are that and there are others."""
    racks = {host.rack for host in some}
    members = {host.name for host in everyone if host.rack in racks}
    whole = "" not in racks and members == {host.name for host in some}
    return tuple(sorted(racks)) if whole and len(some) > len(racks) else ()


def _reason(host: Passage) -> tuple[str, float | None]:
    """What held its agent up, and for which share of its time; ("", None) where no figure says."""
    held_by, share = _shortage(host.spent)
    if held_by:
        return held_by, share
    if host.over_ssh:
        return "over_ssh", None
    return "", None


def _shortage(spent: Spent | None) -> tuple[str, float | None]:
    if spent is None:
        return "", None
    queued, held, ran = map(spent.share, (spent.queued, spent.held, spent.ran))
    if held >= HELD and held >= queued:
        return "disk", held
    if queued >= QUEUED:
        return "processor", queued
    if ran >= WHOLE_CORE:
        return "whole_core", ran
    return "", None


def _proving(evidence: Evidence) -> Iterator[LostTime]:
    """From the last block until the proof: what is not on the disk yet has to get there."""
    took = {
        host.name: host.verified - host.complete
        for host in evidence.passages
        if host.complete is not None
    }
    last = [host for host in _among_the_last(evidence) if host.name in took]
    if not last:
        return
    longest = max(took[host.name] for host in last)
    slow = [host for host in last if took[host.name] >= longest / 2]
    yield LostTime(
        "proving",
        min(evidence.lost, longest),
        hosts=_names(slow),
        usual_s=median(took.values()),
    )


def _origin(evidence: Evidence) -> Iterator[LostTime]:
    """An origin that was sending nearly until the end: nobody can have what it has not sent."""
    sender, end = evidence.sender, evidence.began + TO_THE_END * evidence.makespan
    if not evidence.passages or not evidence.size or sender.last_at < end:
        return
    seconds = sender.last_at - evidence.began
    copies = sender.sent / evidence.size
    held_by, share = _shortage(sender.spent)
    if copies >= 1.5:
        lost = evidence.makespan * (1 - 1 / copies)
        cause, rate = "origin_copies", sender.sent / seconds
    elif sender.whole_at is not None and sender.whole_at >= end and len(evidence.passages) > 1:
        seconds = sender.whole_at - evidence.began
        lost = seconds - evidence.bound
        cause, rate = "origin", evidence.size / seconds
    else:
        return
    if sender.bwlimit and not held_by and rate >= 0.9 * sender.bwlimit:
        held_by = "bwlimit"
    yield LostTime(
        cause,
        min(evidence.lost, lost),
        hosts=sender.hosts,
        rate=rate,
        copies=copies,
        held_by=held_by,
        held_s=seconds,
        share=share,
    )


def _everywhere(evidence: Evidence) -> Iterator[LostTime]:
    """What most agents were short of."""
    known = [h.spent for h in evidence.passages if h.spent is not None and h.spent.wall >= LEAST]
    if 2 * len(known) <= len(evidence.passages):
        return
    shortages = (
        ("processor", QUEUED, [(spent, spent.queued) for spent in known]),
        ("disk", HELD, [(spent, spent.held) for spent in known]),
    )
    for cause, least, of_each in shortages:
        share = median(spent.share(seconds) for spent, seconds in of_each)
        if share >= least:
            usual = median(seconds for _, seconds in of_each)
            yield LostTime(cause, min(evidence.lost, usual), share=share)


def _quiet(evidence: Evidence) -> Iterator[LostTime]:
    """A time in which nobody got anything, though all were there."""
    everybody = all(
        host.joined is not None and host.joined <= evidence.quiet_from for host in evidence.passages
    )
    if everybody and evidence.quiet >= LEAST:
        yield LostTime("quiet", min(evidence.lost, evidence.quiet), from_s=evidence.quiet_from)


def _last(evidence: Evidence) -> Iterator[LostTime]:
    """Who was last; why, no figure says."""
    if len(evidence.passages) < 3:
        return
    middle = median(host.verified for host in evidence.passages)
    late = _end(evidence) - middle
    if late >= max(LEAST / 2, WORTH * evidence.lost):
        hosts = [h for h in evidence.passages if h.verified >= middle + 0.75 * late]
        yield LostTime("last_hosts", min(evidence.lost, late), hosts=_names(hosts))


def _names(hosts: Iterable[Passage]) -> tuple[str, ...]:
    return tuple(host.name for host in hosts)
