"""What is kept of a run's options tells it again, and holds no secret."""

import json
from pathlib import Path

import pytest

from fleetpush.deploy.history.kept import as_json, from_json, keep
from fleetpush.deploy.options import DeployOptions, SshOptions

CWD = Path("/home/op")


def through_json(options, cwd=CWD):
    kept = keep(options, cwd)
    again = from_json(json.loads(json.dumps(as_json(kept))))
    assert again == kept
    return again


def test_every_option_comes_back():
    options = DeployOptions(
        sources=("/srv/model.pt",),
        inventories=("dc1.yaml", "a,b,"),
        limit="web:!db",
        extra_vars=("a=1 b=2", '{"c": [1, 2]}', "@vars.yml"),
        dest="/srv/{{ x }}",
        topology="tree",
        tree_fanout=3,
        chunk_size=4 << 20,
        bwlimit=1,
        host_bwlimit=2,
        port_range=(5000, 5009),
        encrypt=False,
        verify="full",
        activate="none",
        mode=0o640,
        owner="o",
        group="g",
        stall=90.0,
        deadline=5400.0,
        detach_grace=600.0,
        min_success=99.5,
        gather=True,
        ssh=SshOptions(
            user="me",
            private_key=Path("/k/id"),
            ssh_config=Path("/k/config"),
            known_hosts=Path("/k/known"),
            host_key_checking="off",
            jump="b1",
            become=True,
            become_user="app",
            become_method="doas",
            connection="openssh",
            forks=7,
            connect_timeout=3.0,
        ),
    )
    kept = through_json(options)
    assert kept.options == options
    assert (kept.cwd, kept.withheld) == ("/home/op", ())


def test_names_of_files_are_absolute():
    ssh = SshOptions(private_key=Path("id"), ssh_config=Path("../config"))
    kept = through_json(DeployOptions(sources=("a.pt", "/b.pt"), inventories=("i",), ssh=ssh))
    assert kept.options.sources == ("/home/op/a.pt", "/b.pt")
    assert kept.options.ssh.private_key == Path("/home/op/id")
    assert kept.options.ssh.ssh_config == Path("/home/op/../config")


def test_a_source_on_a_host_is_kept_as_it_is_named():
    kept = through_json(DeployOptions(sources=("nas1:a", "./b:c"), inventories=("i",)))
    assert kept.options.sources == ("nas1:a", "/home/op/b:c")


def test_passwords_are_not_kept_but_that_there_were_any_is():
    ssh = SshOptions(password="hunter2", become_password="hunter3")
    kept = through_json(DeployOptions(sources=("a",), inventories=("i",), ssh=ssh))
    assert kept.options.ssh == SshOptions()
    assert kept.asked_password
    assert kept.asked_become_password
    assert "hunter" not in json.dumps(as_json(kept))


@pytest.mark.parametrize(
    ("text", "left", "withheld"),
    [
        ("a=1 b='two words'", ["a=1 b='two words'"], []),
        ("a=1 db_password=hunter2", ['{"a": "1"}'], ["db_password"]),
        ("ansible_become_pass=hunter2", [], ["ansible_become_pass"]),
        ('{"API-Token": "hunter2", "n": 3}', ['{"n": 3}'], ["API-Token"]),
        ('{"db": {"user": "u", "Secret": "hunter2"}}', [], ["db"]),
        ('{"dbs": [{"passphrase": "hunter2"}]}', [], ["dbs"]),
        ("repo=https://ci:hunter2@git/x n=1", ['{"n": "1"}'], ["repo"]),
        ("{when: 2026-01-01, password: hunter2}", [], ["*"]),
        ("{not closed, password: hunter2", [], ["*"]),
        ("@secrets.yml", ["@secrets.yml"], []),
    ],
)
def test_variables_that_look_like_secrets_are_withheld_by_name(text, left, withheld):
    kept = through_json(DeployOptions(sources=("a",), inventories=("i",), extra_vars=(text,)))
    assert list(kept.options.extra_vars) == left
    assert list(kept.withheld) == withheld
    assert "hunter2" not in json.dumps(as_json(kept))


def test_what_a_later_version_has_added_is_passed_over():
    document = json.loads(
        json.dumps(as_json(keep(DeployOptions(sources=("a",), inventories=("i",)), CWD)))
    )
    document["warp"] = 9
    document["ssh"]["telepathy"] = True
    assert from_json(document).options.sources == ("/home/op/a",)
