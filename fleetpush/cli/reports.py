"""The files that a run leaves for other programs: written however it ended, also where it never began."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fleetpush.errors import InputError
from fleetpush.report.ending import Ending, FinishTimes
from fleetpush.report.files import check_writable, write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from fleetpush.deploy.results import RunReport


class Reports:
    """``junit``: where the test report goes, None for none."""

    def __init__(self, *, junit: Path | None = None) -> None:
        self._junit = junit
        self._began = datetime.now(UTC)
        self.times = FinishTimes()
        """A printer of the run: it hears when hosts are done."""

    def check(self) -> None:
        """Before anything is done: a report that cannot be written must not be found out hours later.

        Raises InputError; such a report is then not tried again.
        """
        if self._junit is not None:
            try:
                check_writable("--junit", self._junit)
            except InputError:
                self._junit = None
                raise

    def begun(self) -> None:
        """What came before (a delay, another run's lock) is not part of the run."""
        self._began = datetime.now(UTC)

    def ending(
        self,
        command: str,
        exit_code: int,
        report: RunReport | None = None,
        *,
        error: str = "",
        slug: str = "",
    ) -> Ending:
        """How the run ended just now."""
        return Ending(
            command=command,
            exit_code=exit_code,
            began=self._began,
            ended=datetime.now(UTC),
            report=report,
            error=error,
            slug=slug,
            finished_at=self.times.by_host,
        )

    def write(self, ending: Ending) -> list[str]:
        """Writes them; returns a sentence for each that could not be."""
        problems = []
        if self._junit is not None:
            from fleetpush.report.junit import junit  # noqa: PLC0415 - brings rich, which --help can do without

            try:
                write_whole(self._junit, junit(ending))
            except OSError as error:
                problems.append(f"cannot write --junit {self._junit}: {error.strerror}")
        return problems
