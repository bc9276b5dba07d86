"""A verb's work as cron and pipelines run it: what comes before it, and what it leaves behind.

First a random delay, then the lock, then the run, whose ``--deadline`` begins only here: a run that had to
wait has as much time as any other.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self, TypeVar

from fleetpush.cli.reports import ReportFile, Reports
from fleetpush.deploy.lock import LockFile
from fleetpush.deploy.progress import Notice
from fleetpush.deploy.receipt import ENDING
from fleetpush.report.metrics import metrics
from fleetpush.report.quantities import duration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
    from pathlib import Path

    from fleetpush.cli.output import Conclusion
    from fleetpush.deploy.progress import Observer
    from fleetpush.report.ending import Ending

_More = TypeVar("_More")
_Result = TypeVar("_Result")


@dataclass(frozen=True, kw_only=True)
class Job:
    """The flags of ``job_flags`` and ``--receipt``, whatever verb they were given to."""

    lock: Path | None = None
    lock_wait: float = 0.0
    splay: float = 0.0
    on_success: str | None = None
    junit: Path | None = None
    metrics: Path | None = None
    metrics_job: str | None = None
    receipt: Path | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """What a verb's flags, by parameter name, ask for."""
        return cls(**{f.name: given[f.name] for f in fields(cls) if f.name in given})

    @contextlib.contextmanager
    def around(
        self, work: Callable[[Observer, _More], Awaitable[_Result]], begun: Callable[[], None]
    ) -> Iterator[Callable[[Observer, _More], Coroutine[Any, Any, _Result]]]:
        """``work`` with all that comes before it; the lock is kept until this context is left.

        ``begun`` is called when the run itself begins. Raises InputError for what can be no lock file.
        """
        file = LockFile(self.lock) if self.lock is not None else None

        async def whole(observer: Observer, more: _More) -> _Result:
            def say(text: str) -> None:
                observer.handle(Notice(0.0, "info", text))

            await _delay(self.splay, say)
            if file is not None:
                await file.acquire(self.lock_wait, say)
            begun()
            return await work(observer, more)

        try:
            yield whole
        finally:
            if file is not None:
                file.close()

    def follow(self, conclusion: Conclusion) -> Conclusion:
        """What the run comes to with what is to be done after it: under the lock, and before any report."""
        if self.on_success is None:
            return conclusion
        from fleetpush.cli.on_success import follow  # noqa: PLC0415 - few runs want it

        return follow(conclusion, self.on_success)

    def reports(self) -> Reports:
        """Metrics last: they say how the command ended, a report that could not be written included."""
        files = []
        if self.junit is not None:
            files.append(ReportFile("--junit", self.junit, _junit))
        if self.receipt is not None:
            files += receipt_files(self.receipt)
        if self.metrics is not None:
            files.append(ReportFile("--metrics", self.metrics, self._metrics))
        return Reports(*files, github=os.environ)

    def _metrics(self, ending: Ending) -> str:
        assert self.metrics is not None
        path = self.metrics
        before = path.read_text(errors="replace") if path.is_file() else ""
        return metrics(ending, self.metrics_job or path.stem, before)


def receipt_files(path: Path) -> list[ReportFile]:
    """A receipt and its signature, where ``ssh-keygen -Y sign`` would have put it."""
    return [
        ReportFile("--receipt", path, lambda ending: ending.receipt and ending.receipt.text),
        ReportFile(
            "--receipt",
            path.with_name(path.name + ENDING),
            lambda ending: ending.receipt and ending.receipt.signature,
        ),
    ]


def _junit(ending: Ending) -> str:
    from fleetpush.report.junit import junit  # noqa: PLC0415 - brings rich, which --help can do without

    return junit(ending)


async def _delay(most: float, say: Callable[[str], None]) -> None:
    """Some of ``most`` seconds: a thousand crontabs that say three o'clock do not mean the same moment."""
    if most > 0:
        seconds = random.uniform(0.0, most)
        say(f"beginning in {duration(seconds)} (--splay {duration(most)})")
        await asyncio.sleep(seconds)
