"""``fleetpush play``: what is looked at, what is played, what is printed where, and the exit codes."""

import json
import os
import signal

import pytest
from typer.testing import CliRunner

from fleetpush.cli.main import app
from fleetpush.deploy.play.performer import Outcome
from fleetpush.deploy.play.report import COUNTS
from tests.deploy.play.local import Scripted

BOOK = """\
- name: Release
  hosts: "{{ target | default('web') }}"
  serial: [1, 50%]
  tags: release
  tasks:
    - {name: Push it, push: model.pt, tags: push, notify: Restart}
    - {name: "Look at {{ port }}", wait_for: {port: "{{ port }}"}, tags: [health, never]}
    - command: uptime
  handlers: [{name: Restart, command: systemctl restart model}]
- hosts: db
"""
HOSTS = "[web]\nweb1\nweb2\nweb3\n[db]\ndb1\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hosts").write_text(HOSTS)
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "release.yaml").write_text(BOOK)
    return tmp_path


@pytest.fixture
def performer(monkeypatch):
    """Does nothing on any host; ``fail`` are those on which commands fail."""

    class Performer(Scripted):
        fail = ()
        options = None

        async def one(self, host, call, check):
            return self.says(host, call)

        def says(self, host, call):
            if host in self.fail and call.action == "command":
                return Outcome("failed", "command_failed", "it ended with 1")
            return Outcome("changed")

    made = Performer(None)

    def performer_for(options, inventory, observer):
        made.options = options
        return made

    monkeypatch.setattr("fleetpush.deploy.play.run.performer_for", performer_for)
    return made


def run(*words):
    return CliRunner().invoke(app, ["play", "release.yaml", *words])


def test_a_syntax_check_needs_no_inventory():
    result = run("--syntax-check")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "playbooks/release.yaml: no mistake found in 2 plays\n"


def test_tasks_are_listed_with_their_tags():
    assert run("--list-tasks").stdout.splitlines() == [
        "playbook: playbooks/release.yaml",
        "",
        "  play #1 (web): Release  tags: release",
        "    tasks:",
        "      Push it  tags: push, release",
        "      command  tags: release",
        "    handlers:",
        "      Restart  tags: release",
        "",
        "  play #2 (db): db",
    ]
    assert "Look at {{ port }}  tags: health, never" in run("--list-tasks", "-t", "health").stdout
    assert "Push it" not in run("--list-tasks", "--skip-tags", "push,x").stdout


def test_hosts_are_listed_batch_by_batch():
    lines = run("--list-hosts", "-i", "hosts").stdout.splitlines()
    assert lines[2:7] == [
        "  play #1 (web): Release  tags: release",
        "    3 hosts in 3 batches",
        "      batch 1: web1 (1)",
        "      batch 2: web2 (1)",
        "      batch 3: web3 (1)",
    ]
    limited = run("--list-hosts", "-i", "hosts", "-l", "db", "-e", "target=all").stdout
    assert limited.count("db1 (1)") == 2


def test_tags_are_listed():
    assert "    tags: push, release" in run("--list-tags").stdout.splitlines()


def test_what_is_listed_comes_as_json_too():
    document = json.loads(run("--list-tasks", "-i", "hosts", "-o", "json").stdout)
    assert (document["schema"], document["command"], document["exit_code"]) == (1, "play", 0)
    (book,) = document["playbooks"]
    first, _ = book["plays"]
    assert first["batches"] == [["web1"], ["web2"], ["web3"]]
    assert first["tasks"][0] == {
        "name": "Push it",
        "action": "push",
        "where": "playbooks/release.yaml:6",
        "tags": ["push", "release"],
    }


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ((), 2, "-i / --inventory is missing"),
        (("--list-hosts",), 2, "--list-hosts needs an inventory"),
        (("-i", "nowhere"), 5, "inventory nowhere: no such file"),
        (("-i", "hosts", "-l", "nobody"), 5, "--limit 'nobody' matches no host"),
        (("-i", "hosts", "-e", "target=wbe", "-l", "web"), 5, "no play has a host"),
        (("-i", "hosts", "--start-at-task", "Psh it"), 5, "did you mean 'Push it'?"),
        (("-i", "hosts", "--deadline", "soon"), 2, "is not a duration"),
    ],
)
def test_what_cannot_be_played_is_said_in_a_sentence(performer, words, code, says):
    result = run(*words)
    assert result.exit_code == code
    assert says in " ".join(result.stderr.replace("│", " ").split())
    assert result.stdout == ""
    assert performer.asked == []


def test_a_mistake_names_file_and_line_and_is_a_document_where_one_is_asked_for(folder):
    (folder / "bad.yaml").write_text("- hosts: web\n  tasks:\n    - comand: uptime\n")
    result = CliRunner().invoke(app, ["play", "bad.yaml", "--syntax-check", "-o", "json"])
    said = "bad.yaml:3: a task has no 'comand': did you mean 'command'?"
    assert result.exit_code == 5
    assert result.stderr == f"error: {said}\n"
    assert json.loads(result.stdout)["error"] == said


def test_a_play_is_played_and_its_recap_printed(performer):
    result = run("-i", "hosts", "--progress", "plain")
    assert result.exit_code == 0
    assert performer.asked[0] == ("Push it", ("web1",), False)
    title, db, web = result.stdout.splitlines()
    assert title == "PLAY RECAP"
    assert db.split() == ["db1", ":", *(f"{name}=0" for name in COUNTS)]
    assert web.split()[:5] == ["web[1-3]", "(3)", ":", "ok=3", "changed=3"]
    assert "TASK [Push it]" in result.stderr
    assert "HANDLER [Restart]" in result.stderr


def test_a_failing_canary_ends_with_8(performer):
    performer.fail = ("web1",)
    result = run("-i", "hosts", "-o", "json", "--progress", "quiet")
    document = json.loads(result.stdout)
    assert result.exit_code == document["exit_code"] == 8
    assert (document["command"], document["status"]) == ("play", "failed")
    assert document["hosts"]["untouched"] == 3
    assert "STOPPED" not in result.stderr
    assert "stopped in play Release" in result.stderr


def test_quiet_says_nothing_when_all_is_well(performer):
    result = run("-i", "hosts", "--progress", "quiet")
    assert (result.exit_code, result.output) == (0, "")


def test_events_come_as_lines_of_json(performer):
    result = run("-i", "hosts", "--progress", "json")
    kinds = [json.loads(line)["event"] for line in result.stderr.splitlines()]
    assert kinds[:3] == ["playbooks_started", "play_started", "batch_started"]
    assert kinds[-1] == "playbooks_finished"


def test_the_flags_reach_the_performer(performer, folder):
    log = folder / "log"
    result = run(
        "-i", "hosts", "-C", "-b", "-u", "deploy", "-f", "7", "-e", "port=80", "-t", "push,health",
        "-t", "x", "--progress", "quiet", "--log-file", str(log), "--deadline", "1h",
    )  # fmt: skip
    assert result.exit_code == 0
    options = performer.options
    assert (options.check, options.tags, options.deadline) == (True, ("push", "health", "x"), 3600)
    assert (options.ssh.become, options.ssh.user, options.ssh.forks) == (True, "deploy", 7)
    assert all(check for _, _, check in performer.asked)
    assert "TASK [Look at 80]" in log.read_text()


def test_settings_serve_play_too(performer, monkeypatch):
    monkeypatch.setenv("FLEETPUSH_INVENTORY", "hosts")
    monkeypatch.setenv("FLEETPUSH_FORKS", "9")
    result = run("--progress", "quiet")
    assert result.exit_code == 0
    assert performer.options.ssh.forks == 9


def test_the_first_ctrl_c_lets_the_task_end(performer):
    says = performer.says

    def interrupted(host, call):
        os.kill(os.getpid(), signal.SIGINT)
        return says(host, call)

    performer.says = interrupted
    result = run("-i", "hosts", "-o", "json", "--progress", "quiet")
    assert result.exit_code == 130
    assert json.loads(result.stdout)["plays"][0]["stopped"]["reason"] == "interrupted"


def test_the_shell_offers_playbooks(folder):
    from fleetpush.cli.completion import playbooks

    assert playbooks("rel") == ["release.yaml"]
    assert playbooks("hos") == []
    assert playbooks("x/rel") == []
