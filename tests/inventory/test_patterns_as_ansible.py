"""A pattern picks the hosts that it picks in Ansible, or others as is said here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fleetpush.inventory.load import load
from tests.inventory import ansible_matches

if TYPE_CHECKING:
    from pathlib import Path

    from fleetpush.inventory.model import Inventory

FLEET = """
all:
  hosts: {lonely: , "node[1:12]": , "2001:db8::1": , 10.0.0.1: , 10.0.0.12: }
  children:
    web: {hosts: {"web[1:5]": , "www-[a:c].example.net": }}
    db: {hosts: {"db[01:12]": }}
    prod: {children: {web: }, hosts: {db01: , db02: }}
    canary: {hosts: {web3: , db02: , lonely: }}
    us-east.1: {hosts: {node1: , node2: }}
    empty: {}
"""
FILES = {
    "one.retry": "web1\nweb2\n",
    "patterns.retry": "# failed last night\nweb\n!web3\n\ndb[0:1]\n",
    "ranges.retry": "web*:&canary\n",
}

PATTERNS = """
all | * | web | web1 | lonely | ungrouped | empty | us-east.1 | web,db | web:db | web , db | web:db:canary
web:&canary | web:!canary | !canary:web | &canary:web | web:db:&prod:!web3 | all:!web | all:!db:!web
web:&empty | all:&prod | !web | &web | !web:!db | *:!node* | web* | *3 | web? | *.example.net | w*b[12]
node* | node? | db0? | db*:&canary | 10.0.0.* | 10.0.0.1 | 10.0.0.1* | ~web[12] | ~(web|db)0?[12]$ | ~.*\\.net
~node1?$:!node1 | web[0] | web[-1] | web[1:2] | web[1:] | web[0:0] | web[:2] | db[0:1]:web[0] | web[9]
all[0] | all[-1] | prod[0:3] | w*[0] | w*[1:2] | www-[ab].example.net | web[1] | 2001:db8::1 | prod:&db
canary,!lonely | web,&canary | web,!canary,db | nobody | web:nobody | wbe* | us-* | us-east.1[0] | db[10:]
"""
LIMITS = [
    ("all", "web"),
    ("web", "canary"),
    ("all", "web:!web3"),
    ("all", "!web"),
    ("web:db", "&canary"),
    ("all", "web1,db02"),
    ("all", "@one.retry"),
    ("web:!web1", "@one.retry"),
    ("all", "@patterns.retry"),
    ("all", "@one.retry,db01"),
    ("all", "@one.retry:!web2"),
    ("all", "db[0:2]"),
    ("prod", "~.*2$"),
]
OURS = {
    # Positions that nobody has end a run of Ansible's; here they match nobody, which --limit warns of.
    "web[9]": [],
    "w*b[12]": [],
    # Names of a nodeset, which Ansible has no way to write.
    "node[1-3]": ["node1", "node2", "node3"],
    # As in an inventory, where a range without a beginning counts from 0; to Ansible ":" or "2".
    "web[:2]": ["web1", "web2"],
    "node[1,5-6]": ["node1", "node5", "node6"],
    "db[01-03]": ["db01", "db02", "db03"],
    "web[1-2],!web2": ["web1"],
}
"""Where we differ, and what we make of it."""


def cases() -> list[tuple[str, str | None]]:
    patterns = [part.strip() for line in PATTERNS.splitlines() for part in line.split(" | ")]
    return [(pattern, None) for pattern in patterns if pattern and pattern not in OURS] + list(
        LIMITS
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("patterns")
    (folder / "fleet.yaml").write_text(FLEET)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def fleet(folder: Path) -> Inventory:
    return load(["fleet.yaml"], cwd=folder)


@pytest.fixture(scope="module")
def theirs(folder: Path) -> dict[tuple[str, str | None], list[str] | str]:
    result = subprocess.run(
        [sys.executable, ansible_matches.__file__, "fleet.yaml", json.dumps(cases())],
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "ANSIBLE_NOCOLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return dict(zip(cases(), json.loads(result.stdout), strict=True))


@pytest.mark.parametrize(("pattern", "limit"), cases())
def test_a_pattern_picks_what_it_picks_in_ansible(
    fleet: Inventory,
    theirs: dict[tuple[str, str | None], list[str] | str],
    pattern: str,
    limit: str | None,
) -> None:
    found = theirs[pattern, limit]
    assert not isinstance(found, str), found
    assert sorted(host.name for host in fleet.select(pattern, limit)) == sorted(found)


@pytest.mark.parametrize(("pattern", "limit"), cases())
def test_a_plays_hosts_come_in_ansibles_order(
    fleet: Inventory,
    theirs: dict[tuple[str, str | None], list[str] | str],
    pattern: str,
    limit: str | None,
) -> None:
    assert [host.name for host in fleet.in_order(pattern, limit)] == theirs[pattern, limit]


@pytest.mark.parametrize("pattern", OURS)
def test_where_we_differ_we_do_as_we_say(fleet: Inventory, pattern: str) -> None:
    assert sorted(host.name for host in fleet.select(pattern)) == sorted(OURS[pattern])


def test_a_line_of_a_limit_file_may_be_a_whole_pattern(fleet: Inventory) -> None:
    """To Ansible it is one name."""
    assert [host.name for host in fleet.select("all", "@ranges.retry")] == ["web3"]
