"""One run as the history has it: how it stands, what it was told, how it ended."""

from __future__ import annotations

import contextlib
import json
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fleetpush.deploy.history.database import HistoryError
from fleetpush.deploy.history.kept import from_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleetpush.deploy.history.kept import KeptOptions

RunStatus = Literal["running", "ok", "failed", "interrupted"]
SIGNALS = (130, 143)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """Times in seconds since the epoch, sizes in bytes. ``lives``: its process has not ended."""

    id: str
    command: str
    began: float
    ended: float | None
    lives: bool
    exit_code: int | None
    """None while it runs, and for ever if its process was killed."""
    error: str
    """Why the whole run failed, "" if it did not."""
    retry_of: str | None
    version: str
    topology: str
    discovery: str
    encrypt: bool
    options: str
    source: str
    """The names of its files, "" where the run never got to read them; so for the next four."""
    digest: str
    size: int
    chunk_size: int
    chunks: int
    hosts: int
    good: int
    """Hosts that are verified or had it already."""
    lost: int
    """Hosts that failed or were not reached."""

    @property
    def status(self) -> RunStatus:
        """``interrupted``: by a signal, which the run heard or which killed it."""
        if self.exit_code is None:
            return "running" if self.lives else "interrupted"
        if self.exit_code in SIGNALS:
            return "interrupted"
        return "ok" if self.exit_code == 0 else "failed"

    def kept(self) -> KeptOptions:
        """What it was told. Raises HistoryError where that cannot be read."""
        with intact(self.id):
            return from_json(json.loads(self.options))


@dataclass(frozen=True, slots=True)
class HostRecord:
    """One host, in the inventory's order. ``status`` is None where the run never heard its last word."""

    name: str
    status: str | None
    slug: str
    message: str
    ended: float | None
    """Seconds from the run's start."""


@contextlib.contextmanager
def intact(run_id: str) -> Iterator[None]:
    """Turns what reading a damaged record raises into HistoryError."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error) as error:
        raise HistoryError(
            f"the record of run {run_id} is damaged or of another version of fleetpush"
            f" ({type(error).__name__}: {error})"
        ) from error
