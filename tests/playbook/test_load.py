"""What is read of a playbook: values with their types, templates for later, Ansible's spellings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fleetpush.inventory.amounts import Ports
from fleetpush.playbook.batches import BatchSize
from fleetpush.playbook.load import load_playbook
from fleetpush.playbook.model import Become, Condition, Flush, Play, Task, Template

if TYPE_CHECKING:
    from pathlib import Path


def read(folder: Path, text: str) -> Play:
    (folder / "x.yaml").write_text(text)
    return load_playbook("x.yaml", cwd=folder).plays[0]


def read_task(folder: Path, text: str) -> Task:
    indented = "\n".join("      " + line for line in text.splitlines())
    play = read(folder, f"- hosts: all\n  tasks:\n    -\n{indented}\n")
    (found,) = play.tasks
    assert isinstance(found, Task)
    return found


def test_the_keywords_of_a_play_are_typed(tmp_path: Path) -> None:
    play = read(
        tmp_path,
        """\
- name: Release
  hosts: [gpu, "!r07"]
  serial: [1, "10%", 100%]
  max_fail_percentage: 12.5%
  any_errors_fatal: "yes"
  order: sorted
  gather_facts: "no"
  strategy: linear
  tags: a, b
  become: true
  become_user: app
  vars: {x: 1}
  pre_tasks: [{command: one}]
  post_tasks: [{command: three}]
  tasks: [{command: two}, {meta: flush_handlers, tags: c}]
""",
    )
    assert (play.name, play.hosts, play.where) == ("Release", "gpu,!r07", "x.yaml:1")
    assert play.serial == (BatchSize(1), BatchSize(10, True), BatchSize(100, True))
    assert (play.max_fail_percentage, play.any_errors_fatal, play.order) == (12.5, True, "sorted")
    assert play.tags == {"a", "b"}
    assert [dict(block.values) for block in play.vars] == [{"x": 1}]
    steps = list(play.steps())
    commands = [step.arguments["cmd"] if isinstance(step, Task) else "" for step in steps]
    assert commands == ["one", "", "two", "", "", "three", ""]
    assert steps[3] == Flush(frozenset("abc"))
    assert all(isinstance(s, Flush) or s.become == Become(become=True, user="app") for s in steps)
    assert all("a" in step.tags for step in steps if isinstance(step, Task))


def test_the_keywords_of_a_task_are_typed(tmp_path: Path) -> None:
    task = read_task(
        tmp_path,
        """\
command: uptime
when: [a, "b == 'x'", true]
register: r
until: r is succeeded
retries: 3
delay: 2s
run_once: yes
ignore_errors: yes
changed_when: no
check_mode: no
no_log: yes
become: no
vars: {y: "{{ x }}"}
""",
    )
    where = [condition.where for condition in task.when]
    assert task.when == tuple(map(Condition, ("a", "b == 'x'", True), where))
    assert where == ["x.yaml:5"] * 3
    assert (task.register, task.retries, task.delay) == ("r", 3, 2.0)
    assert (task.run_once, task.ignore_errors, task.check_mode, task.no_log) == (
        True,
        True,
        False,
        True,
    )
    assert task.changed_when == (Condition(False, "x.yaml:12"),)
    assert task.become == Become(become=False)
    assert task.vars is not None
    assert task.vars.values == {"y": "{{ x }}"}


@pytest.mark.parametrize(
    "text",
    [
        "command: touch /x",
        "ansible.builtin.command: touch /x",
        "ansible.legacy.command: {cmd: touch /x}",
        "command: {}\nargs: {cmd: touch /x}",
    ],
)
def test_a_command_may_be_spelt_as_ansible_spells_it(tmp_path: Path, text: str) -> None:
    task = read_task(tmp_path, text)
    assert (task.action, task.arguments) == ("command", {"cmd": "touch /x"})


def test_a_command_takes_what_ansibles_takes(tmp_path: Path) -> None:
    text = """\
command:
  argv: [echo, 7, "{{ x }}"]
args: {chdir: /tmp, creates: /x, removes: /y, stdin: ""}
timeout: 1m
"""
    assert read_task(tmp_path, text).arguments == {
        "argv": Template(["echo", 7, "{{ x }}"], "x.yaml:5"),
        "chdir": "/tmp",
        "creates": "/x",
        "removes": "/y",
        "stdin": "",
        "timeout": 60.0,
    }


def test_a_push_takes_what_a_deploy_takes(tmp_path: Path) -> None:
    text = """\
push:
  src: [a.bin, b.bin]
  dest: "/srv/{{ inventory_hostname }}/"
  mode: 0640
  owner: 1000
  group: app
  topology: tree
  tree_fanout: 4
  chunk_size: 4M
  bwlimit: 0
  host_bwlimit: 1MB
  port_range: 5000-5010
  encrypt: no
  verify: full
  activate: together
  stall: 30
  deadline: 1h30m
  detach_grace: 0
  min_success: 99.5%
"""
    assert read_task(tmp_path, text).arguments == {
        "src": ("a.bin", "b.bin"),
        "dest": Template("/srv/{{ inventory_hostname }}/", "x.yaml:6"),
        "mode": 0o640,
        "owner": "1000",
        "group": "app",
        "topology": "tree",
        "tree_fanout": 4,
        "chunk_size": 4 << 20,
        "bwlimit": None,
        "host_bwlimit": 1_000_000,
        "port_range": Ports(5000, 5010),
        "encrypt": False,
        "verify": "full",
        "activate": "together",
        "stall": 30.0,
        "deadline": 5400.0,
        "detach_grace": 0.0,
        "min_success": 99.5,
    }


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("push: model.pt", {"src": ("model.pt",)}),
        ("push: {src: m, mode: 644}", {"src": ("m",), "mode": 0o644}),
        ("push: {src: m, mode: '0755'}", {"src": ("m",), "mode": 0o755}),
        ("push: {src: m, release_dir: /r, keep_releases: 5}",
         {"src": ("m",), "release_dir": "/r", "keep_releases": 5}),
        ("shell: |\n  a | b\n  c", {"cmd": "a | b\nc\n"}),
        ("wait_for: {port: '80', host: x, state: stopped, delay: 1}",
         {"port": 80, "host": "x", "state": "stopped", "delay": 1.0}),
        ("wait_for: {url: 'http://x/', status: [200, 204], interval: 2}",
         {"url": "http://x/", "status": (200, 204), "sleep": 2.0}),
        ("activate:", {}),
        ("activate: together", {"together": True}),
        ("activate: each", {"together": False}),
        ("activate: {threshold: 95%}", {"threshold": 95.0}),
        ("rollback: /srv/model", {"release_dir": "/srv/model"}),
        ("rollback: {release_dir: /r, to: 20260101}", {"release_dir": "/r", "to": "20260101"}),
    ],
)  # fmt: skip
def test_the_other_actions_are_typed(
    tmp_path: Path, text: str, arguments: dict[str, object]
) -> None:
    assert read_task(tmp_path, text).arguments == arguments


def test_what_holds_a_template_waits_for_the_run(tmp_path: Path) -> None:
    task = read_task(
        tmp_path, "command: x\nrun_once: '{{ once }}'\nretries: '{{ n }}'\nname: a {{ b }}"
    )
    assert task.run_once == Template("{{ once }}", "x.yaml:5")
    assert task.retries == Template("{{ n }}", "x.yaml:6")
    assert task.name == Template("a {{ b }}", "x.yaml:7")


def test_handlers_are_called_by_name_or_by_what_they_listen_to(tmp_path: Path) -> None:
    text = """\
- hosts: all
  tasks: [{command: a, notify: [restart, all of it]}, {command: b, notify: "{{ x }}"}]
  handlers:
    - {name: restart, command: c, listen: all of it}
    - {listen: [all of it], command: d, notify: restart}
"""
    first, second = read(tmp_path, text).handlers
    assert (first.name, first.listen) == ("restart", ("all of it",))
    assert (second.name, second.notify) == ("", ("restart",))


def test_files_of_variables_beat_those_of_the_play(tmp_path: Path) -> None:
    (tmp_path / "vars").mkdir()
    (tmp_path / "vars" / "a.yaml").write_text("x: file\n")
    (tmp_path / "b.yaml").write_text("# nothing\n")
    play = read(tmp_path, "- hosts: all\n  vars_files: [a.yaml, b.yaml]\n  vars: {x: play}\n")
    assert [dict(block.values) for block in play.vars] == [{"x": "play"}, {"x": "file"}]
    assert play.vars[1].place("x") == "vars/a.yaml:1"


def test_a_name_is_looked_for_in_playbooks(tmp_path: Path) -> None:
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "x.yaml").write_text("- hosts: all\n- hosts: web\n")
    found = load_playbook("x.yaml", cwd=tmp_path)
    assert found.name == "playbooks/x.yaml"
    assert [play.where for play in found.plays] == ["playbooks/x.yaml:1", "playbooks/x.yaml:2"]
