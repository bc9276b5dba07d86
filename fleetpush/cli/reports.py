"""The files that a run leaves for other programs: written however it ended, also where it never began."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fleetpush.errors import InputError
from fleetpush.report.ending import Ending, FinishTimes
from fleetpush.report.files import check_writable, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fleetpush.deploy.receipt import Receipt
    from fleetpush.deploy.results import RunReport


class ReportFile(NamedTuple):
    """What the flag ``flag`` asks for: ``text`` of the ending, at ``path``; None leaves what is there."""

    flag: str
    path: Path
    text: Callable[[Ending], str | None]


class Reports:
    """``files`` in the order in which they are written. ``github``: the environment of one of its steps."""

    def __init__(self, *files: ReportFile, github: Mapping[str, str] | None = None) -> None:
        self._files = list(files)
        self._github = github or {}
        self._began = datetime.now(UTC)
        self.times = FinishTimes()
        """A printer of the run: it hears when hosts are done."""

    def check(self) -> None:
        """Before anything is done: a report that cannot be written must not be found out hours later.

        Raises InputError for the first of them; those that cannot be are not tried again.
        """
        wrong: list[InputError] = []
        for file in tuple(self._files):
            try:
                check_writable(file.flag, file.path)
            except InputError as error:
                wrong.append(error)
                self._files.remove(file)
        if wrong:
            raise wrong[0]

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
        receipt: Receipt | None = None,
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
            receipt=receipt,
            finished_at=self.times.by_host,
        )

    def write(self, ending: Ending) -> list[str]:
        """Writes them; returns a sentence for each that could not be: those that follow say so, too.

        A run that did what it should and cannot say so where it was told to has not done all it was told.
        """
        problems = []
        for file in self._files:
            try:
                text = file.text(ending)
                if text is not None:
                    write_whole(file.path, text)
            except OSError as error:
                problems.append(f"cannot write {file.flag} {file.path}: {error.strerror}")
                ending = replace(ending, exit_code=ending.exit_code or InputError.exit_code)
        return problems

    def summarise(self, ending: Ending) -> str:
        """Adds to the step's summary; returns a sentence if that cannot be."""
        name = self._github.get("GITHUB_STEP_SUMMARY")
        if not name:
            return ""
        from fleetpush.report import github  # noqa: PLC0415 - brings rich, which --help can do without

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
