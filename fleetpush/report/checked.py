"""A check as people read it: what is wrong where and what to do, then who is ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleetpush.deploy.fitness import Fitness
from fleetpush.inventory.nodeset import fold
from fleetpush.report.failures import FailureGroups
from fleetpush.report.quantities import duration, hosts, size
from fleetpush.report.sanitise import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleetpush.deploy.fitness import FitnessReport, HostFitness

_GOOD = (Fitness.READY, Fitness.WARNED)


def checked(report: FitnessReport, *, each: bool) -> Iterator[str]:
    """The lines to print on stdout; ``each``: also one for every host."""
    if each:
        yield from _table(report)
    yield from _troubles(report)
    total = len(report.results)
    good = report.count(*_GOOD)
    yield f"{good:,} of {hosts(total)} can be deployed to; checked in {duration(report.total_s)}"
    for kind in Fitness:
        names = [result.host for result in report.results if result.fitness is kind]
        if names:
            yield f"  {kind.value:<12}{len(names):>7,}  {clean(fold(names))}"


def _table(report: FitnessReport) -> Iterator[str]:
    width = max((len(clean(result.host)) for result in report.results), default=0)
    for result in report.results:
        yield f"{clean(result.host):<{width}}  {result.fitness.value:<11}  {', '.join(_facts(result))}"
    yield ""


def _facts(result: HostFitness) -> Iterator[str]:
    if result.login_s is not None:
        yield f"login {duration(result.login_s)}"
    if result.python:
        yield f"Python {clean(result.python)}"
    if result.free is not None:
        yield f"{size(result.free)} free for {clean(result.dest)}"
    if result.port is not None:
        reached = [call for call in result.called_by if not call.error]
        here = "and from here" if result.called_from_here == "" else "not from here"
        of = f"{len(reached)} of {hosts(len(result.called_by))}"
        yield f"{clean(result.address)} port {result.port} reached by {of} {here}"
    if result.clock_skew_s is not None:
        yield f"clock {result.clock_skew_s:+.1f}s"
    yield from (clean(trouble.slug) for trouble in result.troubles)


def _troubles(report: FitnessReport) -> Iterator[str]:
    """Fatal ones first; hosts with the same trouble together."""
    kinds = {"failed": FailureGroups(), "unreachable": FailureGroups(), "warning": FailureGroups()}
    for result in report.results:
        unreachable = result.fitness is Fitness.UNREACHABLE
        for trouble in result.troubles:
            kind = ("unreachable" if unreachable else "failed") if trouble.fatal else "warning"
            kinds[kind].add(result.host, trouble.slug, trouble.message, unreachable=unreachable)
    for kind, groups in kinds.items():
        for group in groups.largest():
            yield f"{kind}: {group.slug}: {group.folded()}"
            yield f"    {group.sentence()}"
    if any(map(len, kinds.values())):
        yield ""
