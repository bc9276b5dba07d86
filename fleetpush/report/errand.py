"""An errand as people read it: what was done where, then what failed where and why."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from fleetpush.deploy.errand import ErrandStatus
from fleetpush.inventory.nodeset import fold
from fleetpush.report.failures import FailureGroups
from fleetpush.report.quantities import duration, hosts
from fleetpush.report.sanitise import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fleetpush.deploy.errand import ErrandReport, HostAnswer


def errand(
    report: ErrandReport,
    said: Callable[[HostAnswer], str],
    more: Callable[[HostAnswer], tuple[str, ...]] = lambda result: (),
) -> Iterator[str]:
    """The lines to print on stdout; ``said`` puts one host's answer into words, ``more`` are lines below it.

    Alike answers go together.
    """
    alike: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    groups = FailureGroups()
    for result in report.results:
        if result.status is ErrandStatus.OK:
            alike[said(result), *more(result)].append(result.host)
        else:
            unreachable = result.status is ErrandStatus.UNREACHABLE
            groups.add(result.host, result.slug, result.message, unreachable=unreachable)
    for (text, *below), names in sorted(alike.items(), key=lambda item: -len(item[1])):
        yield f"{clean(text)}: {clean(fold(names))} ({len(names):,})"
        yield from (f"    {clean(line)}" for line in below)
    for group in groups.largest():
        status = "unreachable" if group.unreachable else "failed"
        yield f"{status}: {group.slug}: {group.folded()}"
        yield f"    {group.sentence()}"
    good = len(report.results) - groups.count
    yield f"{good:,} of {hosts(len(report.results))} in {duration(report.total_s)}"
