"""Whatever is wrong with a playbook: one sentence with its file, its line, and what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fleetpush.errors import InputError
from fleetpush.playbook.load import load_playbook

if TYPE_CHECKING:
    from pathlib import Path


def play(*lines: str) -> str:
    """A play whose further keywords begin in line 2."""
    return "\n".join(["- hosts: web", *(f"  {line}" for line in lines), ""])


def task(*lines: str) -> str:
    """A play with one task, which begins in line 3."""
    first, *others = lines
    return play("tasks:", f"  - {first}", *(f"    {line}" for line in others))


def handler(*lines: str) -> str:
    """A play with one handler, which begins in line 3."""
    first, *others = lines
    return play("handlers:", f"  - {first}", *(f"    {line}" for line in others))


CASES: dict[str, tuple[str, int, str]] = {
    # the file
    "empty": ("", 1, "the file is empty: a playbook is a list of plays"),
    "comments only": ("# later\n", 1, "the file is empty"),
    "no plays": ("[]\n", 1, "a playbook without a play does nothing"),
    "a mapping": ("hosts: web\n", 1, "a playbook must be a list, not a mapping: begin each with '- hosts:'"),
    "text": ("hello\n", 1, "a playbook must be a list, not 'hello'"),
    "a list of texts": ("- web\n", 1, "a play must be a mapping"),
    "a list of tasks": ("- name: x\n  command: echo\n", 2, "'command' is for a task: put it under 'tasks'"),
    "open bracket": ("- hosts: [web\n  tasks: []\n", 2, "expected ',' or ']'"),
    "tab": ("- hosts: web\n\ttasks: []\n", 2, "tab"),
    "two documents": ("- hosts: a\n---\n- hosts: b\n", 2, "another document"),
    "key twice": (play("tasks: []", "tasks: []"), 3, "'tasks' is here twice, first in line 2"),
    "unknown tag": (play("vars: !python/object:os.system {}"), 2, "is not supported"),
    "deep": ("- hosts: web\n  vars: {x: " + "[" * 5000 + "]" * 5000 + "}\n", 1, "nested too deeply"),
    # plays
    "no hosts": ("- name: x\n  tasks: []\n", 1, "a play needs 'hosts'"),
    "hosts empty": ("- hosts:\n", 1, "'hosts' is empty"),
    "hosts is a mapping": ("- hosts: {web: }\n", 1, "'hosts': must be text, not a mapping"),
    "unknown keyword": (play("seriel: 2"), 2, "a play has no 'seriel': did you mean 'serial'?"),
    "keyword with a dash": (play("max-fail-percentage: 2"), 2, "did you mean 'max_fail_percentage'?"),
    "like nothing": (play("xyzzy: 2"), 2, "a play has no 'xyzzy': there are any_errors_fatal, become"),
    "keyword of a task": (play("when: x"), 2, "'when' is for a task: put it under 'tasks'"),
    "source on a host": (task("push: {src: 'nas1:/a'}"), 3, "nas1:/a: a push takes files of this machine"),
    "action in a play": (play("push: x"), 2, "'push' is for a task: put it under 'tasks'"),
    "serial is a word": (play("serial: many"), 2, "'serial': 'many' is no batch size; write 5, '30%'"),
    "serial is negative": (play("serial: -1"), 2, "is no batch size"),
    "serial is a fraction": (play("serial: 2.5"), 2, "2.5 is no batch size"),
    "serial over 100%": (play("serial: 110%"), 2, "'110%' is no batch size"),
    "serial with a bad item": (play("serial: [1, ten]"), 2, "'ten' is no batch size"),
    "serial of nothing": (play("serial: []"), 2, "'serial': is an empty list"),
    "serial is true": (play("serial: yes"), 2, "is no batch size"),
    "percentage is a word": (play("max_fail_percentage: few"), 2, "must be a percentage such as 25"),
    "percentage over 100": (play("max_fail_percentage: 101"), 2, "is not a percentage"),
    "fatal perhaps": (play("any_errors_fatal: perhaps"), 2, "'perhaps' is neither true nor false"),
    "order": (play("order: random"), 2, "'order': must be inventory, reverse_inventory, sorted,"),
    "become perhaps": (play("become: root"), 2, "'become': 'root' is neither true nor false"),
    "become method": (play("become_method: pbrun"), 2, "must be sudo, doas or su, not 'pbrun'"),
    "tags of a mapping": (play("tags: {a: }"), 2, "'tags': must be text, not a mapping"),
    "tags that are a template": (play('tags: "{{ x }}"'), 2, "'tags' cannot be a template"),
    "facts": (play("gather_facts: yes"), 2, "there is no 'gather_facts' here: no facts are gathered"),
    "free strategy": (play("strategy: free"), 2, "every play is linear"),
    "roles": (play("roles: [nginx]"), 2, "there is no 'roles' here: write the tasks out"),
    "prompt": (play("vars_prompt: []"), 2, "there is no 'vars_prompt' here: give it with -e"),
    "connection": (play("connection: local"), 2, "say ansible_connection in the inventory, or -c"),
    "remote user": (play("remote_user: x"), 2, "say ansible_user in the inventory, or -u"),
    "import": ("- import_playbook: other.yaml\n", 1, "there is no 'import_playbook' here"),
    "tasks is a mapping": (play("tasks:", "  name: x"), 3, "'tasks' must be a list, not a mapping"),
    # variables
    "vars is a list": (play("vars: [x]"), 2, "'vars' must be a mapping, not a list"),
    "bad name": (play("vars:", "  a: 1", "  my-model: x"), 4, "'my-model' is no name for a variable"),
    "broken template": (play("vars:", "  a: 1", '  b: "{{ a"'), 4, "bad template: "),
    "unknown filter": (
        play('vars: {b: "{{ a | qoute }}"}'), 2,
        "no filter is named 'qoute'; did you mean 'quote'?",
    ),
    "no vars file": (play("vars_files: [nowhere.yaml]"), 2, "there is no file nowhere.yaml beside"),
    # tasks
    "task is text": (play("tasks:", "  - restart"), 3, "a task must be a mapping"),
    "task is empty": (play("tasks:", "  - {}"), 3, "a task is empty"),
    "no action": (task("name: x"), 3, "a task needs an action: one of push, command"),
    "misspelt action": (
        task("name: x", "comand: echo"), 4,
        "a task has no 'comand': did you mean 'command'?",
    ),
    "two actions": (task("push: x", "command: y"), 4, "a task does one thing, not 'push' and 'command'"),
    "misspelt keyword": (task("command: x", "regsiter: r"), 4, "did you mean 'register'?"),
    "play's keyword": (task("command: x", "serial: 1"), 4, "'serial' is for a play, not for a task"),
    "copy": (task("copy: {src: a, dest: b}"), 3, "there is no 'copy' here: push delivers files"),
    "full name": (task("ansible.builtin.systemd:", "  name: x"), 3, "write command: systemctl restart NAME"),
    "include": (task("include_tasks: x.yaml"), 3, "there is no 'include_tasks' here"),
    "block": (task("block: []"), 3, "there is no 'block' here"),
    "loop": (task("command: x", "loop: [1]"), 4, "there is no 'loop' here: write a task for each"),
    "with_fileglob": (task("command: x", "with_fileglob: a"), 4, "there is no 'with_fileglob' here"),
    "delegate": (task("command: x", "delegate_to: localhost"), 4, "there is no 'delegate_to' here: run it"),
    "environment": (task("command: x", "environment: {A: b}"), 4, "env NAME=value"),
    "meta end_play": (
        task("meta: end_play"), 3,
        "'meta' can be flush_handlers here and nothing else: use when",
    ),
    "meta of nothing": (task("meta: flush"), 3, "'meta' can be flush_handlers here and nothing else"),
    "meta with when": (task("meta: flush_handlers", "when: x"), 4, "'meta' takes no 'when'"),
    "register": (task("command: x", "register: my-result"), 4, "'my-result' is no name for a variable"),
    "when is a number": (task("command: x", "when: 7"), 4, "'when' must be an expression"),
    "when with braces": (
        task("command: x", 'when: "{{ x }}"'), 4,
        "'when': an expression stands without {{ }}",
    ),
    "when is broken": (task("command: x", "when: x =="), 4, "'when': bad template"),
    "second condition": (
        task("command: x", "when:", "  - x", "  - y is failde"), 6,
        "did you mean 'failed'?",
    ),
    "until is broken": (task("command: x", "until: (x"), 4, "'until': bad template"),
    "ignore perhaps": (task("command: x", "ignore_errors: some"), 4, "neither true nor false"),
    "retries": (task("command: x", "retries: -1"), 4, "must be a whole number from 0 up"),
    "delay": (task("command: x", "delay: soon"), 4, "'delay': 'soon' is not a duration"),
    "keyword of nothing": (task("command: x", "register:"), 4, "'register' is empty"),
    "notify nobody": (task("command: x", "notify: restart"), 4, "there is no handler 'restart'"),
    "listen": (task("command: x", "listen: y"), 4, "'listen' is for handlers"),
    # handlers
    "handler without a name": (handler("command: x"), 3, "a handler needs a 'name'"),
    "handler's name": (handler('name: "{{ x }}"', "command: x"), 3, "'name' cannot be a template"),
    "twins": (
        play("handlers:", "  - {name: a, command: x}", "  - {name: a, command: y}"),
        4,
        "a handler 'a' is there already: x.yaml:3",
    ),
    "nearest handler": (
        play("tasks:", "  - command: x", "    notify: restrat", "handlers:", "  - {name: restart, push: y}"),
        4,
        "there is no handler 'restrat': did you mean 'restart'?",
    ),
    # arguments
    "command of nothing": (task("command:"), 3, "command needs either 'cmd' or 'argv'"),
    "cmd and argv": (task("command:", "  cmd: x", "  argv: [x]"), 3, "needs either 'cmd' or 'argv'"),
    "a list of words": (task("command: [echo, hi]"), 3, "a list of words is its 'argv'"),
    "argv is text": (task("command:", "  argv: echo hi"), 4, "'argv': must be a list"),
    "argv in a shell": (task("shell:", "  argv: [x]"), 4, "shell has no 'argv'"),
    "misspelt argument": (task("command:", "  cmd: x", "  create: /x"), 5, "did you mean 'creates'?"),
    "inline creates": (task("command: touch /x creates=/x"), 3, "write it under args:"),
    "args is a list": (task("command: x", "args: [chdir]"), 4, "'args' must be a mapping"),
    "argument twice": (
        task("command: {cmd: x}", "args: {cmd: y}"), 4,
        "'cmd' is given twice, first in line 3",
    ),
    "timeout": (task("command: x", "timeout: 1:30"), 4, "'1:30' is not a duration"),
    "timeout of a push": (task("push: x", "timeout: 30"), 4, "push has no 'timeout'"),
    "push of nothing": (task("push:", "  dest: /x"), 3, "push needs 'src'"),
    "push a mapping": (task("push: {src: {a: b}}"), 3, "'src': must be text, not a mapping"),
    "mode": (task("push:", "  src: x", "  mode: rw-r--r--"), 5, "is not a mode in octal"),
    "size": (task("push: {src: x, chunk_size: 100}"), 3, "is not between 64K and 1G"),
    "rate": (task("push: {src: x, bwlimit: fast}"), 3, "'fast' is not a rate"),
    "rate in bits": (task("push: {src: x, bwlimit: 10Mbit}"), 3, "in bits"),
    "topology": (task("push: {src: x, topology: ring}"), 3, "must be auto, mesh, tree or star, not 'ring'"),
    "fan-out of a mesh": (task("push: {src: x, topology: mesh, tree_fanout: 2}"), 3, "needs a tree"),
    "gossip in a tree": (task("push: {src: x, topology: tree, discovery: gossip}"), 3, "for a mesh"),
    "flag's spelling": (task("push: {src: x, host-bwlimit: 1M}"), 3, "did you mean 'host_bwlimit'?"),
    "activate what": (task("push: {src: x, activate: later}"), 3, "must be each, together or none"),
    "success": (task("push: {src: x, min_success: 120%}"), 3, "is not a percentage"),
    "several into a file": (task("push: {src: [a, b], dest: /srv/x}"), 3, "end 'dest' in '/'"),
    "two places": (task("push: {src: a, dest: /x, release_dir: /y}"), 3, "both say where it goes"),
    "delete, and not": (
        task("push: {src: a/, dest: /x/, delete: true, activate: none}"),
        3,
        "leave one of",
    ),
    "keep of nothing": (task("push: {src: a, keep_releases: 3}"), 3, "goes with 'release_dir'"),
    "keep none": (task("push: {src: a, release_dir: /y, keep_releases: 0}"), 3, "from 1 up"),
    "broken template in an argument": (task("push:", "  src: x", '  dest: "{{ y }"'), 5, "bad template"),
    "wait for nothing": (task("wait_for: {timeout: 5}"), 3, "needs either 'port' or 'url'"),
    "wait for text": (task("wait_for: port=80"), 3, "wait_for must be a mapping"),
    "port": (task("wait_for: {port: 70000}"), 3, "must be a port from 1 to 65535"),
    "port is a word": (task("wait_for: {port: http}"), 3, "must be a whole number from 1 up"),
    "status": (task("wait_for: {url: 'http://x/', status: ok}"), 3, "must be a whole number"),
    "status of a port": (task("wait_for: {port: 80, status: 200}"), 3, "'status' goes with 'url'"),
    "state": (task("wait_for: {port: 80, state: drained}"), 3, "must be started or stopped"),
    "activate a word": (task("activate: now"), 3, "'activate' must be each or together"),
    "threshold alone": (task("activate: {together: no, threshold: 90%}"), 3, "switch together"),
    "rollback of nothing": (task("rollback: {to: x}"), 3, "rollback needs 'release_dir'"),
    "rollback to a list": (task("rollback: {release_dir: /x, to: [a]}"), 3, "'to': must be text"),
    "encrypted": (task('push: {src: !vault "x"}'), 3, "'src': must be text, not (vault-encrypted)"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_is_refused_with_file_and_line(tmp_path: Path, name: str) -> None:
    text, line, says = CASES[name]
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        load_playbook("x.yaml", cwd=tmp_path)
    said = str(caught.value)
    assert said.startswith(f"x.yaml:{line}: ")
    assert says in said
    assert "\n" not in said
    assert caught.value.exit_code == 5


def test_there_are_as_many_cases_as_promised() -> None:
    assert len(CASES) >= 40


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nowhere.yaml", "no such file, neither here nor in playbooks/"),
        ("relase.yaml", "did you mean release.yaml?"),
        ("release", "did you mean release.yaml?"),
        ("playbooks", "this is a directory"),
        ("", "the playbook's name is empty"),
        ("bytes.yaml", "not UTF-8"),
        ("vault.yaml", "vault-encrypted"),
        ("x" * 300, "File name too long"),
    ],
)
def test_what_is_no_file_to_read_is_named(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "release.yaml").write_text("- hosts: web\n")
    (tmp_path / "bytes.yaml").write_bytes(b"- hosts: \xff\n")
    (tmp_path / "vault.yaml").write_text("$ANSIBLE_VAULT;1.1;AES256\n61\n")
    with pytest.raises(InputError) as caught:
        load_playbook(name, cwd=tmp_path)
    assert says in str(caught.value)


def test_a_mistake_in_a_file_of_variables_is_found_there(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(play("vars_files: more.yaml"))
    (tmp_path / "more.yaml").write_text('a: 1\nb: "{{ a"\n')
    with pytest.raises(InputError, match=r"^more\.yaml:2: bad template"):
        load_playbook("x.yaml", cwd=tmp_path)


@pytest.mark.parametrize("template", ["{{ a[:b:c, d] }}", "{{ a[:b, 2:c] }}"])
def test_what_jinja_takes_and_cannot_compute_is_a_bad_template(
    tmp_path: Path, template: str
) -> None:
    (tmp_path / "x.yaml").write_text(play(f"vars: {{x: '{template}'}}"))
    with pytest.raises(InputError, match="bad template: it cannot be computed"):
        load_playbook("x.yaml", cwd=tmp_path)
