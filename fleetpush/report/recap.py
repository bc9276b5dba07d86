"""The last word of a run in text: what arrived where and how fast, and who failed and why.

What to do about it is in each message, written where the failure was understood.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from rich.text import Text

from fleetpush.deploy.results import HostStatus
from fleetpush.deploy.verdict import THRESHOLD
from fleetpush.inventory.nodeset import fold
from fleetpush.report.exit_status import meaning
from fleetpush.report.failures import FailureGroups
from fleetpush.report.lost import lost_time
from fleetpush.report.quantities import duration, hosts, percent, rate, share, size
from fleetpush.report.sanitise import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fleetpush.deploy.results import RunReport

MESSAGES_SHOWN = 5
"""Different messages under one slug that are spelled out; the hosts of the others are still named."""

DESTINATIONS_SHOWN = 5

_STYLE = {
    HostStatus.VERIFIED: "green",
    HostStatus.ALREADY_PRESENT: "green",
    HostStatus.FAILED: "bold red",
    HostStatus.UNREACHABLE: "bold magenta",
}


def recap(report: RunReport) -> list[Text]:
    """The lines to print on stdout; their ``plain`` is what a pipe gets."""
    lines = [_title(report), *_statuses(report), Text("")]
    lines += _facts(report)
    groups = FailureGroups.of(report)
    lines += _failures(groups)
    lines += _verdict(report, groups)
    return lines


def _facts(report: RunReport) -> Iterable[Text]:
    """A name is said once."""
    before = ""
    for name, value in facts(report):
        yield _fact("" if name == before == "lost time" else name, value)
        before = name


def _title(report: RunReport) -> Text:
    name = clean(report.manifest_name) or "nothing"
    files = f", {len(report.files):,} files" if len(report.files) > 1 else ""
    amount = f" ({size(report.size)}{files})" if report.manifest_digest else ""
    return Text.assemble((name, "bold"), f"{amount} to {hosts(len(report.results))}")


def _statuses(report: RunReport) -> Iterable[Text]:
    counts = {status: report.count(status) for status in HostStatus}
    present = counts[HostStatus.ALREADY_PRESENT]
    counts[HostStatus.VERIFIED] += present
    for status in (HostStatus.VERIFIED, HostStatus.FAILED, HostStatus.UNREACHABLE):
        if not counts[status] and status is not HostStatus.VERIFIED:
            continue
        style = _STYLE[status] if counts[status] else ""
        line = Text.assemble("  ", (f"{status.value:<12}", style), f"{counts[status]:>7,}")
        if status is HostStatus.VERIFIED and present:
            line.append(f"  ({present:,} already there)")
        yield line


def facts(report: RunReport) -> Iterable[tuple[str, str]]:
    """What the run came to, by name, in the order in which it is told."""
    timing = report.timing
    for destination in _destinations(report):
        yield "destination", destination
    if timing.makespan_s is not None:
        speed = f" ({rate(report.size / timing.makespan_s)})" if timing.makespan_s else ""
        yield "makespan", f"{duration(timing.makespan_s)}{speed}"
    if timing.bound_s is not None:
        source = f", {clean(timing.bound_source)}" if timing.bound_source else ""
        yield "bound", f"{duration(timing.bound_s)}{source}"
    if timing.ratio is not None:
        yield "ratio", f"{timing.ratio:.2f} times the bound"
    for lost in report.lost_time:
        yield "lost time", lost_time(lost)
    yield from _sent(report)
    yield from _reused(report)
    for names, why in served_over_ssh(report):
        yield "over SSH", f"{clean(fold(names))}: {clean(why)}"
    if timing.activation_spread_s is not None:
        switched = sum(1 for r in report.results if r.activated)
        spread = duration(timing.activation_spread_s)
        yield "switched", f"{hosts(switched)} together, the last {spread} after the first command"
    yield "total", f"{duration(timing.total_s)} with connecting and leaving"
    encrypt = "" if report.encrypt else ", not encrypted"
    yield "run", f"{clean(report.run_id)}, {report.topology}{encrypt}"
    if report.manifest_digest:
        yield "digest", report.manifest_digest
    if len(report.files) == 1 and report.files[0].sha256:
        yield "sha256", report.files[0].sha256


def _sent(report: RunReport) -> Iterable[tuple[str, str]]:
    copies = report.traffic.origin_bytes_sent
    if report.size and copies:
        yield "origin", f"{copies / report.size:.2f} copies sent ({size(copies)})"
    for origin in report.origins:
        sent = "left out" if origin.status == "left_out" else f"{size(origin.bytes_sent)} sent"
        lost = ", then lost" if origin.status == "lost" else ""
        yield "sent from", f"{clean(origin.host)}: {sent}{lost}"


def _reused(report: RunReport) -> Iterable[tuple[str, str]]:
    reusing = [r for r in report.results if r.status is HostStatus.VERIFIED and r.bytes_reused]
    if reusing:
        there = sum(r.bytes_reused for r in reusing)
        of_all = percent(there, report.size * len(reusing))
        yield "reused", f"{of_all} of it was there before, on {hosts(len(reusing))}"


def served_over_ssh(report: RunReport) -> Iterable[tuple[list[str], str]]:
    """The hosts whose links to the origin ran through their SSH connections, by the reason."""
    by_reason: defaultdict[str, list[str]] = defaultdict(list)
    for result in report.results:
        if result.over_ssh:
            by_reason[result.over_ssh].append(result.host)
    for why, names in by_reason.items():
        yield names, why


def _fact(name: str, value: str) -> Text:
    return Text.assemble("  ", (f"{name:<12}", "dim"), f" {value}")


def _destinations(report: RunReport) -> Iterable[str]:
    by_dest: defaultdict[str, list[str]] = defaultdict(list)
    for result in report.results:
        if result.status.good and result.dest:
            by_dest[result.dest].append(result.host)
    ordered = sorted(by_dest.items(), key=lambda item: (-len(item[1]), item[0]))
    for dest, names in ordered[:DESTINATIONS_SHOWN]:
        where = f" on {clean(fold(names))}" if len(by_dest) > 1 else ""
        active = sum(1 for r in report.results if r.dest == dest and r.activated)
        staged = "" if active else " (staged, not activated)"
        yield f"{clean(dest)}{where}{staged}"
    if len(ordered) > DESTINATIONS_SHOWN:
        yield f"and {len(ordered) - DESTINATIONS_SHOWN:,} more (-o json lists them host by host)"


def _failures(groups: FailureGroups) -> Iterable[Text]:
    for heading, same in groups.by_class():
        status = HostStatus.UNREACHABLE if same[0].unreachable else HostStatus.FAILED
        count = hosts(sum(len(group.hosts) for group in same))
        yield Text("")
        yield Text.assemble((f"{status.value}: {heading}", _STYLE[status]), f" ({count})")
        for group in same[:MESSAGES_SHOWN]:
            yield Text(f"  {group.folded()}")
            yield Text(f"      {group.sentence()}")
        rest = [host for group in same[MESSAGES_SHOWN:] for host in group.hosts]
        if rest:
            yield Text(f"  {clean(fold(rest))} ({len(rest):,})")
            more = len(same) - MESSAGES_SHOWN
            yield Text(f"      {more:,} other messages (-o json has them all)")


def verdict(report: RunReport) -> str:
    """The exit code in words. Failures and yet 0: the run was told how many hosts are enough."""
    code = report.exit_code
    good = report.count(HostStatus.VERIFIED, HostStatus.ALREADY_PRESENT)
    have_it = f"{share(good, len(report.results))} of the hosts have it"
    if code == 0 and good < len(report.results):
        return f"exit 0: {have_it}, which is enough (--min-success)"
    return f"exit {code}: {meaning(code)}" + (f"; {have_it}" if code == THRESHOLD else "")


def _verdict(report: RunReport, groups: FailureGroups) -> Iterable[Text]:
    if report.error:
        yield Text("")
        yield Text.assemble(("error: ", "bold red"), clean(report.error))
    if report.exit_code or groups.count:
        yield Text("")
        yield Text(verdict(report))
    if groups.count:
        names = clean(fold([host for group in groups for host in group.hosts]))
        yield Text(f"to try these again: the same command with -l '{names}'")
