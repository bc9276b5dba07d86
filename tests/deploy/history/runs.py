"""Runs for the history to record: the scripted feed, played at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from fleetpush.deploy.history.history import History
from fleetpush.deploy.history.recorder import recording
from fleetpush.deploy.options import DeployOptions
from fleetpush.deploy.progress import RunFinished, RunStarted
from tests.report.feed import feed

if TYPE_CHECKING:
    from pathlib import Path

    from fleetpush.deploy.progress import Event

OPTIONS = DeployOptions(sources=("model.pt",), inventories=("dc1.yaml",))


class Heard:
    """An observer that keeps what it heard."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def handle(self, event: Event) -> None:
        self.events.append(event)


def run_of(run_id: str, hosts: int = 12) -> list[Event]:
    """The feed, as the run ``run_id``."""
    events = feed(hosts)
    first, last = events[0], events[-1]
    assert isinstance(first, RunStarted)
    assert isinstance(last, RunFinished)
    report = replace(last.report, run_id=run_id)
    return [replace(first, run_id=run_id), *events[1:-1], replace(last, report=report)]


def record(
    state_dir: Path,
    events: list[Event],
    options: DeployOptions = OPTIONS,
    *,
    retry_of: str | None = None,
    error: BaseException | None = None,
) -> tuple[Heard, list[str]]:
    """Plays ``events`` into the history, then raises ``error``; what was heard, and what was warned of."""
    heard, warnings = Heard(), []

    async def play() -> None:
        history = History.open(state_dir)
        recorder = recording(history, options, heard, warnings.append, retry_of=retry_of)
        async with recorder as observer:
            for event in events:
                observer.handle(event)
                await asyncio.sleep(0)
            if error is not None:
                raise error

    try:
        asyncio.run(play())
    except BaseException as caught:
        if caught is not error:
            raise
    return heard, warnings
