"""Whatever is wrong with an inventory, its variables or a limit: one sentence on it, and exit code 5.

Not one of these may end in a traceback, an internal error, or a run on half of the hosts.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from fleetpush.cli.main import app

GOOD = "all: {hosts: {a: , b: }}\n"


class Bad(NamedTuple):
    """Files, what is run on them, and what must be said."""

    says: str
    files: Mapping[str, str] = MappingProxyType({"inv": GOOD})
    flags: tuple[str, ...] = ("-i", "inv")
    verb: tuple[str, ...] = ("inventory", "list")


def yaml(says: str, text: str) -> Bad:
    return Bad(says, {"inv.yaml": text}, ("-i", "inv.yaml"))


def ini(says: str, text: str) -> Bad:
    return Bad(says, {"inv.ini": text}, ("-i", "inv.ini"))


def script(says: str, text: str) -> Bad:
    return Bad(says, {"inv.sh": f"#!/bin/sh\n{text}\n"}, ("-i", "./inv.sh"))


def beside(says: str, **files: str) -> Bad:
    named = {name.replace("__", "/"): text for name, text in files.items()}
    return Bad(says, {"inv": "[web]\na\nb\n", **named})


def flags(says: str, *words: str) -> Bad:
    return Bad(says, flags=("-i", "inv", *words))


def deploy(says: str, text: str, *words: str) -> Bad:
    """Found only by who uses the value."""
    verb = ("deploy", "source", "--progress", "quiet", *words)
    return Bad(says, {"inv.yaml": text, "source": "x"}, ("-i", "inv.yaml"), verb)


def host(variables: str) -> str:
    return f"all: {{hosts: {{a: {{{variables}}}}}}}\n"


DEEP = "[" * 5000 + "]" * 5000

CASES = {
    # YAML: form
    "no such file": flags("nowhere: no such file", "-i", "nowhere"),
    "name of nothing": flags("name is empty", "-i", ""),
    "empty file": yaml("inv.yaml:1: the file is empty", ""),
    "comments only": yaml("inv.yaml:1: the file is empty", "# later\n"),
    "a list": yaml("inv.yaml:1: an inventory must be a mapping, not a list", "- a\n- b\n"),
    "a number": yaml("must be a mapping", "7\n"),
    "unclosed bracket": yaml("inv.yaml:", "all:\n  hosts: {a: [\n"),
    "tab indent": yaml("inv.yaml:2:", "all:\n\thosts:\n"),
    "unknown tag": yaml("tag !python", "all: {vars: {x: !python/object:os.system {}}}\n"),
    "recursive alias": yaml("inv.yaml", "all: &x {vars: {y: *x}, hosts: {a: }}\n"),
    "key twice": yaml("'a' is here twice", "all:\n  hosts:\n    a:\n    a:\n"),
    "key is a list": yaml("a key is a list or a mapping", "all: {hosts: {? [1, 2] : }}\n"),
    "key is a number": yaml("must be text: put it in quotes", "all: {hosts: {7: }}\n"),
    "deep nesting": yaml("inv.yaml", f"all: {{vars: {{x: {DEEP}}}, hosts: {{a: }}}}\n"),
    "two documents": yaml("inv.yaml", GOOD + "---\n" + GOOD),
    "control character": yaml("inv.yaml:2:", "all:\n  hosts: {a\x07: }\n"),
    "impossible date": yaml("inv.yaml:1:", host("x: 2026-13-45")),
    # YAML: meaning
    "unknown section": yaml("did you mean 'hosts'", "all: {host: {a: }}\n"),
    "section at the top": yaml("'hosts' is not a group", "hosts: {a: }\n"),
    "plugin": yaml("inventory plugins are not read here", "plugin: aws_ec2\n"),
    "hosts is a list": yaml("must be a mapping, not a list", "all: {hosts: [a, b]}\n"),
    "vars is text": yaml("must be a mapping", "all: {vars: hello, hosts: {a: }}\n"),
    "loop of two": yaml(
        "would contain itself", "x: {children: {y: }}\ny: {children: {x: }}\nz: {hosts: {a: }}\n"
    ),
    "loop of one": yaml("would contain itself", "x: {children: {x: }, hosts: {a: }}\n"),
    "all under another": yaml("would contain itself", "x: {children: {all: }, hosts: {a: }}\n"),
    "bad priority": yaml(
        "whole number", "x: {vars: {ansible_group_priority: high}, hosts: {a: }}\n"
    ),
    "no hosts": yaml("no hosts in inv.yaml", "all: {children: {web: }}\n"),
    "name like an option": yaml("no name for a host", "all: {hosts: {-oProxyCommand=x: }}\n"),
    "name with a slash": yaml("no name for a host", "all: {hosts: {../../etc: }}\n"),
    "bad group name": yaml("no name for a group", '"a b": {hosts: {a: }}\n'),
    "range backwards": yaml("ends before it begins", 'all: {hosts: {"n[5:1]": }}\n'),
    "range without end": yaml("inv.yaml:1:", 'all: {hosts: {"n[1:": }}\n'),
    "range of a billion": yaml("inv.yaml:1:", 'all: {hosts: {"n[1:1000000000]": }}\n'),
    "port too big": yaml("inv.yaml:1:", 'all: {hosts: {"n:123456": }}\n'),
    # INI
    "blanks around =": ini("inv.ini:1: 'x' behind a host must be name=value", "a x = 1\n"),
    "unknown kind": ini("[web:host] is no section", "[web:host]\na\n"),
    "open section": ini("inv.ini:1:", "[web\na\n"),
    "vars of nobody": ini(
        "[wbe:vars] is for a group that is nowhere", "[web]\na\n[wbe:vars]\nx=1\n"
    ),
    "child of nobody": ini("names the group 'wbe'", "[all:children]\nwbe\n[web]\na\n"),
    "var without =": ini("must be name=value", "[web]\na\n[web:vars]\nx\n"),
    "open quote": ini("inv.ini:1: No closing quotation", "a x='1\n"),
    "ini loop": ini("would contain itself", "[x:children]\ny\n[y:children]\nx\n[y]\na\n"),
    # scripts
    "script fails": script("failed with exit code 3", "echo no token >&2; exit 3"),
    "script says why": script("no token", "echo no token >&2; exit 3"),
    "script is killed": script("ended by signal 9", "kill -9 $$"),
    "script prints rubbish": script("this is no JSON", "echo hello"),
    "script prints nothing": script("no JSON", "true"),
    "script prints a list": script("must be an object, not a list", "echo '[]'"),
    "script prints bytes": script("not UTF-8", "printf '\\377\\376'"),
    "script: hosts is text": script(
        "must be a list of names", """echo '{"web": {"hosts": "a"}}'"""
    ),
    "script: vars is text": script(
        "must be an object", """echo '{"w": {"hosts": ["a"], "vars": "x"}}'"""
    ),
    "script: hostvars is null": script(
        "_meta.hostvars must be an object", """echo '{"w": ["a"], "_meta": {"hostvars": null}}'"""
    ),
    "script: bad host": script("no name for a host", """echo '{"w": ["-x"]}'"""),
    "script: loop": script(
        "would contain itself", """echo '{"x": {"hosts": ["a"], "children": ["x"]}}'"""
    ),
    "script hangs": script("has not ended after", "sleep 60"),
    "script of nothing": Bad(
        "cannot be started", {"inv.sh": "#!/no/such/program\n"}, ("-i", "./inv.sh")
    ),
    # other forms
    "TOML": Bad("TOML is not read here", {"inv.toml": "[web]\n"}, ("-i", "inv.toml")),
    "vault": Bad("vault-encrypted", {"inv": "$ANSIBLE_VAULT;1.1;AES256\n6162\n"}),
    "empty directory": Bad("no hosts in dir", {"dir/group_vars/all": "x: 1\n"}, ("-i", "dir")),
    "-i - twice": flags("standard input can be read only once", "-i", "-", "-i", "-"),
    "-i - is empty": flags("standard input is empty", "-i", "-"),
    "list of nothing": flags("a bracket is never closed", "-i", "a,[,"),
    # group_vars and host_vars
    "broken group_vars": beside("group_vars/web.yml:2:", group_vars__web_yml="x: [\n"),
    "group_vars is a list": beside("must be a mapping", group_vars__web="- 1\n"),
    "host_vars is text": beside("must be a mapping", host_vars__a="hello\n"),
    "vaulted host_vars": beside("host_vars/a:1:", host_vars__a="$ANSIBLE_VAULT;1.1;AES256\n61\n"),
    # -e and --limit
    "-e without value": flags("write name=value", "-e", "x"),
    "-e with an open quote": flags("never closed", "-e", "x='1"),
    "-e of no file": flags("@nowhere", "-e", "@nowhere"),
    "-e of a broken file": flags("-e @inv.broken:2:", "-e", "@inv.broken"),
    "-e of broken JSON": flags("-e:2:", "-e", "{x: ["),
    "-e of nothing": flags("-e is empty", "-e", " "),
    "limit matches nobody": flags("matches no host", "-l", "nobody"),
    "limit with an open bracket": flags("never closed", "-l", "a["),
    "limit with a bad regex": flags("not a regular expression", "-l", "~("),
    "limit of no file": flags("limit file @nowhere", "-l", "@nowhere"),
    "limit of nothing": flags("is empty", "-l", " , "),
    # values that only their user can judge
    "port is a word": deploy("a: ansible_port must be", host("ansible_port: ssh")),
    "user is a list": deploy("a: ansible_user must be", host("ansible_user: [x]")),
    "password is a list": deploy("must be a string, not list", host("ansible_password: [x]")),
    "unknown connection": deploy("ansible_connection must be", host("ansible_connection: winrm")),
    "become perhaps": deploy("ansible_become must be", host("ansible_become: perhaps")),
    "undefined in a template": deploy("'nowhere'", host('ansible_host: "{{ nowhere }}"')),
    "template in a circle": deploy("a:", host('ansible_host: "{{ ansible_host }}"')),
    "broken template": deploy("a:", host('ansible_host: "{{ x"')),
    "template that escapes": deploy("a:", host("ansible_host: \"{{ ''.__class__.__mro__ }}\"")),
    "encrypted value in use": deploy(
        "vault-encrypted", "all: {hosts: {a: {ansible_user: !vault x}}}\n"
    ),
    "bad peer port": deploy("fleetpush_port must be", host("fleetpush_port: x")),
    "rack is a list": deploy("fleetpush_rack", host("fleetpush_rack: [1]")),
    "destination undefined": deploy("'nowhere'", GOOD, "--dest", "{{ nowhere }}"),
}
SLOW_SCRIPT = "script hangs"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "inv.broken").write_text("x: [\n")
    return tmp_path


@pytest.mark.parametrize("name", CASES)
def test_is_refused_in_a_sentence(folder, monkeypatch, name):
    bad = CASES[name]
    for file, text in {"inv": GOOD, **bad.files}.items():
        path = folder / file.replace("_yml", ".yml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if text.startswith("#!"):
            path.chmod(0o755)
    if name == SLOW_SCRIPT:
        monkeypatch.setattr(
            "fleetpush.inventory.load.load.__kwdefaults__",
            {"extra_vars": {}, "script_seconds": 0.3, "var_directories": ()},
        )
    result = CliRunner().invoke(app, [*bad.verb, *bad.flags], input="")
    said = " ".join(result.stderr.split())
    assert result.exit_code == 5, said or repr(result.exception)
    assert result.stdout == ""
    assert said.startswith("error: ") or "warning: " in said
    assert bad.says in said
    assert "Traceback" not in said
    assert "internal error" not in said


def test_there_are_as_many_cases_as_promised():
    assert len(CASES) >= 60
