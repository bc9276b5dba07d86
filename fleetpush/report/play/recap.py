"""The last word on playbooks in text: Ansible's counts, hosts that share them folded, and who failed why."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from rich.text import Text

from fleetpush.deploy.play.report import COUNTS
from fleetpush.inventory.nodeset import fold, natural
from fleetpush.report.exit_status import meaning
from fleetpush.report.failures import FailureGroups
from fleetpush.report.quantities import hosts
from fleetpush.report.sanitise import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fleetpush.deploy.play.report import HostEnd, PlayReport

WIDEST = 60
"""Names longer than this move their counts to the right."""

_STYLE = {"changed": "yellow", "unreachable": "bold magenta", "failed": "bold red", "ok": "green"}


def recap(report: PlayReport) -> list[Text]:
    """The lines to print on stdout; their ``plain`` is what a pipe gets."""
    mode = " (check mode: nothing was changed)" if report.check else ""
    lines = [Text(f"PLAY RECAP{mode}", "bold"), *_counts(report), *_left_out(report)]
    lines += _failures(report)
    return lines + _verdict(report)


def _counts(report: PlayReport) -> Iterable[Text]:
    """A line for each set of counts that some host has, in the order of its first host."""
    alike: defaultdict[tuple[int, ...], list[str]] = defaultdict(list)
    for result in report.results:
        if result.end != "untouched":
            alike[result.counts].append(result.host)
    rows = sorted(alike.items(), key=lambda row: min(map(natural, row[1])))
    named = [(_named(names), counts) for counts, names in rows]
    width = min(WIDEST, max((len(name) for name, _ in named), default=0))
    for name, counts in named:
        line = Text(f"{name:<{width}} :")
        for key, count in zip(COUNTS, counts, strict=True):
            style = _STYLE.get(key, "") if count else ""
            line.append(" ").append(f"{key}={count:<4}", style)
        line.rstrip()
        yield line


def _named(names: list[str]) -> str:
    text = clean(fold(names))
    return f"{text} ({len(names):,})" if len(names) > 1 else text


def _left_out(report: PlayReport) -> Iterable[Text]:
    ends: tuple[HostEnd, ...] = ("stopped", "untouched")
    for end in ends:
        names = report.named(end)
        if names:
            yield Text(f"  {end:<12}{len(names):>7,}  {clean(fold(names))}")


def _failures(report: PlayReport) -> Iterable[Text]:
    by_task: dict[str, FailureGroups] = {}
    for result in report.results:
        if result.end in ("failed", "unreachable"):
            groups = by_task.setdefault(result.task, FailureGroups())
            unreachable = result.end == "unreachable"
            groups.add(result.host, result.slug, result.message, unreachable=unreachable)
    for task, groups in by_task.items():
        yield Text("")
        yield Text.assemble("in task ", (clean(task), "bold"), f" ({hosts(groups.count)})")
        for group in groups.largest():
            kind = "unreachable" if group.unreachable else "failed"
            heading = f"{kind}: {group.slug}" if group.slug else kind
            yield Text.assemble("  ", (heading, _STYLE[kind]), f": {group.folded()}")
            if group.sentence():
                yield Text(f"      {group.sentence()}")


def _verdict(report: PlayReport) -> list[Text]:
    lines = []
    stop = report.stop
    if report.error:
        lines.append(Text.assemble(("error: ", "bold red"), clean(report.error)))
    elif stop is not None:
        at = next(play for play in report.plays if play.stop)
        batch = f", batch {at.batches_done + 1} of {len(at.batches)}" if len(at.batches) > 1 else ""
        lines.append(Text(f"stopped in play {clean(at.name)}{batch}: {clean(stop.message)}"))
    if report.exit_code:
        lines.append(Text(f"exit {report.exit_code}: {meaning(report.exit_code, of='play')}"))
    again = report.named("failed", "unreachable", "stopped", "untouched")
    if again and report.exit_code:
        lines.append(Text(f"to go on with these: the same command with -l '{clean(fold(again))}'"))
    return [Text(""), *lines] if lines else lines
