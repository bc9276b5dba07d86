"""``fleetpush demo``: settings in, the report and its proof out."""

import json
import sys
import types
from dataclasses import dataclass

import pytest
from typer.testing import CliRunner

from fleetpush.cli.main import app
from tests.report.feed import feed


@pytest.fixture
def outcome(monkeypatch):
    """A demo module whose outcome the test decides."""
    decided = types.SimpleNamespace(report=feed(4)[-1].report, proof=["all there"], ok=True)

    @dataclass(frozen=True, kw_only=True)
    class DemoSettings:
        hosts: int
        size: int
        topology: str
        encrypt: bool
        keep: bool

    async def demo(settings, observer, on_run):
        decided.settings = settings
        return decided

    module = types.ModuleType("fleetpush.demo.run")
    module.DemoSettings, module.demo = DemoSettings, demo
    monkeypatch.setitem(sys.modules, "fleetpush.demo.run", module)
    monkeypatch.setattr("fleetpush.demo.run", module, raising=False)
    return decided


def invoke(*words):
    return CliRunner().invoke(app, ["demo", *words])


def test_flags_become_settings(outcome):
    invoke("--hosts", "5", "--size", "1M", "--topology", "star", "--keep", "--no-encrypt")
    given = outcome.settings
    assert (given.hosts, given.size, given.topology) == (5, 1 << 20, "star")
    assert (given.keep, given.encrypt) == (True, False)


def test_the_proof_follows_the_recap(outcome):
    result = invoke()
    assert result.exit_code == 0
    assert result.stdout.endswith("\nall there\n")


def test_the_proof_is_in_the_document(outcome):
    document = json.loads(invoke("-o", "json").stdout)
    assert (document["command"], document["proof"]) == ("demo", ["all there"])


def test_homes_that_disprove_the_report_win(outcome):
    outcome.ok = False
    result = invoke("-o", "json")
    document = json.loads(result.stdout)
    assert result.exit_code == document["exit_code"] == 3
    assert document["status"] == "failed"
