"""What a command line asks for that cannot be read as a whole: its document and its reports, all the same."""

from __future__ import annotations

import contextlib
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from fleetpush.cli.job import Job
from fleetpush.cli.output import Output
from fleetpush.cli.settings import SETTINGS
from fleetpush.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


def asked_for(verb: str, words: Sequence[str], flags: Collection[str]) -> Output:
    """Where the failure of ``verb`` is told; ``flags`` are those that it has. What cannot be, is left out."""
    form = _value(words, "output", "-o")
    output = Output(command=verb, format="json" if form == "json" else "text")
    if "--junit" in flags:
        junit, metrics = _value(words, "junit"), _value(words, "metrics")
        job = Job(
            junit=Path(junit) if junit else None,
            metrics=Path(metrics) if metrics else None,
            metrics_job=_value(words, "metrics-job"),
        )
        output.reports = job.reports()
        with contextlib.suppress(InputError):
            output.reports.check()
    return output


def _value(words: Sequence[str], name: str, short: str = "") -> str | None:
    """What stands behind the flag ``name``, or in the variable of the setting."""
    long = f"--{name}"
    found = [value for flag, value in itertools.pairwise(words) if flag in (long, short)]
    found += [word.removeprefix(f"{long}=") for word in words if word.startswith(f"{long}=")]
    if short:
        found += [word.removeprefix(short) for word in words if word[:2] == short != word]
    if not found and name in SETTINGS:
        return os.environ.get(SETTINGS[name].env)
    return found[-1] if found else None
