"""A verb's work as cron and pipelines run it: what it leaves behind for other programs."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

from fleetpush.cli.reports import Reports

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Job:
    """The flags of ``job_flags``, whatever verb they were given to."""

    junit: Path | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """What a verb's flags, by parameter name, ask for."""
        return cls(**{f.name: given[f.name] for f in fields(cls) if f.name in given})

    def reports(self) -> Reports:
        return Reports(junit=self.junit, github=os.environ)
