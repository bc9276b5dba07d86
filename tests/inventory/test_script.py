"""Inventory scripts that do not do what they should, and standard input."""

from __future__ import annotations

import io
import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

from fleetpush.errors import InputError
from fleetpush.inventory.load import load

if TYPE_CHECKING:
    from pathlib import Path


def script(cwd: Path, text: str, *, first: str = "#!/bin/sh") -> None:
    (cwd / "dynamic").write_text(f"{first}\n{text}\n")
    (cwd / "dynamic").chmod(0o755)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "echo first >&2; echo 'no token' >&2; exit 4",
            "exit code 4; its last words: first no token",
        ),
        ("kill -9 $$", "was ended by signal 9"),
        ("echo '<html>'; echo hm >&2", "--list:1: this is no JSON: .*; its last words: hm"),
        ("", "this is no JSON"),
        ("printf '\\377'", "is not UTF-8"),
        ("echo '[]'", ": the whole must be an object, not a list"),
        ("echo '{\"web\": 5}'", ": group 'web': it must be an object"),
        ('echo \'{"web": {"hosts": "a"}}\'', "group 'web': its 'hosts' must be a list of names"),
        (
            'echo \'{"web": {"vars": [1]}}\'',
            "group 'web': its 'vars' must be an object, not a list",
        ),
        ('echo \'{"web": ["a b"]}\'', "group 'web': 'a b' is no name for a host"),
        ('echo \'{"a": {"children": ["a"]}}\'', "group 'a': .*would contain itself"),
        ('echo \'{"web": ["a"], "_meta": {"hostvars": []}}\'', "_meta.hostvars must be an object"),
        ('echo \'{"web": ["a"], "_meta": {"hostvars": {"a": [1]}}}\'', "said of host 'a' must be"),
        ('[ $1 = --list ] && echo \'{"web": ["a"]}\' || exit 1', "--host a: failed"),
    ],
)
def test_what_a_script_does_wrong_is_told_with_its_name(
    tmp_path: Path, text: str, reason: str
) -> None:
    script(tmp_path, text)
    with pytest.raises(InputError, match=rf"dynamic\b.*{reason}"):
        load(["dynamic"], cwd=tmp_path)


def test_an_interpreter_that_is_not_there_is_named(tmp_path: Path) -> None:
    script(tmp_path, "", first="#!/nowhere/python")
    with pytest.raises(InputError, match=r"dynamic --list: cannot be started.*first line"):
        load(["dynamic"], cwd=tmp_path)


def test_a_script_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    script(tmp_path, "echo waiting >&2; sleep 300 & echo $! > child; wait")
    with pytest.raises(InputError, match=r"has not ended after 0\.5 s; its last words: waiting"):
        load(["dynamic"], cwd=tmp_path, script_seconds=0.5)
    child = int((tmp_path / "child").read_text())
    for _ in range(500):
        if not is_running(child):
            return
        time.sleep(0.01)
    os.kill(child, 9)
    pytest.fail("what the script had started goes on")


def is_running(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_script_that_is_not_executable_is_not_run(tmp_path: Path) -> None:
    script(tmp_path, "touch ran")
    (tmp_path / "dynamic").chmod(0o644)
    with pytest.raises(InputError, match=r"not executable: chmod \+x dynamic"):
        load(["dynamic"], cwd=tmp_path)
    assert not (tmp_path / "ran").exists()


def test_a_script_runs_in_the_working_directory_without_input(tmp_path: Path) -> None:
    script(
        tmp_path,
        'cat; echo "{\\"web\\": [\\"$(basename "$PWD")\\"], \\"_meta\\": {\\"hostvars\\": {}}}"',
    )
    assert list(load(["dynamic"], cwd=tmp_path).hosts) == [tmp_path.name]


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("web: {hosts: {a: {x: 1}}}", {"x": 1}),
        ("[web]\na x=1\n", {"x": 1}),
        ("a x=1\n", {"x": 1}),
        ('{"web": {"hosts": {"a": {"x": 1}}}}', {"x": 1}),
        ('{"web": {"hosts": ["a"]}, "_meta": {"hostvars": {"a": {"x": 1}}}}', {"x": 1}),
        ('{"web": ["a"]}', {}),
    ],
)
def test_standard_input_is_an_inventory_in_any_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, variables: dict[str, object]
) -> None:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all").write_text("nobody: reads this\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert dict(load(["-"], cwd=tmp_path).hosts["a"].variables) == variables


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "standard input is empty"),
        ("[web]\na oops", "-i -:2: 'oops'"),
        ("$ANSIBLE_VAULT;1", "vault"),
    ],
)
def test_standard_input_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, reason: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    with pytest.raises(InputError, match=reason):
        load(["-"], cwd=tmp_path)
