"""What cron and pipelines ask of a verb: files for other programs, however it ends."""

import json
import os
import signal

import pytest
from junitparser import JUnitXml
from typer.testing import CliRunner

from fleetpush.cli.main import app
from fleetpush.errors import InputError
from fleetpush.report.junit import THE_RUN

WORDS = ["deploy", "model.pt", "-i", "dc1.yaml"]


def invoke(*words, **more):
    return CliRunner().invoke(app, [*WORDS, *words], **more)


@pytest.fixture
def junit(tmp_path):
    """Reads the report that a run leaves: the problems of each case."""

    def read():
        (suite,) = JUnitXml.fromfile(str(junit.path))
        return {case.name: [p.type for p in case.result] for case in suite}

    junit = read
    junit.path = tmp_path / "run.xml"
    return junit


def test_the_test_report_has_the_hosts_and_when_they_were_done(script, junit):
    assert invoke("--junit", str(junit.path)).exit_code == 3
    found = junit()
    assert found["node6"] == ["no_python"]
    assert sum(not problems for problems in found.values()) == 11
    (suite,) = JUnitXml.fromfile(str(junit.path))
    failed_at = next(e.at for e in script.events if getattr(e, "slug", "") == "no_python")
    assert next(c.time for c in suite if c.name == "node6") == pytest.approx(failed_at, abs=1e-3)


def test_a_run_that_cannot_begin_is_one_failing_case(script, junit):
    script.error = InputError("dc1.yaml: no such inventory")
    assert invoke("--junit", str(junit.path)).exit_code == 5
    assert junit() == {THE_RUN: ["bad_input"]}


def test_a_defect_of_ours_is_one_failing_case(script, junit):
    script.error = RuntimeError("odd")
    assert invoke("--junit", str(junit.path)).exit_code == 1
    assert junit() == {THE_RUN: ["internal"]}


def test_an_interrupted_run_leaves_its_report(script, junit):
    script.become_clean()
    script.waits = True
    script.started = lambda: os.kill(os.getpid(), signal.SIGTERM)
    assert invoke("--junit", str(junit.path)).exit_code == 143
    assert junit()[THE_RUN] == ["exit_143"]


def test_a_report_that_cannot_be_written_stops_the_run_before_it_begins(script, tmp_path):
    result = invoke("--junit", str(tmp_path / "none" / "run.xml"), "-o", "json")
    assert script.options is None
    document = json.loads(result.stdout)
    assert (result.exit_code, document["exit_code"], document["slug"]) == (5, 5, "report_file")
    assert result.stderr == f"error: {document['error']}\n"


def test_a_report_that_cannot_be_written_in_the_end_is_not_success(script, tmp_path, monkeypatch):
    script.become_clean()

    def full(path, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fleetpush.cli.reports.write_whole", full)
    result = invoke("--junit", str(tmp_path / "run.xml"), "-o", "json")
    assert json.loads(result.stdout)["exit_code"] == result.exit_code == 5
    assert "No space left on device" in result.stderr
