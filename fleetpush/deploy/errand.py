"""One task on many hosts: all are connected to first, then all are asked at about the same moment."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from fleetpush.deploy.sessions.fleet import Sessions
from fleetpush.deploy.verdict import FAILED, OK, UNREACHABLE
from fleetpush.errors import HostFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fleetpush.remote.connection import Target
    from fleetpush.remote.settings import SshSettings


class ErrandStatus(StrEnum):
    """What became of one host."""

    OK = "ok"
    FAILED = "failed"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class HostAnswer:
    """What a host said. ``slug`` and ``message`` are empty unless it failed."""

    host: str
    status: ErrandStatus
    slug: str = ""
    message: str = ""
    answer: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ErrandReport:
    """``total_s`` in seconds; ``spread_s`` from the first question to the last answer."""

    results: tuple[HostAnswer, ...]
    total_s: float
    spread_s: float
    interrupted: int | None = None

    @property
    def exit_code(self) -> int:
        if self.interrupted is not None:
            return self.interrupted
        if any(result.status is ErrandStatus.FAILED for result in self.results):
            return FAILED
        unreachable = any(r.status is ErrandStatus.UNREACHABLE for r in self.results)
        return UNREACHABLE if unreachable else OK

    def as_json(self) -> dict[str, Any]:
        """The part of the JSON document that all errands share."""
        counts = dict.fromkeys(ErrandStatus, 0)
        for result in self.results:
            counts[result.status] += 1
        return {
            "hosts": {"total": len(self.results)} | {s.value: n for s, n in counts.items()},
            "timing": {"total_s": self.total_s, "spread_s": self.spread_s},
            "results": [_result_json(result) for result in self.results],
        }


def _result_json(result: HostAnswer) -> dict[str, Any]:
    reason = {"slug": result.slug, "message": result.message} if result.slug else None
    return {
        "host": result.host,
        "status": result.status.value,
        "reason": reason,
        **result.answer,
    }


class Errand:
    """``execute`` once; ``interrupt`` at any time from the event loop's thread.

    ``tasks`` by host: what its agent is asked. ``warn`` hears each warning.
    """

    def __init__(
        self,
        settings: SshSettings,
        targets: Mapping[str, Target],
        tasks: Mapping[str, tuple[str, Mapping[str, Any]]],
        warn: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._targets = targets
        self._tasks = tasks
        self._warn = warn
        self._over = asyncio.Event()
        self._interrupted: int | None = None
        self._answers: dict[str, dict[str, Any] | HostFailure] = {}
        self._spread = 0.0

    def interrupt(self, exit_code: int) -> None:
        """130 or 143: what is known by then is told."""
        self._interrupted = self._interrupted or exit_code
        self._over.set()

    async def execute(self) -> ErrandReport:
        """Raises InputError for what no host could mend."""
        began = time.monotonic()
        async with Sessions(self._settings) as sessions:
            work = asyncio.create_task(self._work(sessions))
            over = asyncio.create_task(self._over.wait())
            try:
                await asyncio.wait([work, over], return_when=asyncio.FIRST_COMPLETED)
                if work.done():
                    work.result()
            finally:
                for task in (work, over):
                    task.cancel()
                await asyncio.gather(work, over, return_exceptions=True)
        for text in sessions.warnings:
            self._warn(text)
        results = tuple(self._result(name) for name in self._targets)
        return ErrandReport(results, time.monotonic() - began, self._spread, self._interrupted)

    async def _work(self, sessions: Sessions) -> None:
        failures = await sessions.begin(self._targets)
        self._answers.update(failures)
        asked_at = time.monotonic()
        tasks = {name: task for name, task in self._tasks.items() if name not in failures}
        self._answers.update(await sessions.ask(tasks))
        self._spread = time.monotonic() - asked_at

    def _result(self, name: str) -> HostAnswer:
        answer = self._answers.get(name)
        if answer is None:
            return HostAnswer(
                name, ErrandStatus.FAILED, "interrupted", "interrupted before it had answered"
            )
        if isinstance(answer, HostFailure):
            status = ErrandStatus.UNREACHABLE if answer.unreachable else ErrandStatus.FAILED
            return HostAnswer(name, status, answer.slug, answer.message)
        return HostAnswer(name, ErrandStatus.OK, answer=answer)
