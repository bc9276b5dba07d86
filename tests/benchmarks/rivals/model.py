"""What every rival is to the benchmarks: a name, whether it can run here, and one timed run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.netns import Host


class RivalError(Exception):
    """A run that came to nothing: what ended early or did not finish in time."""


class Outcome(NamedTuple):
    """``makespan_s``: from the moment the origin begins to serve until the last host has the whole file.

    ``good`` counts the copies whose SHA-256 is the source's; ``notes`` hold what else was measured.
    """

    makespan_s: float
    good: int
    notes: dict[str, float | str]


class Fleet(Protocol):
    """What a rival needs of a lab: where the source is served, and who is to get it."""

    @property
    def origin(self) -> Host: ...

    @property
    def hosts(self) -> dict[str, Host]: ...


class Rival(Protocol):
    """One tool with the best settings found for it."""

    name: str

    def missing(self) -> str | None:
        """Why it cannot run on this machine, or None."""

    def run(self, lab: Fleet, source: Path, work: Path) -> Outcome:
        """Brings ``source`` to every host's folder, and leaves no process or file behind.

        Its daemons run before the clock starts. ``work`` is an empty folder for it. Raises RivalError.
        """
