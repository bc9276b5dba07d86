"""``fleetpush runs``: what was recorded is listed, shown as it was printed, and done again for who failed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fleetpush.cli import password
from fleetpush.cli.main import app
from fleetpush.deploy.history.alive import Pulse
from fleetpush.deploy.history.history import History
from fleetpush.deploy.progress import HostFinished, SourceReady
from fleetpush.errors import InputError
from tests.report.feed import ESCAPES

NODES = "all: {hosts: {'node[1-12]': }}\n"


@pytest.fixture(autouse=True)
def desk(tmp_path, monkeypatch):
    """A working directory with an inventory of the twelve hosts that the script plays."""
    here = tmp_path / "here"
    here.mkdir()
    (here / "dc1.yaml").write_text(NODES)
    monkeypatch.chdir(here)
    return here


def invoke(*words, **more):
    result = CliRunner().invoke(app, words, **more)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def deploy(*words, **more):
    """A deploy in which node6 fails; its id."""
    invoke("deploy", "model.pt", "-i", "dc1.yaml", *words, **more)
    return runs()[0]["run_id"]


def runs():
    result = invoke("runs", "list", "-o", "json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)["runs"]


# -- list


def test_list_has_the_newest_first_with_what_became_of_it(script):
    first = deploy()
    script.become_clean()
    second = deploy()
    result = invoke("runs", "list")
    assert result.exit_code == 0
    head, newest, oldest = (line.split() for line in result.stdout.splitlines())
    assert head == ["RUN", "BEGUN", "COMMAND", "HOSTS", "STATUS", "EXIT", "TOOK", "SOURCE"]
    assert newest[0] == second[:12]
    assert newest[2:7] == ["ago", "deploy", "11/12", "ok", "0"]
    assert oldest[0] == first[:12]
    assert oldest[2:7] == ["ago", "deploy", "11/12", "failed", "3"]
    assert oldest[-1] == "model.pt"
    assert len(invoke("runs", "list", "-n", "1").stdout.splitlines()) == 2


def test_list_as_json(script):
    run_id = deploy()
    row = runs()[0]
    assert row["run_id"] == run_id
    assert (row["status"], row["exit_code"], row["retry_of"]) == ("failed", 3, None)
    assert row["hosts"] == {"total": 12, "verified": 11, "lost": 1}
    assert row["began"].endswith("+00:00")
    assert row["began"] <= row["ended"]


def test_list_without_any_runs_says_so(tmp_path):
    result = invoke("runs", "list")
    assert result.exit_code == 0
    assert "no run is recorded in" in result.stdout
    assert runs() == []
    assert not (tmp_path / "state").exists()


def test_the_place_is_a_setting(script, tmp_path):
    place = {"FLEETPUSH_STATE_DIR": str(tmp_path / "other")}
    invoke("deploy", "model.pt", "-i", "dc1.yaml", env=place)
    assert runs() == []
    assert "deploy" in invoke("runs", "list", env=place).stdout
    assert "deploy" in invoke("runs", "list", "--state-dir", str(tmp_path / "other")).stdout


def test_a_source_with_an_odd_name_drives_no_terminal(script):
    at = next(i for i, event in enumerate(script.events) if isinstance(event, SourceReady))
    script.events[at] = replace(script.events[at], name=f"{ESCAPES} \udcff")
    deploy()
    shown = invoke("runs", "list").stdout
    assert "\\x1b[2J" in shown
    assert "\x1b" not in shown


# -- show


def test_show_prints_the_recap_as_the_run_did(script):
    printed = invoke("deploy", "model.pt", "-i", "dc1.yaml").stdout
    result = invoke("runs", "show", "last")
    assert result.exit_code == 0
    assert result.stdout.startswith(printed)
    more = result.stdout.removeprefix(printed)
    assert "begun 20" in more
    assert "warning: bastion: known_hosts has no key of the jump host" in more
    assert f"to try 1 host again: fleetpush runs retry {runs()[0]['run_id']}" in more


def test_show_as_json_prints_the_runs_own_document(script):
    printed = invoke("deploy", "model.pt", "-i", "dc1.yaml", "-o", "json").stdout
    run_id = json.loads(printed)["run_id"]
    assert invoke("runs", "show", run_id[:6], "-o", "json").stdout == printed


def test_show_of_a_run_that_never_got_to_its_source(script, monkeypatch):
    script.error = None
    events = script.events
    script.events = [events[0], events[-1]]
    monkeypatch.setattr(script, "fails", InputError("model.pt: no such file"))
    assert invoke("deploy", "model.pt", "-i", "dc1.yaml").exit_code == 5
    shown = invoke("runs", "show", "last")
    assert "error: model.pt: no such file" in shown.stdout
    assert "node[1-12] (12)" in shown.stdout
    document = json.loads(invoke("runs", "show", "last", "-o", "json").stdout)
    assert (document["exit_code"], document["status"]) == (5, "failed")


def killed(script):
    """A run that was killed when half of its hosts were done."""
    run_id = deploy()
    place = History.open()
    done = {e.host for e in script.events if isinstance(e, HostFinished) and e.host < "node2"}
    with place.writing(durable=True) as database:
        database.execute("UPDATE runs SET ended = NULL, exit_code = NULL, good = ?", (len(done),))
        database.execute("DELETE FROM bodies")
        database.execute("UPDATE hosts SET status = NULL WHERE name >= 'node2'")
    place.close()
    return run_id


def test_a_killed_run_is_interrupted(script):
    run_id = killed(script)
    assert (runs()[0]["status"], runs()[0]["exit_code"]) == ("interrupted", None)
    line = invoke("runs", "list").stdout.splitlines()[1].split()
    assert line[5:8] == ["interrupted", "-", "-"]
    shown = invoke("runs", "show", run_id).stdout
    assert "failed: interrupted (8 hosts)" in shown
    assert "its process was killed before the end" in shown
    document = json.loads(invoke("runs", "show", run_id, "-o", "json").stdout)
    assert (document["status"], document["exit_code"]) == ("interrupted", None)
    assert document["hosts"]["verified"] == 4


def test_a_run_that_goes_on_is_shown_as_far_as_it_has_come(script):
    run_id = killed(script)
    pulse = Pulse(History.open().state_dir, run_id)
    assert runs()[0]["status"] == "running"
    shown = invoke("runs", "show", run_id).stdout
    assert "it still goes on: 5 of 12 hosts are done" in shown
    assert "interrupted" not in shown
    result = invoke("runs", "retry", run_id)
    assert result.exit_code == 5
    assert "still goes on" in result.stderr
    pulse.release()


@pytest.mark.parametrize(
    ("verb", "more"), [("show", ()), ("retry", ()), ("report", ("--html", "page.html"))]
)
def test_a_run_that_is_not_there(script, verb, more):
    result = invoke("runs", verb, "last", *more)
    assert result.exit_code == 5
    assert "no run is recorded" in result.stderr
    deploy()
    result = invoke("runs", verb, "zz", *more)
    assert result.exit_code == 5
    assert "see: fleetpush runs list" in result.stderr


# -- report


def test_report_writes_a_page(script, tmp_path):
    run_id = deploy()
    result = invoke("runs", "report", "last", "--html", str(tmp_path / "page.html"))
    assert (result.exit_code, result.output) == (0, "")
    text = (tmp_path / "page.html").read_text()
    assert text.startswith("<!DOCTYPE html>")
    assert run_id in text
    assert "node12" in text
    assert [path.name for path in tmp_path.glob("*page*")] == ["page.html"]


def test_report_goes_to_stdout_too(script):
    deploy()
    assert "<!DOCTYPE html>" in invoke("runs", "report", "last", "--html", "-").stdout
    piped = invoke("runs", "report", "last", "--html", "/dev/null")
    assert (piped.exit_code, piped.output) == (0, "")
    assert not Path("/dev/null").is_file()


def test_report_of_a_killed_run_says_what_is_known(script, tmp_path):
    killed(script)
    assert invoke("runs", "report", "last", "--html", str(tmp_path / "p.html")).exit_code == 0
    assert "its process was killed before the end" in (tmp_path / "p.html").read_text()


def test_a_page_that_cannot_be_written_is_told(script, tmp_path):
    deploy()
    result = invoke("runs", "report", "last", "--html", str(tmp_path / "none" / "p.html"))
    assert result.exit_code == 5
    assert "there is no directory" in result.stderr
    (tmp_path / "folder").mkdir()
    result = invoke("runs", "report", "last", "--html", str(tmp_path / "folder"))
    assert result.exit_code == 5


# -- retry


def test_retry_deploys_to_the_hosts_that_failed_as_the_run_did(script):
    run_id = deploy("-l", "node[1-12]", "--dest", "/srv/", "-f", "7", "-e", "a=1")
    before = script.options
    result = invoke("runs", "retry", run_id[:8])
    assert result.exit_code == 3, result.stderr
    assert f"a retry of run {run_id}" in result.stderr
    assert script.options == replace(
        before, limit="node6", sources=(str(Path.cwd() / "model.pt"),), chunk_size=4194304
    )
    assert runs()[0]["retry_of"] == run_id
    assert f"a retry of run {run_id}" in invoke("runs", "show", "last").stdout
    assert f"retry of {run_id[:12]}" in invoke("runs", "list").stdout


def test_a_retry_can_be_retried(script):
    deploy()
    invoke("runs", "retry", "last")
    invoke("runs", "retry", "last", "-f", "3")
    assert (script.options.limit, script.options.ssh.forks) == ("node6", 3)


def test_a_killed_run_is_retried_where_it_was_not_done(script):
    run_id = killed(script)
    invoke("runs", "retry", run_id)
    assert script.options.limit == "node2,node3,node4,node5,node6,node7,node8,node9"


def test_where_all_is_well_there_is_nothing_to_retry(script):
    script.become_clean()
    deploy()
    script.options = None
    result = invoke("runs", "retry", "last")
    assert result.exit_code == 0
    assert "there is nothing to retry" in result.stdout
    assert script.options is None
    document = json.loads(invoke("runs", "retry", "last", "-o", "json").stdout)
    assert (document["exit_code"], document["hosts"]) == (0, 0)


def test_retry_counts_names_from_where_the_run_was_started(script, desk, tmp_path, monkeypatch):
    deploy("-e", "@vars.yml")
    (desk / "vars.yml").write_text("a: 1\n")
    (tmp_path / "more.yml").write_text("b: 1\n")
    monkeypatch.chdir(tmp_path)
    result = invoke("runs", "retry", "last", "-e", "@more.yml", "--log-file", "log")
    assert result.exit_code == 3, result.stderr
    assert script.options.extra_vars == ("@vars.yml", f"@{tmp_path / 'more.yml'}")
    assert (tmp_path / "log").exists()
    assert Path.cwd() == desk


def test_a_directory_that_is_gone_is_named(script, desk, tmp_path, monkeypatch):
    deploy()
    monkeypatch.chdir(tmp_path)
    desk.rename(tmp_path / "moved")
    result = invoke("runs", "retry", "last")
    assert result.exit_code == 5
    assert str(desk) in result.stderr


def test_hosts_that_are_gone_are_named(script, desk):
    killed(script)
    (desk / "dc1.yaml").write_text("all: {hosts: {'node[4-6]': }}\n")
    result = invoke("runs", "retry", "last")
    assert "dc1.yaml no longer has node[2-3,7-9] (5 hosts): left out" in result.stderr
    assert script.options.limit == "node4,node5,node6"
    (desk / "dc1.yaml").write_text("all: {hosts: {other: }}\n")
    result = invoke("runs", "retry", "last")
    assert result.exit_code == 5
    assert "no longer has node6: there is nobody left of that run" in result.stderr


def test_a_host_that_a_group_is_called_like_is_not_confused_with_it(script, desk):
    deploy()
    (desk / "dc1.yaml").write_text("node6: {hosts: {node6: , node7: }}\n")
    script.options = None
    result = invoke("runs", "retry", "last")
    assert result.exit_code == 5
    assert "a group and a host of one name" in result.stderr
    assert script.options is None


def test_an_inventory_from_a_pipe_is_piped_again(script):
    invoke("deploy", "model.pt", "-i", "-", input=NODES)
    invoke("runs", "retry", "last", input=NODES)
    assert (script.options.inventories, script.options.limit) == (("-",), "node6")


def test_settings_of_today_do_not_change_what_is_done_again(script):
    deploy("-f", "7")
    invoke("runs", "retry", "last", env={"FLEETPUSH_FORKS": "99", "FLEETPUSH_USER": "x"})
    assert (script.options.ssh.forks, script.options.ssh.user) == (7, None)


# -- secrets


@pytest.fixture
def asks(monkeypatch):
    monkeypatch.setattr(password, "_check_terminal", lambda flag: None)
    monkeypatch.setattr(password.getpass, "getpass", lambda prompt: f"hunter2 {prompt[:3]}")


def test_passwords_are_asked_for_again(script, asks):
    deploy("-k", "-b", "-K")
    result = invoke("runs", "retry", "last", "-k")
    assert result.exit_code == 2
    assert "add -K" in result.stderr
    invoke("runs", "retry", "last", "-k", "-K")
    ssh = script.options.ssh
    assert (ssh.password, ssh.become_password, ssh.become) == ("hunter2 SSH", "hunter2 BEC", True)


def test_secret_variables_are_given_again(script):
    deploy("-e", "db_password=hunter2 site=ams")
    result = invoke("runs", "retry", "last")
    assert result.exit_code == 2
    assert "was given db_password with -e" in result.stderr
    result = invoke("runs", "retry", "last", "-e", "db_password=hunter3")
    assert result.exit_code == 3, result.stderr
    assert script.options.extra_vars == ('{"site": "ams"}', "db_password=hunter3")


def test_no_secret_is_in_any_file_of_the_history(script, asks, tmp_path):
    deploy("-k", "-e", "db_password=hunter2 site=ams")
    files = [path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert b"site" in b"".join(files)
    assert b"hunter2" not in b"".join(files)


# -- where it cannot be


def test_a_place_that_cannot_be_written_is_a_warning_and_the_run_goes_on(script):
    script.become_clean()
    words = ("deploy", "model.pt", "-i", "dc1.yaml", "--state-dir", "/proc/nothing")
    result = invoke(*words)
    assert result.exit_code == 0
    assert result.stderr.count("this run is not recorded") == 1
    assert "verified         11" in result.stdout


def test_a_history_of_a_newer_program_is_told_of(script, tmp_path):
    deploy()
    place = History.open()
    with place.writing(durable=True) as database:
        database.execute("PRAGMA user_version = 99")
    place.close()
    for words in (("list",), ("show", "last"), ("retry", "last")):
        result = invoke("runs", *words)
        assert result.exit_code == 5
        assert "written by a newer fleetpush" in result.stderr
    result = invoke("deploy", "model.pt", "-i", "dc1.yaml")
    assert result.exit_code == 3
    assert "this run is not recorded" in result.stderr
