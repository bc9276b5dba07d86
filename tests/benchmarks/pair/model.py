"""What is measured of one transfer, whoever did it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.machine import Cpu


class TransferError(Exception):
    """The transfer came to nothing."""


class Transfer(NamedTuple):
    """From the first byte sent until every copy is proved and synced (``makespan_s``), or only until all
    bytes are written (``moved_s``); ``cpu`` by the process's place in the line: sender, relay, receiver."""

    makespan_s: float
    moved_s: float
    cpu: dict[str, Cpu]


class Mover(Protocol):
    """Brings one file from process to process along a line of two or three."""

    name: str
    against: str
    """The name of the bare loop that it is measured by, which may be itself."""

    def run(self, source: Path, work: Path) -> Transfer:
        """``work`` is an empty folder for the copies. Raises TransferError."""
