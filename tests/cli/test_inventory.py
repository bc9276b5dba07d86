"""``fleetpush inventory``: what is printed, in which form, and what is refused."""

import json

import pytest
import yaml
from typer.testing import CliRunner

from fleetpush.cli.main import app

FLEET = """\
all:
  vars: {site: ams, ansible_password: hunter2}
  children:
    web:
      hosts:
        web1: {dest: "/srv/{{ site }}", broken: "{{ nowhere }}"}
        web2: {key: !vault "$ANSIBLE_VAULT;1.1;AES256"}
    db: {hosts: {db1: }}
"""


@pytest.fixture(autouse=True)
def fleet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fleet.yaml").write_text(FLEET)


def run(*words):
    return CliRunner().invoke(app, ["inventory", *words, "-i", "fleet.yaml"])


def test_list_gives_a_host_a_line_with_its_groups():
    result = run("list")
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["web1", "web"],
        ["web2", "web"],
        ["db1", "db"],
    ]


def test_list_takes_a_limit_and_says_what_matches_nothing():
    result = run("list", "-l", "db,wbe9")
    assert result.stdout.split() == ["db1", "db"]
    assert "nothing matches wbe9" in result.stderr


def test_list_as_json_is_what_ansible_prints():
    document = json.loads(run("list", "-o", "json", "-e", "site=fra").stdout)
    assert document["web"] == {"hosts": ["web1", "web2"]}
    assert document["_meta"]["hostvars"]["db1"] == {"site": "fra", "ansible_password": "hunter2"}


def test_list_as_yaml_is_an_inventory():
    text = run("list", "-o", "yaml", "-l", "db").stdout
    assert yaml.safe_load(text)["all"]["children"]["db"]["hosts"]["db1"]["site"] == "ams"


def test_graph_draws_groups_and_hosts():
    assert run("graph").stdout.splitlines() == [
        "@all:",
        "  |--@web:",
        "  |  |--web1",
        "  |  |--web2",
        "  |--@db:",
        "  |  |--db1",
        "  |--@ungrouped:",
    ]
    assert json.loads(run("graph", "db", "-o", "json").stdout) == {"db": {"hosts": ["db1"]}}


def test_host_shows_what_a_variable_comes_to_and_where_it_stands():
    lines = {line.split()[0]: line for line in run("host", "web1").stdout.splitlines()}
    assert lines["dest"].split() == ["dest", "fleet.yaml:6", "'/srv/ams'"]
    assert lines["site"].split() == ["site", "fleet.yaml:2", "'ams'"]
    assert "nowhere" in lines["broken"]


def test_host_hides_secrets_from_who_looks_over_the_shoulder():
    shown = run("host", "web1").stdout
    assert "hunter2" not in shown
    assert "ansible_password" in shown


def test_host_carries_an_encrypted_value_along():
    assert "vault-encrypted" in run("host", "web2").stdout
    assert "!vault" in run("host", "web2", "-o", "yaml").stdout


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("host", "web3"), "did you mean web"),
        (("graph", "wbe"), "did you mean web?"),
        (("list", "-l", "nobody"), "matches no host"),
        (("list", "-l", "@nowhere"), "cannot read the limit file @nowhere"),
        (("list", "-e", "x"), "-e"),
    ],
)
def test_what_is_not_there_is_named(words, reason):
    result = run(*words)
    assert result.exit_code == 5
    assert reason in result.stderr
    assert "Traceback" not in result.output
