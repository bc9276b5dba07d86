"""What the operator asked to see, and where it goes: the result to stdout, everything else to stderr."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import traceback
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TextIO

from fleetpush.cli.reports import Reports
from fleetpush.deploy.results import SCHEMA, RunReport
from fleetpush.errors import InputError
from fleetpush.report.choose import ColorChoice, ProgressStyle, console, printer
from fleetpush.report.exit_status import meaning
from fleetpush.report.logfile import LogFile
from fleetpush.report.printer import Printer, Several
from fleetpush.report.sanitise import clean, printable_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from rich.text import Text

    from fleetpush.deploy.play.report import PlayReport
    from fleetpush.deploy.receipt import Receipt
    from fleetpush.errors import FleetpushError
    from fleetpush.report.ending import Ending


@dataclass(frozen=True)
class Conclusion:
    """How a verb ended: the report, lines that prove it (the demo has some), and the exit code."""

    report: RunReport | PlayReport
    exit_code: int
    proof: tuple[str, ...] = ()
    receipt: Receipt | None = None


@dataclass(kw_only=True)
class Output:
    """The flags about what is shown, as one thing."""

    command: str
    progress: ProgressStyle = "auto"
    format: Literal["text", "json", "yaml"] = "text"
    color: ColorChoice = "auto"
    verbose: int = 0
    log_file: Path | None = None
    reports: Reports = field(default_factory=Reports)
    _log: LogFile | None = field(default=None, init=False)

    def open(self) -> Printer:
        """The printers of this run. Raises InputError when the log file cannot be written."""
        printers = [self._shown(), self.reports.times]
        if self.log_file is not None:
            try:
                self._log = LogFile(self.log_file)
            except OSError as error:
                raise InputError(
                    f"cannot write the log file {self.log_file}: {error.strerror}; name another"
                    " with --log-file",
                    slug="log_file",
                ) from error
            printers.append(self._logged(self._log))
        self._route_logging()
        return Several(printers)

    def _shown(self) -> Printer:
        """What stderr gets."""
        return printer(
            self.progress, sys.stderr, os.environ, color=self.color, verbose=self.verbose > 0
        )

    def _logged(self, log: LogFile) -> Printer:
        """What ``--log-file`` gets."""
        return log.printer()

    def _route_logging(self) -> None:
        """Libraries' warnings go to the log file; without one nowhere: they would tear the live view."""
        for name in ("asyncssh", "asyncio"):
            logger = logging.getLogger(name)
            logger.propagate = False
            logger.handlers = [self._log.handler() if self._log else logging.NullHandler()]

    def close(self) -> None:
        for name in ("asyncssh", "asyncio"):
            logging.getLogger(name).handlers = [logging.NullHandler()]
        if self._log is not None:
            self._log.close()
            self._log = None

    def conclude(self, conclusion: Conclusion) -> int:
        """Writes the reports, shows the result, and returns the exit code."""
        deployed = self._deployed(conclusion)
        ending = self.reports.ending(
            self.command, conclusion.exit_code, deployed, receipt=conclusion.receipt
        )
        problems = self.reports.write(ending)
        if problems:
            conclusion = replace(conclusion, exit_code=conclusion.exit_code or InputError.exit_code)
        self.show(conclusion)
        for problem in problems:
            self._complain(problem)
        self._tell_pipeline(ending)
        return conclusion.exit_code

    def _deployed(self, conclusion: Conclusion) -> RunReport | None:
        """What reports are made of."""
        return conclusion.report if isinstance(conclusion.report, RunReport) else None

    def _tell_pipeline(self, ending: Ending) -> None:
        """What GitHub Actions shows of a run; its commands never in a document, nor where all is quiet."""
        warning = self.reports.summarise(ending)
        if self.progress == "quiet" and ending.ok:
            return
        if warning:
            self.warn(warning)
        aloud = self.format == "text" and self.progress != "quiet"
        stream = sys.stdout if aloud else sys.stderr
        with _reader_may_leave(stream):
            stream.write("".join(f"{line}\n" for line in self.reports.annotations(ending)))
            stream.flush()

    def show(self, conclusion: Conclusion) -> None:
        """The result: one JSON document, or the recap unless all is well and quiet was asked for."""
        if self.format == "json":
            document = conclusion.report.as_json()
            if conclusion.proof:
                document["proof"] = list(conclusion.proof)
            document["command"] = self.command
            document["exit_code"] = conclusion.exit_code
            document["status"] = "ok" if conclusion.exit_code == 0 else "failed"
            self._print_json(document)
        elif self.progress != "quiet":
            self._print_recap(conclusion)

    def tell(self, figures: dict[str, Any], lines: list[str], exit_code: int) -> None:
        """The result of a verb that touches no host: one JSON document, or ``lines``."""
        if self.format == "json":
            status = "ok" if exit_code == 0 else "failed"
            head = {"schema": SCHEMA, "command": self.command}
            self._print_json({**head, "exit_code": exit_code, "status": status, **figures})
            return
        self._print_lines(lines)

    def tell_as_is(
        self,
        document: Callable[[], dict[str, Any]],
        yaml: Callable[[], list[str]],
        lines: Callable[[], Iterable[str]],
    ) -> None:
        """The one of three forms that was asked for, without a head of ours: other programs' formats."""
        if self.format == "json":
            self._print_json(document())
        else:
            self._print_lines(yaml() if self.format == "yaml" else lines())

    def warn(self, text: str) -> None:
        """To stderr at once: for verbs that report no progress."""
        with _reader_may_leave(sys.stderr):
            sys.stderr.write(f"warning: {clean(text)}\n")
            sys.stderr.flush()

    def _print_recap(self, conclusion: Conclusion) -> None:
        from rich.text import Text  # noqa: PLC0415 - only a run that has ended pays for it

        lines = self._recap(conclusion)
        if conclusion.proof:
            lines += [Text(""), *(Text(clean(line)) for line in conclusion.proof)]
        screen = console(sys.stdout, self.color)
        with _reader_may_leave(sys.stdout):
            for line in lines:
                screen.print(line)

    def _recap(self, conclusion: Conclusion) -> list[Text]:
        from fleetpush.report.recap import recap  # noqa: PLC0415 - as above

        assert isinstance(conclusion.report, RunReport)
        return recap(conclusion.report)

    def _print_lines(self, lines: Iterable[str]) -> None:
        with _reader_may_leave(sys.stdout):
            sys.stdout.write("".join(f"{clean(line)}\n" for line in lines))
            sys.stdout.flush()

    def _print_json(self, document: dict[str, Any]) -> None:
        with _reader_may_leave(sys.stdout):
            sys.stdout.write(printable_json(json.dumps(document, indent=2)) + "\n")
            sys.stdout.flush()

    def fail(self, error: FleetpushError) -> int:
        """Says why the run could not be made; returns the exit code."""
        self._complain(str(error))
        return self.not_begun(error.exit_code, str(error), error.slug)

    def fail_internally(self, error: BaseException) -> int:
        """One line for a defect of ours; where it happened only on request."""
        where = "" if self.verbose or self.log_file else "; -v or --log-file FILE shows where"
        text = f"internal error: {type(error).__name__}: {error}{where}"
        self._complain(text)
        told = "".join(traceback.format_exception(error))
        if self.verbose:
            with _reader_may_leave(sys.stderr):
                sys.stderr.write(told)
        if self._log is not None:
            self._log.write(told)
        return self.not_begun(1, text, "internal")

    def stopped(self, exit_code: int) -> int:
        """A signal came before there was a run to drain."""
        text = "stopped before any host was touched"
        self._complain(text)
        return self.not_begun(exit_code, text, "interrupted")

    def not_begun(self, exit_code: int, text: str, slug: str) -> int:
        """All that there is to leave where there is no report, but for the sentence itself.

        Returns the exit code.
        """
        self._note(f"ended before it began; exit {exit_code}: {meaning(exit_code)}")
        if self.format == "json":
            self._print_json(failure_document(self.command, exit_code, text, slug))
        ending = self.reports.ending(self.command, exit_code, error=text, slug=slug)
        for problem in self.reports.write(ending):
            self._complain(problem)
        self._tell_pipeline(ending)
        return exit_code

    def _complain(self, text: str) -> None:
        with _reader_may_leave(sys.stderr):
            sys.stderr.write(f"error: {clean(text)}\n")
            sys.stderr.flush()
        self._note(f"error: {text}")

    def _note(self, text: str) -> None:
        """In the log file, if there is one, as long as it can be written."""
        if self._log is not None:
            with contextlib.suppress(OSError):
                self._log.say(text)


def failure_document(command: str, exit_code: int, text: str, slug: str) -> dict[str, Any]:
    """What ``-o json`` prints when there is no report."""
    return {
        "schema": SCHEMA,
        "command": command,
        "exit_code": exit_code,
        "status": "failed",
        "error": text,
        "slug": slug,
    }


@contextlib.contextmanager
def _reader_may_leave(stream: TextIO) -> Any:  # noqa: ANN401 - a generator; contextlib types it
    """``| head`` closes the pipe early: that is the reader's right and not a failure of the deploy."""
    try:
        yield
    except BrokenPipeError:
        # Python flushes once more at exit; from here on that must go nowhere.
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, stream.fileno())
        os.close(devnull)
