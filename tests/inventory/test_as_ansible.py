"""Every inventory of the corpus means here what it means to Ansible, or differs as is said here.

A case is a directory: one inventory file, or SOURCES with the ``-i`` of the case, one a line.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fleetpush.errors import InputError
from fleetpush.inventory.load import load
from tests.inventory import ansible_reads
from tests.inventory.ansible_reads import plain, sources_of

if TYPE_CHECKING:
    from fleetpush.inventory.model import Inventory

CORPUS = Path(__file__).parent / "corpus"
CASES = sorted(path.name for path in CORPUS.iterdir())
SAME = [case for case in CASES if not case.startswith("differs-")]

REFUSED_BY_BOTH = {
    "differs-ini-broken-line": r"hosts\.ini:3: 'oops' behind a host must be name=value",
    "differs-ini-vars-of-nobody": r"hosts\.ini:3: \[wbe:vars\] is for a group that is nowhere",
    "differs-ini-child-of-nobody": r"hosts\.ini:4: \[site:children\] names the group 'wbe'",
    "differs-loop": r"hosts\.ini:8: group 'a' would contain itself through 'b'",
    "differs-directory-with-a-broken-file": r"inv/Makefile:2: found character",
    "differs-vaulted-file": r"group_vars/web/vault\.yml:1: the whole file is vault-encrypted",
    "differs-vaulted-inventory": r"hosts:1: the whole file is vault-encrypted",
    "differs-script-that-fails": r"inventory\.sh --list: failed with exit code 3.* words: no token",
    "differs-script-that-is-not-executable": r"chmod \+x inventory",
}
"""Ansible warns, goes on without the source and would run on the rest of the hosts; here nothing is run."""

REFUSED_HERE = {
    "differs-yaml-unknown-key": r"hosts\.yaml:3: unknown key 'var' .*did you mean 'vars'",
    "differs-yaml-duplicate-key": r"hosts\.yaml:4: 'a' is here twice",
    "differs-yaml-empty": r"hosts\.yaml:1: the file is empty",
    "differs-yaml-that-is-ini": r"hosts\.yaml:2: expected|hosts\.yaml:.*",
    "differs-range-backwards": r"hosts\.ini:2: .*ends before it begins",
    "differs-range-of-two-widths": r"hosts\.ini:1: .*same number of digits",
    "differs-toml": r"hosts\.toml: TOML is not read here",
    "differs-host-name-like-an-option": r"hosts\.ini:1: .*no name for a host",
}
"""Ansible passes over these with or without a warning; they are slips, or dangerous."""

READ_HERE = {
    "differs-nodeset-ranges": {
        **{name: {} for name in ("node1", "node2", "node3")},
        **{name: {"ansible_port": 2222} for name in ("n1", "n3", "n4")},
        **{name: {"x": 1} for name in ("d0", "d2", "d4")},
    },
    "differs-listing-in-a-file": {"a": {"v": 1, "x": 1}},
}
"""Ansible cannot read these at all."""

MEANT_OTHERWISE = {
    "differs-group-and-host-of-one-name": {
        "web": {"x": "host", "y": "group"},
        "other": {"x": "group", "y": "group"},
    },
}
"""Ansible gives the variables of a host to the group that is called like it, and so to other hosts."""


@pytest.fixture(scope="module")
def ansible(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("ansible")
    (home / "ansible.cfg").touch()
    result = subprocess.run(
        [sys.executable, ansible_reads.__file__, CORPUS],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_CONFIG": str(home / "ansible.cfg"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def written(value: object) -> str:
    """To compare by, since to Python 1, 1.0 and True are equal."""
    return json.dumps(value, sort_keys=True, indent=1)


def load_case(name: str) -> Inventory:
    return load(sources_of(CORPUS / name), cwd=CORPUS / name)


@pytest.mark.parametrize("name", SAME)
def test_hosts_groups_and_variables_are_those_that_ansible_reads(
    ansible: dict[str, Any], name: str
) -> None:
    theirs = ansible[name]
    assert not theirs["refused"], theirs["reason"]
    ours = load_case(name)
    assert ours.hosts.keys() == theirs["hosts"].keys() != set()
    groups = {
        group.name: {
            "hosts": list(group.hosts),
            "children": list(group.children),
            "members": sorted(ours.members(group.name)),
        }
        for group in ours.groups.values()
    }
    for side in (
        groups,
        theirs["groups"],
    ):  # in which order 'all' comes to hold groups has no meaning
        side["all"]["children"] = sorted(side["all"]["children"])
    assert groups == theirs["groups"]
    for host in ours.hosts.values():
        expected = theirs["hosts"][host.name]
        assert written(plain(dict(host.variables))) == written(expected["variables"]), host.name
        for magic, value in expected["magic"].items():
            if host.file or magic == "inventory_hostname_short":
                assert host.resolved(magic) == value


def test_every_difference_is_listed() -> None:
    listed = [*REFUSED_BY_BOTH, *REFUSED_HERE, *READ_HERE, *MEANT_OTHERWISE]
    assert sorted(listed) == [case for case in CASES if case.startswith("differs-")]


@pytest.mark.parametrize("name", [*REFUSED_BY_BOTH, *REFUSED_HERE])
def test_what_ansible_warns_of_or_passes_over_is_refused(
    ansible: dict[str, Any], name: str
) -> None:
    assert ansible[name]["refused"] == (name in REFUSED_BY_BOTH)
    with pytest.raises(InputError, match={**REFUSED_BY_BOTH, **REFUSED_HERE}[name]):
        load_case(name)


@pytest.mark.parametrize("name", READ_HERE)
def test_some_is_read_that_ansible_does_not_read(ansible: dict[str, Any], name: str) -> None:
    assert ansible[name]["refused"]
    hosts = load_case(name).hosts.values()
    assert {host.name: dict(host.variables) for host in hosts} == READ_HERE[name]


@pytest.mark.parametrize("name", MEANT_OTHERWISE)
def test_some_means_something_else(ansible: dict[str, Any], name: str) -> None:
    theirs = {host: read["variables"] for host, read in ansible[name]["hosts"].items()}
    ours = {host.name: dict(host.variables) for host in load_case(name).hosts.values()}
    assert ours == MEANT_OTHERWISE[name]
    assert theirs != ours
