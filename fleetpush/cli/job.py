"""A verb's work as cron and pipelines run it: what it leaves behind for other programs."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

from fleetpush.cli.reports import ReportFile, Reports
from fleetpush.report.metrics import metrics

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fleetpush.report.ending import Ending


@dataclass(frozen=True, kw_only=True)
class Job:
    """The flags of ``job_flags``, whatever verb they were given to."""

    junit: Path | None = None
    metrics: Path | None = None
    metrics_job: str | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """What a verb's flags, by parameter name, ask for."""
        return cls(**{f.name: given[f.name] for f in fields(cls) if f.name in given})

    def reports(self) -> Reports:
        """Metrics last: they say how the command ended, a report that could not be written included."""
        files = []
        if self.junit is not None:
            files.append(ReportFile("--junit", self.junit, _junit))
        if self.metrics is not None:
            files.append(ReportFile("--metrics", self.metrics, self._metrics))
        return Reports(*files, github=os.environ)

    def _metrics(self, ending: Ending) -> str:
        assert self.metrics is not None
        path = self.metrics
        before = path.read_text(errors="replace") if path.is_file() else ""
        return metrics(ending, self.metrics_job or path.stem, before)


def _junit(ending: Ending) -> str:
    from fleetpush.report.junit import junit  # noqa: PLC0415 - brings rich, which --help can do without

    return junit(ending)
