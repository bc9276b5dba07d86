"""What a verb leaves behind for other programs, however it ends: reports, figures, annotations, the log."""

import json
import os
import signal
import sys
from dataclasses import replace

import pytest
from junitparser import JUnitXml
from typer.testing import CliRunner

from fleetpush.cli import reports
from fleetpush.cli.main import app, main
from fleetpush.deploy.progress import RunFinished
from fleetpush.errors import InputError
from fleetpush.report.junit import THE_RUN
from tests.report.endings import figures

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


@pytest.mark.parametrize(
    ("words", "variables", "code", "slug"),
    [
        (["--junit", "run.xml", "--metrics=run.prom", "--no-such-flag"], {}, 2, "usage"),
        (
            ["--junit=run.xml", "--metrics", "run.prom"],
            {"FLEETPUSH_STALL": "soon"},
            5,
            "bad_setting",
        ),
        (
            ["--stall", "x"],
            {"FLEETPUSH_JUNIT": "run.xml", "FLEETPUSH_METRICS": "run.prom"},
            2,
            "usage",
        ),
    ],
)
def test_a_command_line_that_cannot_be_read_is_reported_too(
    monkeypatch, capsys, tmp_path, words, variables, code, slug
):
    monkeypatch.chdir(tmp_path)
    for name, value in {**variables, "GITHUB_ACTIONS": "true"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["fleetpush", *WORDS, *words])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == code
    assert f'type="{slug}"' in (tmp_path / "run.xml").read_text()
    assert figures(tmp_path / "run.prom")[0]["run_exit_code"] == code
    assert capsys.readouterr().out.startswith(f"::error title=fleetpush deploy%3A {slug}::")


def test_a_verb_that_is_no_job_leaves_no_report(monkeypatch, tmp_path):
    monkeypatch.setenv("FLEETPUSH_JUNIT", str(tmp_path / "run.xml"))
    monkeypatch.setattr(sys, "argv", ["fleetpush", "config", "--junit", str(tmp_path / "run.xml")])
    with pytest.raises(SystemExit):
        main()
    assert list(tmp_path.glob("*.xml")) == []


# -- metrics


def test_metrics_are_of_the_last_run_however_it_ended(script, tmp_path):
    path = tmp_path / "footage.prom"
    script.become_clean()
    invoke("--metrics", str(path))
    well, names = figures(path)
    assert names == {"footage"}
    assert well["run_success"] == 1
    script.error = InputError("dc1.yaml: no such inventory")
    invoke("--metrics", str(path), "--metrics-job", "other")
    failed, names = figures(path)
    assert names == {"other"}
    assert (failed["run_success"], failed["run_exit_code"]) == (0, 5)
    assert "success_timestamp_seconds" not in failed
    invoke("--metrics", str(path), "--metrics-job", "other")
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["footage.prom"]


def test_metrics_keep_when_it_was_last_well(script, tmp_path):
    path = tmp_path / "footage.prom"
    script.become_clean()
    invoke("--metrics", str(path))
    at = figures(path)[0]["success_timestamp_seconds"]
    script.error = InputError("dc1.yaml: no such inventory")
    invoke("--metrics", str(path))
    assert figures(path)[0]["success_timestamp_seconds"] == at


def test_metrics_know_of_a_report_that_could_not_be_written(script, tmp_path, monkeypatch):
    script.become_clean()
    real = reports.write_whole

    def full(path, text):
        if path.suffix == ".xml":
            raise OSError(28, "No space left on device")
        real(path, text)

    monkeypatch.setattr(reports, "write_whole", full)
    path = tmp_path / "footage.prom"
    assert invoke("--metrics", str(path), "--junit", str(tmp_path / "run.xml")).exit_code == 5
    assert figures(path)[0]["run_exit_code"] == 5


def test_a_report_that_cannot_be_is_told_in_the_others(script, tmp_path, junit):
    path = tmp_path / "footage.prom"
    words = ["--junit", str(junit.path), "--metrics", str(tmp_path)]
    assert invoke(*words).exit_code == 5
    assert junit() == {THE_RUN: ["report_file"]}
    words = ["--junit", str(tmp_path), "--metrics", str(path)]
    assert invoke(*words).exit_code == 5
    assert figures(path)[0]["run_exit_code"] == 5


# -- GitHub Actions


@pytest.fixture
def step(tmp_path):
    """The variables of a step, and its summary."""
    return {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}


def summary(step):
    with open(step["GITHUB_STEP_SUMMARY"]) as file:
        return file.read()


def enough_hosts(script):
    """Some failed, and the run was told that this is good enough."""
    script.events[-1] = RunFinished(script.events[-1].at, replace(script.report, exit_code=0))


def test_a_failing_step_has_annotations_behind_the_recap_and_a_summary(script, step):
    result = invoke(env=step)
    *_, last = result.stdout.splitlines()
    assert last.startswith("::error title=fleetpush deploy%3A no_python (1 host)::node6: ")
    assert "::error" not in result.stderr
    assert summary(step).startswith(
        "### fleetpush deploy of <code>model.pt</code> to 12 hosts: failed"
    )


def test_with_json_the_document_is_alone_on_stdout(script, step):
    result = invoke("-o", "json", env=step)
    assert json.loads(result.stdout)["exit_code"] == 3
    assert result.stderr.splitlines()[-1].startswith("::error title=")


def test_what_enough_hosts_survived_is_a_warning(script, step):
    enough_hosts(script)
    result = invoke("--min-success", "90%", env=step)
    assert result.exit_code == 0
    assert "which is enough (--min-success)" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("::warning title=")
    assert ": passed" in summary(step)


def test_quiet_success_is_quiet_in_a_step_too_and_its_summary_is_written(script, step):
    enough_hosts(script)
    result = invoke("--progress", "quiet", env=step)
    assert (result.exit_code, result.output) == (0, "")
    assert "no&#95;python" in summary(step)
    assert invoke("--progress", "quiet", env={**step, "GITHUB_STEP_SUMMARY": "/"}).output == ""


def test_quiet_failure_is_on_stderr_alone(script, step):
    result = invoke("--progress", "quiet", env=step)
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1].startswith("::error title=")


def test_a_step_that_could_not_begin_says_why(script, step):
    script.error = InputError("dc1.yaml: no such inventory")
    result = invoke(env=step)
    assert (
        result.stdout
        == "::error title=fleetpush deploy%3A bad_input::dc1.yaml: no such inventory\n"
    )
    assert "no such inventory" in summary(step)


def test_summaries_of_one_step_stand_below_each_other_until_it_is_full(script, step):
    with open(step["GITHUB_STEP_SUMMARY"], "w") as file:
        file.write("mine")
    invoke(env=step)
    invoke(env=step)
    assert summary(step).count("\n### fleetpush deploy") == 2
    assert summary(step).startswith("mine\n###")
    with open(step["GITHUB_STEP_SUMMARY"], "w") as file:
        file.write("x" * (1024 * 1024 - 10))
    result = invoke(env=step)
    assert "is full: this run is not in it" in result.stderr
    assert len(summary(step)) == 1024 * 1024 - 10


def test_a_summary_that_cannot_be_written_is_a_warning_and_no_failure(script, step):
    script.become_clean()
    result = invoke(env={**step, "GITHUB_STEP_SUMMARY": "/nowhere/summary.md"})
    assert result.exit_code == 0
    assert "warning: cannot add to the step's summary /nowhere/summary.md" in result.stderr


def test_elsewhere_there_is_nothing_of_it(script):
    assert "::" not in invoke(env={"GITHUB_ACTIONS": "", "GITHUB_STEP_SUMMARY": ""}).output


# -- the log


def test_the_log_has_what_went_wrong_before_a_run_began(script, tmp_path):
    log = tmp_path / "run.log"
    script.error = InputError("dc1.yaml: no such inventory")
    assert invoke("--log-file", str(log), "--progress", "quiet").exit_code == 5
    first, second = log.read_text().splitlines()
    assert first.endswith(f"[{os.getpid()}] error: dc1.yaml: no such inventory")
    assert second.endswith(
        "ended before it began; exit 5: bad inventory, playbook, source or configuration"
    )
    result = invoke("--log-file", str(log), "--junit", str(tmp_path))
    assert result.stderr.removeprefix("error: ").strip() in log.read_text()


def test_the_log_has_the_whole_of_a_quiet_run(script, tmp_path):
    script.become_clean()
    log = tmp_path / "run.log"
    assert invoke("--log-file", str(log), "--progress", "quiet").output == ""
    lines = log.read_text().splitlines()
    assert "deploy to 12 hosts" in lines[0]
    assert "finished in" in lines[-1]
