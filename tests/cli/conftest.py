"""A run that only plays its script stands in for the real one; whoever runs the tests has no settings."""

import asyncio
import os
import secrets
import sys
import types

import pytest

from fleetpush.deploy.progress import RunFinished
from tests.report.feed import feed


@pytest.fixture(autouse=True)
def no_settings(monkeypatch, tmp_path):
    """Neither variables nor a file of the user's, and no pipeline that the tests run in."""
    for name in list(os.environ):
        if name.startswith(("FLEETPUSH_", "GITHUB_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nobody"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


class Script:
    """What the fake run will do, and what it was told."""

    def __init__(self):
        self.events = feed(12)
        self.error = None
        self.fails = None
        self.waits = False
        self.options = None
        self.interrupts = []
        self.started = None

    @property
    def report(self):
        return self.events[-1].report

    def become(self, run_id):
        """No two runs have one id."""
        from dataclasses import replace

        first, *events, last = self.events
        self.events = [replace(first, run_id=run_id), *events]
        self.events.append(replace(last, report=replace(last.report, run_id=run_id)))

    def become_clean(self):
        """All hosts are well: the exit code is 0."""
        from dataclasses import replace

        from fleetpush.deploy.results import HostStatus

        good = tuple(r for r in self.report.results if r.status.good)
        assert any(r.status is HostStatus.VERIFIED for r in good)
        report = replace(self.report, results=good, exit_code=0)
        self.events = [*self.events[:-1], RunFinished(self.events[-1].at, report)]


@pytest.fixture
def script(monkeypatch):
    script = Script()

    class Run:
        def __init__(self, options, observer, memory=None):
            script.options, self.observer = options, observer
            script.become(secrets.token_hex(16))
            self.ended = asyncio.Event()

        async def execute(self):
            if script.error is not None:
                raise script.error
            for event in script.events[:-1]:
                self.observer.handle(event)
            if script.fails is not None:
                raise script.fails
            if script.waits:
                script.started()
                await self.ended.wait()
            self.observer.handle(script.events[-1])
            return script.report

        def interrupt(self, exit_code):
            from dataclasses import replace

            script.interrupts.append(exit_code)
            report = replace(script.report, exit_code=exit_code)
            script.events[-1] = RunFinished(script.events[-1].at, report)
            self.ended.set()

    module = types.ModuleType("fleetpush.deploy.runner")
    module.Run = Run
    monkeypatch.setitem(sys.modules, "fleetpush.deploy.runner", module)
    return script
