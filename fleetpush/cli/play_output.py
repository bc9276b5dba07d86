"""What the operator sees of playbooks: their own printers, their own recap."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, cast

from fleetpush.cli.output import Conclusion, Output
from fleetpush.deploy.play.report import PlayReport
from fleetpush.report.play.choose import play_printer
from fleetpush.report.play.plain import PlayPlainPrinter

if TYPE_CHECKING:
    from rich.text import Text

    from fleetpush.deploy.results import RunReport
    from fleetpush.report.logfile import LogFile
    from fleetpush.report.printer import Printer


class PlayOutput(Output):
    """As ``Output``. Its printers are handed on as any other's and hear of plays only."""

    def _shown(self) -> Printer:
        return cast("Printer", play_printer(self.progress, sys.stderr, os.environ))

    def _logged(self, log: LogFile) -> Printer:
        return cast("Printer", PlayPlainPrinter(log, mark=log.mark))

    def _deployed(self, conclusion: Conclusion) -> RunReport:
        assert isinstance(conclusion.report, PlayReport)
        return conclusion.report.as_run()

    def _recap(self, conclusion: Conclusion) -> list[Text]:
        from fleetpush.report.play.recap import recap  # noqa: PLC0415 - brings rich

        assert isinstance(conclusion.report, PlayReport)
        return recap(conclusion.report)
