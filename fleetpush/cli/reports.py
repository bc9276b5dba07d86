"""The files that a run leaves for other programs: written however it ended, also where it never began."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fleetpush.errors import InputError
from fleetpush.report.ending import Ending, FinishTimes
from fleetpush.report.files import check_writable, write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleetpush.deploy.results import RunReport


class Reports:
    """``junit``: where the test report goes. ``github``: the environment of a step of GitHub Actions.

    None for none.
    """

    def __init__(
        self, *, junit: Path | None = None, github: Mapping[str, str] | None = None
    ) -> None:
        self._junit = junit
        self._github = github or {}
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

    def summarise(self, ending: Ending) -> str:
        """Adds to the step's summary; returns a sentence if that cannot be."""
        name = self._github.get("GITHUB_STEP_SUMMARY")
        if not name:
            return ""
        from fleetpush.report import github  # noqa: PLC0415 - as above

        try:
            with Path(name).open("ab") as file:
                taken = file.tell()
                text = github.summary(ending, github.SUMMARY_LIMIT - taken - 1)
                file.write(b"\n" * bool(taken and text) + text.encode("utf-8", "backslashreplace"))
        except OSError as error:
            return f"cannot add to the step's summary {name}: {error.strerror}"
        return "" if text else f"the step's summary {name} is full: this run is not in it"

    def annotations(self, ending: Ending) -> list[str]:
        """The commands that make GitHub show what failed; none elsewhere."""
        if self._github.get("GITHUB_ACTIONS") != "true":
            return []
        from fleetpush.report import github  # noqa: PLC0415 - as above

        return github.annotate(ending)
