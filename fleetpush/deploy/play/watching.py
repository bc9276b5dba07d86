"""How an exchange within a play goes, for whoever watches the play: a line now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleetpush.deploy.progress import (
    ActivationDecided,
    HostFinished,
    HostProgress,
    Notice,
    RunStarted,
    SourceReady,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleetpush.deploy.progress import Event

EVERY = 10.0
"""Seconds between two lines."""


class PushWatch:
    """``notice``: told a level and a text."""

    def __init__(self, notice: Callable[[str, str], None]) -> None:
        self._notice = notice
        self._hosts = self._finished = self._size = 0
        self._done: dict[str, int] = {}
        self._told_at = 0.0

    def handle(self, event: Event) -> None:
        """One event of the exchange."""
        match event:
            case RunStarted():
                self._hosts = len(event.hosts)
            case SourceReady():
                self._size = event.size
            case HostProgress():
                self._done[event.host] = event.bytes_done
            case HostFinished():
                self._finished += 1
            case ActivationDecided():
                self._notice("info", f"switching {len(event.hosts):,} hosts together")
            case Notice() if event.level != "info":
                self._notice(
                    event.level, f"{event.host}: {event.message}" if event.host else event.message
                )
            case _:
                pass
        if event.at - self._told_at >= EVERY and self._finished < self._hosts:
            self._told_at = event.at
            self._notice("info", self._standing())

    def _standing(self) -> str:
        total = self._size * self._hosts
        share = f", {100 * sum(self._done.values()) / total:.0f}% of the bytes" if total else ""
        return f"{self._finished:,} of {self._hosts:,} hosts are done{share}"
