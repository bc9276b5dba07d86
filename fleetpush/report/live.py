"""The live view on a terminal: about eight frames a second, drawn by a thread of its own.

The thread keeps drawing while the run's event loop is busy; an event only takes a lock and is folded.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live

from fleetpush.deploy.progress import Notice, RunFinished, RunStarted
from fleetpush.report.cells import ASCII, UNICODE
from fleetpush.report.frame import frame, head
from fleetpush.report.sanitise import clean
from fleetpush.report.state import RunState

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from fleetpush.deploy.progress import Event

INTERVAL = 0.125
"""Seconds between two frames."""


class LivePrinter:
    """Draws the run on ``console``; leaves two lines of it there at the end. Never raises."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._state = RunState()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._offset: float | None = None
        self._size = console.size
        self._glyphs = UNICODE if console.encoding.startswith("utf") else ASCII
        self._live: Live | None = None
        self._thread: threading.Thread | None = None

    def handle(self, event: Event) -> None:
        with self._lock:
            self._state.fold(event)
            start = self._clock() - event.at
            if self._offset is None or isinstance(event, RunStarted):
                self._offset = start
            self._offset = min(self._offset, start)
        if isinstance(event, RunFinished):
            self.close()
        elif isinstance(event, Notice) and event.level == "info" and self._thread is None:
            self._guarded(lambda: self._console.print(clean(event.message)))  # what is waited for
        elif isinstance(event, RunStarted) and not self._ended.is_set():
            self._start()

    def close(self) -> None:
        """Stops drawing, shows the cursor, and leaves the head of the last frame."""
        if self._ended.is_set():
            return
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        self._guarded(self._leave)

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._draw, name="live-view", daemon=True)
        self._thread.start()

    def _draw(self) -> None:
        alive = self._guarded(self._open)
        while alive and not self._ended.wait(INTERVAL):
            alive = self._guarded(self._refresh)

    def _guarded(self, step: Callable[[], None]) -> bool:
        """False once the terminal is gone or a frame cannot be drawn: the run goes on unseen."""
        try:
            step()
        except Exception:  # noqa: BLE001 - no fault in a picture may end a deploy
            return False
        return True

    def _open(self) -> None:
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
            get_renderable=self._picture,
        )
        self._live.start(refresh=True)

    def _refresh(self) -> None:
        if self._console.size != self._size:
            self._resize()
        if self._live is not None:
            self._live.refresh()

    def _resize(self) -> None:
        """The terminal has wrapped the old frame anew, so it cannot be found again: start clean."""
        self._size = self._console.size
        if self._live is not None:
            self._live.stop()
        self._console.clear()
        self._open()

    def _picture(self) -> Group:
        width, height = self._console.size
        with self._lock:
            now = self._clock() - (self._offset or 0.0)
            lines = frame(self._state, now, width, height, self._glyphs)
        return Group(*lines)

    def _leave(self) -> None:
        if self._live is None:
            return
        self._live.stop()
        width = self._console.width
        for line in head(self._state, self._state.at, width, self._glyphs):
            self._console.print(line)
