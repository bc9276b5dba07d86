"""``--log-file``: lines with their time and process, appended whole, so that two runs may share one."""

from __future__ import annotations

import logging
import os
from datetime import datetime
from typing import TYPE_CHECKING

from fleetpush.report.plain import PlainPrinter
from fleetpush.report.sanitise import clean

if TYPE_CHECKING:
    from pathlib import Path


class LogFile:
    """A text stream: what is written at once is appended at once, by one call."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self._descriptor = os.open(
            path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666
        )
        self.mark = f"[{os.getpid()}] "
        """What each line says of who wrote it."""

    def write(self, text: str) -> None:
        data = text.encode("utf-8", "backslashreplace")
        while data:
            data = data[os.write(self._descriptor, data) :]

    def flush(self) -> None:
        """Nothing is held back."""

    def say(self, text: str) -> None:
        """A line that belongs to no event of a run."""
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        self.write(f"{now} {self.mark}{clean(text)}\n")

    def printer(self) -> PlainPrinter:
        """Writes every step of a run here."""
        return PlainPrinter(self, verbose=True, mark=self.mark)

    def handler(self) -> logging.Handler:
        """Writes what libraries log here."""
        handler = logging.StreamHandler(self)
        form = logging.Formatter(f"%(asctime)s {self.mark}%(name)s: %(message)s")
        form.default_time_format, form.default_msec_format = "%Y-%m-%dT%H:%M:%S%z", None
        handler.setFormatter(form)
        return handler

    def close(self) -> None:
        os.close(self._descriptor)
