"""What is read from inventory sources, and that every mistake is named with file and line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fleetpush.errors import InputError
from fleetpush.inventory.load import load

if TYPE_CHECKING:
    from fleetpush.inventory.model import Inventory


def read(cwd: Path, text: str) -> Inventory:
    (cwd / "fleet.yaml").write_text(text)
    return load(["fleet.yaml"], cwd=cwd)


def test_hosts_groups_and_ranges(tmp_path: Path) -> None:
    inventory = read(
        tmp_path,
        """
all:
  hosts:
    alone:
  children:
    web:
      hosts:
        web[01:02]: {ansible_user: www}
        web02:
          ansible_port: 2222
    site:
      children:
        web:
""",
    )
    assert list(inventory.hosts) == ["alone", "web01", "web02"]
    assert inventory.hosts["web02"].groups == ("site", "web")
    assert inventory.hosts["alone"].groups == ("ungrouped",)
    assert dict(inventory.hosts["web01"].variables) == {"ansible_user": "www"}
    assert dict(inventory.hosts["web02"].variables) == {"ansible_user": "www", "ansible_port": 2222}


def test_a_host_listed_as_ungrouped_and_in_a_group_is_in_the_group(tmp_path: Path) -> None:
    inventory = read(tmp_path, "ungrouped: {hosts: {a: , b: }}\nweb: {hosts: {a: }}\n")
    assert [inventory.hosts[name].groups for name in "ab"] == [("web",), ("ungrouped",)]
    assert [host.name for host in inventory.select("ungrouped")] == ["b"]


def test_anchors_and_merge_keys_work(tmp_path: Path) -> None:
    inventory = read(
        tmp_path,
        """
web:
  vars: &common {ansible_user: www, fleetpush_dest: /srv/}
  hosts: {w: }
db:
  vars: {<<: *common, ansible_user: pg}
  hosts: {d: }
""",
    )
    assert dict(inventory.hosts["d"].variables) == {"ansible_user": "pg", "fleetpush_dest": "/srv/"}


@pytest.mark.parametrize(
    ("source", "hosts"),
    [
        ("a,b,", {"a": None, "b": None}),
        ("a,", {"a": None}),
        ("n[1-2],x:2222", {"n1": None, "n2": None, "x": 2222}),
        ("n[1,3]:22", {"n1": 22, "n3": 22}),
        ("2001:db8::1,[2001:db8::2]:2222", {"2001:db8::1": None, "2001:db8::2": 2222}),
    ],
)
def test_a_list_of_hosts(tmp_path: Path, source: str, hosts: dict[str, int | None]) -> None:
    inventory = load([source], cwd=tmp_path)
    assert {n: h.resolved("ansible_port") for n, h in inventory.hosts.items()} == hosts


def test_later_sources_add_and_override(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("web: {hosts: {w1: {x: 1, y: 1}}, vars: {z: 1}}")
    (tmp_path / "b.yaml").write_text("web: {hosts: {w1: {x: 2}, w2: }, vars: {z: 2}}")
    inventory = load(["a.yaml", "b.yaml", "w3,"], cwd=tmp_path, extra_vars={"y": 9})
    assert dict(inventory.hosts["w1"].variables) == {"x": 2, "y": 9, "z": 2}
    assert list(inventory.hosts) == ["w1", "w2", "w3"]


def test_a_bare_name_is_found_in_the_inventories_directory(tmp_path: Path) -> None:
    (tmp_path / "inventories").mkdir()
    (tmp_path / "inventories" / "dc.yaml").write_text("all: {hosts: {there: }}")
    assert list(load(["dc.yaml"], cwd=tmp_path).hosts) == ["there"]
    (tmp_path / "dc.yaml").write_text("all: {hosts: {here: }}")
    assert list(load(["dc.yaml"], cwd=tmp_path).hosts) == ["here"]
    assert list(load([str(tmp_path / "inventories/dc.yaml")], cwd=Path("/")).hosts) == ["there"]


def test_json_bom_and_files_without_suffix_are_yaml_too(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"all": {"hosts": {"j": null}}}')
    (tmp_path / "hosts").write_bytes(b"\xef\xbb\xbfall: {hosts: {b: }}")
    assert list(load(["a.json", "hosts"], cwd=tmp_path).hosts) == ["j", "b"]


DEEP = "all:\n  vars:\n    x: " + "[" * 5000 + "]" * 5000


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 1, "the file is empty"),
        ("# nothing\n", 1, "the file is empty"),
        ("all:\n  hosts: [a\n", 3, "expected"),
        ("all:\n\thosts:\n", 2, "cannot start any token"),
        ("---\nall:\n---\nall:\n", 3, "expected a single document|another document"),
        ("- a\n- b\n", 1, "an inventory must be a mapping, not a list"),
        ("web1\n", 1, None),
        ("all:\n  - a\n", 2, "group 'all' must be a mapping, not a list"),
        ("all: 5\n", 1, "must be a mapping, not '5'"),
        ("all:\n  hosts:\n    - a\n", 3, "hosts of 'all' must be a mapping, not a list"),
        ("all:\n  hosts:\n    a: 5\n", 3, "host 'a' must be a mapping, not '5'"),
        ("all:\n  hosts:\n    10:\n", 3, "the key '10' must be text: put it in quotes"),
        ("all:\n  hosts:\n    no:\n", 3, "the key 'no' must be text"),
        ("all:\n  hosts: 5\n", 2, "hosts of 'all' must be a mapping, not '5': write '5:'"),
        ("all:\n  vars: [a]\n", 2, "vars of 'all' must be a mapping, not a list"),
        ("all:\n  vars:\n    1: a\n", 3, "the key '1' must be text"),
        ("all:\n  children:\n    - web\n", 3, "children of 'all' must be a mapping, not a list"),
        ("all:\n  children:\n    web: [a]\n", 3, "group 'web' must be a mapping, not a list"),
        ("all:\n  hosts:\n    a:\n    b:\n    a:\n", 5, "'a' is here twice, first in line 3"),
        ("all:\n  vars:\n    x: {y: 1,\n      y: 2}\n", 4, "'y' is here twice, first in line 3"),
        ("all: {hosts: {a: , a: }}\n", 1, "'a' is here twice, first in line 1"),
        ("a:\n  hosts:\na:\n", 3, "'a' is here twice, first in line 1"),
        ("all:\n  vars: {x: {{ y }}}\n", 2, "quote values that begin with {{"),
        ("all:\n  host:\n    a:\n", 2, "unknown key 'host' in group 'all': did you mean 'hosts'"),
        ("web:\n  ansible_user: x\n", 2, "unknown key 'ansible_user'.*variables go under 'vars:'"),
        ("hosts:\n  a:\n", 1, "'hosts' is not a group: put 'hosts:' under 'all:'"),
        ("plugin: aws_ec2\n", 1, "inventory plugins"),
        (
            "a:\n  children:\n    b:\n      children:\n        a:\n",
            5,
            "group 'a' would contain itself",
        ),
        ("a:\n  children:\n    b:\nb:\n  children:\n    a:\n", 6, "'a' would contain itself"),
        ("a:\n  children:\n    a:\n", 3, "'a' would contain itself"),
        ("a:\n  children:\n    all:\n", 3, "'all' would contain itself"),
        ("a: &a\n  children:\n    b: *a\n", 3, "'b' would contain itself"),
        ("all:\n  vars:\n    p: !vault [a]\n", 3, "!vault stands before encrypted text only"),
        ("all:\n  vars:\n    p: !thing x\n", 3, "the tag !thing is not supported"),
        ("all:\n  vars:\n    p: !!python/name:os.system\n", 3, "could not determine a constructor"),
        ("all:\n  vars:\n    when: 2024-13-45\n", 3, "month must be"),
        ("all:\n  vars:\n    <<: 5\n", 3, "expected a mapping"),
        ("all:\n  vars:\n    x: &x [*x]\n", 3, "recursive"),
        ("all:\n  hosts:\n    n[5:1]:\n", 3, "ends before it begins"),
        ("all:\n  hosts:\n    'n[1:'\n", 3, "never closed"),
        ("all:\n  hosts:\n    'n[1:':\n", 3, "never closed"),
        ("all:\n  hosts:\n    -oProxyCommand=x:\n", 3, "no name for a host"),
        ("all:\n  hosts:\n    a/../b:\n", 3, "no name for a host"),
        ("all:\n  hosts:\n    a b:\n", 3, "no name for a host"),
        ("'a b':\n  hosts:\n", 1, "no name for a group"),
        ("a:\n  vars:\n    ansible_group_priority: high\n", 3, "must be a whole number"),
        ("all:\n  vars:\n    x: a\x01b\n", 3, "control characters|not allowed"),
        (DEEP, None, "nested too deeply|nesting|exceeded"),
    ],
)
def test_a_mistake_is_named_with_file_and_line(
    tmp_path: Path, text: str, line: int | None, reason: str | None
) -> None:
    where = rf"^fleet\.yaml:{line if line else '[0-9]+'}: "
    with pytest.raises(InputError, match=where + f".*({reason or 'mapping'})"):
        read(tmp_path, text)


def test_a_byte_that_is_not_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_bytes(b"all:\n  hosts:\n    caf\xe9:\n")
    with pytest.raises(InputError, match=r"^fleet\.yaml:3: not UTF-8 \(byte 0xe9\)"):
        load(["fleet.yaml"], cwd=tmp_path)


@pytest.mark.parametrize(
    ("sources", "reason"),
    [
        ([], "no inventory"),
        ([""], "name is empty"),
        ([","], "no hosts in ,"),
        (["nowhere.yaml"], "nowhere.yaml: no such file.*-i nowhere.yaml,"),
        (["dc2.yaml"], r"no such file.*did you mean dc1\.yaml\?"),
        (["dc1"], r"no such file.*did you mean dc1\.yaml\?"),
        (["empty.yaml/x.yaml"], "no such file"),
        (["empty.yaml"], "no hosts in empty.yaml"),
        (["nul\0.yaml"], "cannot read the inventory"),
        (["long" * 1000], "cannot read the inventory"),
        (["loop.yaml"], "cannot read the inventory"),
        (["dynamic"], r"a script that is not executable: chmod \+x dynamic"),
        (["fleet.toml"], "TOML is.*ansible-inventory -i fleet.toml --list --yaml > fleet.yaml"),
        (["-", "-"], "-i - is there twice"),
        (
            ["vaulted.yaml"],
            r"vaulted\.yaml:1: the whole file is vault-encrypted.*ansible-inventory",
        ),
        (["-oProxyCommand=x,"], "no name for a host"),
        (["n[2-1],"], "ends before it begins"),
    ],
)
def test_a_source_that_cannot_be_used_is_refused(
    tmp_path: Path, sources: list[str], reason: str
) -> None:
    (tmp_path / "inventories").mkdir()
    (tmp_path / "inventories" / "dc1.yaml").write_text("all: {hosts: {a: }}")
    (tmp_path / "empty.yaml").write_text("web:\n")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    (tmp_path / "vaulted.yaml").write_text("$ANSIBLE_VAULT;1.1;AES256\n3030\n")
    (tmp_path / "dynamic").write_text("#!/bin/sh\n")
    (tmp_path / "fleet.toml").write_text("a = 1\n")
    with pytest.raises(InputError, match=reason):
        load(sources, cwd=tmp_path)


def test_a_file_without_permission_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)  # as root no mode bits would do
    (tmp_path / "fleet.yaml").touch()
    with pytest.raises(
        InputError, match=r"cannot read the inventory fleet\.yaml: Permission denied"
    ):
        load(["fleet.yaml"], cwd=tmp_path)
