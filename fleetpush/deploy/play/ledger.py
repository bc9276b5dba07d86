"""What has become of every host so far: Ansible's counts, who is lost and why."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from fleetpush.deploy.play.report import COUNTS, HostRecap

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from fleetpush.deploy.play.report import HostEnd
    from fleetpush.deploy.play.verdict import Verdict


class Loss(NamedTuple):
    """Why a host is not with us any more, and in which task that was."""

    verdict: Verdict
    task: str


class Ledger:
    """Kept over all plays of a run: who is lost stays lost."""

    def __init__(self) -> None:
        self.lost: dict[str, Loss] = {}
        self._counts: dict[str, Counter[str]] = {}

    def enter(self, host: str, task: str, verdict: Verdict) -> None:
        """Takes one result, as Ansible counts it."""
        counts = self._counts.setdefault(host, Counter())
        if verdict.status == "skipped":
            counts["skipped"] += 1
        elif verdict.lost:
            counts[verdict.status] += 1
            self.lost[host] = Loss(verdict, task)
        else:
            counts["ok"] += 1
            counts["changed"] += verdict.changed
            counts["ignored"] += verdict.ignored

    def left(self, hosts: Iterable[str]) -> list[str]:
        """Those of ``hosts`` that are still with us."""
        return [host for host in hosts if host not in self.lost]

    def untouched(self, hosts: Iterable[str]) -> list[str]:
        """Those of ``hosts`` that no task has had a result on."""
        return [host for host in hosts if host not in self._counts]

    def recap(self, hosts: Iterable[str], stopped: Collection[str]) -> tuple[HostRecap, ...]:
        """One line a host; ``stopped``: who had more to do when all ended."""
        return tuple(self._line(host, stopped) for host in hosts)

    def _line(self, host: str, stopped: Collection[str]) -> HostRecap:
        counts = self._counts.get(host, Counter())
        figures = tuple(counts[name] for name in COUNTS)
        loss = self.lost.get(host)
        if loss is not None:
            verdict = loss.verdict
            end: HostEnd = "unreachable" if verdict.status == "unreachable" else "failed"
            return HostRecap(host, end, figures, loss.task, verdict.slug, verdict.message)
        if host in stopped:
            return HostRecap(host, "stopped" if host in self._counts else "untouched", figures)
        return HostRecap(host, "done", figures)
