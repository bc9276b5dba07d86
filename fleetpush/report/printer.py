"""What every printer is: an observer that can be told that the run is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleetpush.deploy.progress import Event


class Printer(Protocol):
    """Shows a run as it goes. Never raises: a broken terminal must not break a deploy."""

    def handle(self, event: Event) -> None: ...

    def close(self) -> None:
        """Leaves the terminal as it was found. May be called twice."""


class Stream(Protocol):
    """Where lines go: stderr, a log file, a list in a test."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...


class Several:
    """One printer made of several: the terminal and the log file."""

    def __init__(self, printers: Sequence[Printer]) -> None:
        self._printers = tuple(printers)

    def handle(self, event: Event) -> None:
        for printer in self._printers:
            printer.handle(event)

    def close(self) -> None:
        for printer in self._printers:
            printer.close()


class Lines:
    """Writes whole lines, and stops for good when nobody listens any more (EPIPE, a full disk)."""

    def __init__(self, stream: Stream) -> None:
        self._stream: Stream | None = stream

    def write(self, line: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self._stream = None
