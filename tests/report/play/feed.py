"""A roll-out to a hundred hosts that a canary batch of ten stops, as its events."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from fleetpush.deploy.play.options import PlayOptions
from fleetpush.deploy.play.performer import Call, Outcome
from fleetpush.deploy.play.run import PlayRun
from tests.deploy.play.local import Scripted

if TYPE_CHECKING:
    from fleetpush.deploy.play.events import PlayEvent
    from fleetpush.deploy.play.report import PlayReport

BOOK = """\
- hosts: all
  name: "Release \\e[31m"
  serial: [1, 10%, 100%]
  max_fail_percentage: 25
  tasks:
    - {name: push, push: {src: m}, notify: restart}
    - {name: maybe, command: maybe, when: inventory_hostname != "node3", ignore_errors: yes}
    - {name: again, command: again, retries: 1, delay: 0}
    - {name: health, command: health}
  handlers: [{name: restart, command: restart}]
"""
SICK = {
    "node5": Outcome("failed", "command_failed", "node5: it ended with 1"),
    "node7": Outcome("failed", "command_failed", "node7: it ended with 1"),
    "node9": Outcome("unreachable", "connection_lost", "the\nconnection \x1b[31mbroke"),
}


def _says(host: str, call: Call) -> Outcome:
    command = call.arguments.get("cmd")
    if command == "maybe" and host == "node4":
        return Outcome("failed", "command_failed", "it ended with 2")
    if command == "again" and host == "node6" and not _says.tried:
        _says.tried.append(host)
        return Outcome("failed", "command_failed", "not yet")
    if command == "health" and host in SICK:
        return SICK[host]
    return Outcome("changed" if call.action == "push" else "ok")


_says.tried = []


def feed(folder: Path) -> list[PlayEvent]:
    """All events; times and the run's name are the same each time."""
    (folder / "x.yaml").write_text(BOOK)
    _says.tried.clear()
    told: list[PlayEvent] = []

    class Listener:
        def handle(self, event: PlayEvent) -> None:
            told.append(event)

    here = Path.cwd()
    os.chdir(folder)
    try:
        options = PlayOptions(playbooks=("x.yaml",), inventories=("node[1-100],",))
        run = PlayRun(options, Listener(), lambda *_: Scripted(_says))
        run._run_id = "c0ffee"
        run.now = lambda: float(len(told))
        asyncio.run(run.execute())
    finally:
        os.chdir(here)
    return told


def report_of(told: list[PlayEvent]) -> PlayReport:
    return told[-1].report
