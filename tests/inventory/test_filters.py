"""Filters, tests and conditions give what they give in Ansible."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from fleetpush.inventory import template
from fleetpush.inventory.marked import Vaulted, Verbatim

VARIABLES: dict[str, object] = {
    "name": "web-1.example.net",
    "path": "/srv/models/model.tar.gz",
    "numbers": [3, 1, 2],
    "empty": "",
    "none": None,
    "pair": {"a": 1, "b": [True, None]},
    "good": {"rc": 0, "changed": True, "failed": False},
    "bad": {"rc": 1, "changed": False, "failed": True},
    "left": {"changed": False, "failed": False, "skipped": True},
    "indirect": "{{ name }}!",
    "spaced": "a b'c",
    "literal": Verbatim("{{ name }}"),
}

SAME = r"""
{{ nowhere | default('x') }} | {{ empty | default('x', true) }} | {{ name | mandatory }} | {{ indirect }}
{{ 'yes' | bool }} | {{ 'Off' | bool }} | {{ 1 | bool }} | {{ '7' | int }} | {{ numbers | sort }}
{{ path | basename }} | {{ path | dirname }} | {{ path | splitext }} | {{ ['/a', 'b'] | path_join }}
{{ name | regex_replace('^(\w+)-.*', '<\1>') }} | {{ name | regex_search('\d') }}
{{ name | regex_search('(\w+)\.(net)', '\1', '\2') }} | {{ name | regex_findall('e') }}
{{ 'A.B' | regex_escape }} | {{ name | regex_replace('WEB', 'db', ignorecase=True) }}
{{ pair | to_json }} | {{ pair | to_nice_json }} | {{ '[1, {}]' | from_json }} | {{ pair | dict2items }}
{{ spaced | quote }} | {{ 'ä' | b64encode }} | {{ 'w6Q=' | b64decode }} | {{ 'x' | hash('sha256') }}
{{ true | ternary('a', 'b') }} | {{ none | ternary('a', 'b', 'c') }} | {{ 'a,b' | split(',') }}
{{ numbers | union([3, 4]) | sort }} | {{ numbers | intersect([2, 3]) | sort }}
{{ numbers | difference([1]) | sort }}
{{ {'a': 1} | combine({'b': 2}) }} | {{ good is succeeded }} | {{ bad is failed }} | {{ good is failed }}
{{ good is changed }} | {{ left is skipped }} | {{ good is skipped }} | {{ left is success }}
{{ name is match('web') }} | {{ name is match('example') }} | {{ name is search('example') }}
{{ numbers is contains(2) }} | {{ [1] is subset([1, 2]) }} | {{ 'x' if numbers | length > 2 else 'y' }}
{{ lookup('env', 'FLEETPUSH_TEST') }} | {{ lookup('ansible.builtin.env', 'FLEETPUSH_NOT_SET') }}
{{ path | ansible.builtin.basename }} | {{ good.rc + 1 }} | {{ name.split('.')[0] }}
""".replace("\n", " | ")
TEMPLATES = ["{{ " + part.strip(" |") for part in SAME.split("{{ ") if part.strip(" |")]

CONDITIONS = [
    "good.rc == 0",
    "bad is failed and good is changed",
    "nowhere is defined",
    "nowhere is not defined or nowhere",
    "name in ['a', 'web-1.example.net']",
    "not left is skipped",
    "{'a': {'b': 1}}['a']['b'] == 1",
    "'}}' in name",
    r"name is match('web-\d')",
    r"name is match('web-\\d')",
    # refused by both
    "name",
    "numbers",
    "none",
    "good.rc",
    "nowhere",
    "nowhere == 1",
    "good is failde",
    "1 +",
]

ASKED = """
import json, sys
from ansible.cli import CLI
from ansible.parsing.dataloader import DataLoader
from ansible._internal._templating._engine import TemplateEngine
from ansible._internal._datatag._tags import TrustedAsTemplate
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader()
variables, templates, conditions = json.load(sys.stdin)
trust = TrustedAsTemplate().tag
variables["indirect"] = trust(variables["indirect"])
engine = TemplateEngine(DataLoader(), variables)
def asked(what, text):
    try:
        return what(trust(text))
    except Exception as error:
        return "refused: " + type(error).__name__
print(json.dumps([[asked(engine.template, t) for t in templates],
                  [asked(engine.evaluate_conditional, c) for c in conditions]]))
"""


def scope(**more: object) -> template.Scope:
    return template.Scope("box", {**VARIABLES, **more}, {})


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], dict[str, object]]:
    home = tmp_path_factory.mktemp("ansible")
    result = subprocess.run(
        [sys.executable, "-c", ASKED],
        input=json.dumps([VARIABLES, TEMPLATES, CONDITIONS]),
        env={
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "FLEETPUSH_TEST": "set",
            "PATH": "/usr/bin:/bin",
        },
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    values, truths = json.loads(result.stdout)
    return (
        dict(zip(TEMPLATES, values, strict=True)),
        dict(zip(CONDITIONS, truths, strict=True)),
    )


@pytest.mark.parametrize("text", TEMPLATES)
def test_a_template_gives_what_it_gives_in_ansible(theirs, monkeypatch, text) -> None:
    monkeypatch.setenv("FLEETPUSH_TEST", "set")
    monkeypatch.delenv("FLEETPUSH_NOT_SET", raising=False)
    template.check(text)
    assert json.dumps(template.fill(text, scope())) == json.dumps(theirs[0][text])


@pytest.mark.parametrize("text", CONDITIONS)
def test_a_condition_is_true_where_it_is_in_ansible(theirs, text) -> None:
    expected = theirs[1][text]
    if isinstance(expected, bool):
        template.check_condition(text)
        assert template.holds(text, scope()) is expected
    else:
        assert str(expected).startswith("refused")
        with pytest.raises(ValueError, match=r"."):
            template.holds(text, scope())


def test_an_encrypted_value_is_refused_wherever_it_is() -> None:
    variables = scope(
        secret=Vaulted("group_vars/all:3"), holder=[{"x": Vaulted("group_vars/all:4")}]
    )
    for text, place in (
        ("{{ secret }}", "all:3"),
        ("{{ holder }}", "all:4"),
        ("a{{ secret }}", "all:3"),
    ):
        with pytest.raises(ValueError, match=f"vault-encrypted .group_vars/{place}"):
            template.fill(text, variables)
    with pytest.raises(ValueError, match="vault-encrypted"):
        template.holds("secret == 'x'", variables)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{{ x", "bad template"),
        ("{{ x | defualt(1) }}", "no filter is named 'defualt'; did you mean 'default'?"),
        ("{{ x is failde }}", "no test is named 'failde'; did you mean 'failed'?"),
        (["a", {"b": "{{ x | nosuch }}"}], "no filter is named 'nosuch'"),
    ],
)
def test_what_can_never_be_filled_in_is_known_beforehand(text, says) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        template.check(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{{ x }}", "stands without {{ }}"),
        ("x ==", "bad template"),
        (" ", "empty"),
        ("x is failde", "did you mean 'failed'?"),
    ],
)
def test_what_can_never_be_a_condition_is_known_beforehand(text, says) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        template.check_condition(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{{ nmae }}", "'nmae' is undefined; did you mean 'name'?"),
        ("{{ lookup('pipe', 'id') }}", "there is no lookup 'pipe' here"),
        ("{{ ''.__class__ }}", "unsafe"),
        ("{{ 'maybe' | bool }}", "neither true nor false"),
        ("{{ nowhere | mandatory('set it with -e') }}", "set it with -e"),
        ("{{ 'x' is failed }}", "asked of what a task has registered"),
    ],
)
def test_what_cannot_be_filled_in_is_said_in_a_line(text, says) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        template.fill(text, scope())


def test_text_that_is_no_template_stays_as_it_is() -> None:
    assert template.fill("{{ literal }}", scope()) == "{{ name }}"
    assert template.fill({"a": ["{{ name }}", 7]}, scope()) == {"a": ["web-1.example.net", 7]}
    assert not template.holds_template([Verbatim("{{ name }}")])
