"""What is written down is what was read: by ourselves, and as Ansible's own command prints it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fleetpush.errors import InputError
from fleetpush.inventory import written
from fleetpush.inventory.load import load
from tests.inventory.ansible_reads import plain, sources_of
from tests.inventory.test_as_ansible import CORPUS, SAME

if TYPE_CHECKING:
    from fleetpush.inventory.model import Inventory

FLEET = """
all:
  vars: {a: 1}
  hosts: {lonely: }
  children:
    web: {hosts: {w1: {x: "{{ a }}"}, w2: }, children: {front: {hosts: {w3: }}}}
    db: {hosts: {w1: , d1: {t: 2026-01-01, n: null}}, vars: {a: 2}}
    empty: {}
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Inventory:
    (tmp_path / "fleet.yaml").write_text(FLEET)
    return load(["fleet.yaml"], cwd=tmp_path)


def said(inventory: Inventory, *, dates: bool) -> dict[str, object]:
    """All that must survive. JSON has no dates: there they become text."""

    def value(found: object) -> object:
        found = plain(found)
        if isinstance(found, dict) and found.keys() == {"a date"} and not dates:
            return found["a date"]
        if isinstance(found, dict) and found.keys() == {"a set of"}:
            return found["a set of"]
        if isinstance(found, dict):
            return {key: value(item) for key, item in found.items()}
        return [value(item) for item in found] if isinstance(found, list) else found

    groups = {
        group.name: [sorted(inventory.members(group.name)), sorted(group.children)]
        for group in inventory.groups.values()
    }
    return {
        "variables": {h.name: value(dict(h.variables)) for h in inventory.hosts.values()},
        "groups": groups,
    }


@pytest.mark.parametrize("form", ["fleet.json", "fleet.yaml"])
@pytest.mark.parametrize("name", SAME)
def test_what_is_written_is_read_again(name: str, form: str, tmp_path: Path) -> None:
    inventory = load(sources_of(CORPUS / name), cwd=CORPUS / name)
    hosts = list(inventory.hosts.values())
    is_json = form.endswith("json")
    text = (
        json.dumps(written.as_listing(inventory, hosts))
        if is_json
        else written.as_tree(inventory, hosts)
    )
    (tmp_path / form).write_text(text)
    again = load([form], cwd=tmp_path)
    assert said(again, dates=not is_json) == said(inventory, dates=not is_json)


def ansible(tmp_path: Path, *arguments: str) -> str:
    program = Path(sys.executable).with_name("ansible-inventory")
    result = subprocess.run(
        [str(program), "-i", "fleet.yaml", *arguments],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "ANSIBLE_NOCOLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout


@pytest.mark.parametrize("limit", [None, "web"])
def test_the_listing_is_the_one_that_ansible_prints(
    fleet: Inventory, tmp_path: Path, limit: str | None
) -> None:
    theirs = json.loads(ansible(tmp_path, "--list", *(["--limit", limit] if limit else [])))
    theirs["_meta"].pop("profile", None)
    ours = written.as_listing(fleet, fleet.select(limit or "all"))
    for each in (ours, theirs):  # in which order 'all' comes to hold groups has no meaning
        each["all"]["children"].sort()
    assert ours == theirs


def test_the_graph_is_the_one_that_ansible_prints(fleet: Inventory, tmp_path: Path) -> None:
    ours = list(written.graph(fleet, list(fleet.hosts.values()), "web"))
    assert ours == ansible(tmp_path, "--graph", "web").splitlines()


def test_a_graph_of_everything_has_every_group(fleet: Inventory) -> None:
    lines = list(written.graph(fleet, list(fleet.hosts.values())))
    assert lines[0] == "@all:"
    assert "  |--@empty:" in lines
    assert "  |  |  |--w3" in lines


def test_groups_from_one_down(fleet: Inventory) -> None:
    hosts = list(fleet.hosts.values())
    assert written.as_groups(fleet, hosts, "web") == {
        "web": {"hosts": ["w1", "w2"], "children": ["front"]},
        "front": {"hosts": ["w3"]},
    }
    with pytest.raises(InputError, match=r"no group 'wbe': did you mean web\?"):
        written.as_groups(fleet, hosts, "wbe")
