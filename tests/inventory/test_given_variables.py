"""Variables of ``-e``, files of variables, and values that ansible-vault encrypted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fleetpush.errors import InputError
from fleetpush.inventory.load import load, read_extra_vars

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("given", "variables"),
    [
        (["a=1"], {"a": "1"}),
        (["a=1 b=2", "b=3"], {"a": "1", "b": "3"}),
        (["a='two words' b=\"x y\""], {"a": "two words", "b": "x y"}),
        (["a=b=c d="], {"a": "b=c", "d": ""}),
        (["d={{ base }}/x y={% if a %}b{% endif %}"], {"d": "{{ base }}/x", "y": "{% if a %}b{% endif %}"}),
        ([r"a=x\ty"], {"a": "x\ty"}),
        (['{"a": 1, "b": [true]}'], {"a": 1, "b": [True]}),
        (["{a: 1, b: x}", "b=y"], {"a": 1, "b": "y"}),
        (["@vars.yml"], {"a": 1, "l": [2]}),
        (["@vars.json", "@empty.yml"], {"j": None}),
        ([], {}),
    ],
)  # fmt: skip
def test_extra_variables(tmp_path: Path, given: list[str], variables: dict[str, object]) -> None:
    (tmp_path / "vars.yml").write_text("a: 1\nl: [2]\n")
    (tmp_path / "vars.json").write_text('{"j": null}')
    (tmp_path / "empty.yml").touch()
    assert read_extra_vars(given, cwd=tmp_path) == variables


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("a", "write name=value"),
        ("", "-e is empty: write name=value"),
        ("a-b=1", "write name=value"),
        ("a=1 b", "in quotes"),
        ("a=it's", "a quote ' is never closed"),
        ("vars.yml", "write name=value"),
        ("./vars.yml", r"write -e @\./vars\.yml"),
        ("[1]", "must be a mapping, not a list"),
        ("{a: 1", "^-e:2: did not find"),
        ("@nowhere.yml", "cannot read the variables of -e @nowhere.yml: No such file"),
        ("@list.yml", r"-e @list\.yml:1: .*must be a mapping, not a list"),
        ("@vault.yml", r"-e @vault\.yml:1: the whole file is vault-encrypted"),
    ],
)
def test_extra_variables_that_cannot_be_read_are_refused(
    tmp_path: Path, given: str, reason: str
) -> None:
    (tmp_path / "list.yml").write_text("- a\n")
    (tmp_path / "vault.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n3434\n")
    with pytest.raises(InputError, match=reason):
        read_extra_vars([given], cwd=tmp_path)


@pytest.mark.parametrize(
    "given", ["p=hunter2 oops", "p='hunter2", "{p: hunter2", "{p: hunter2, p: 2}"]
)
def test_a_slip_beside_a_password_does_not_show_it(tmp_path: Path, given: str) -> None:
    with pytest.raises(InputError) as caught:
        read_extra_vars([given], cwd=tmp_path)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("group_vars/web.yml", "a: 1\n- b\n", r"group_vars/web\.yml:2: "),
        ("group_vars/web.yml", "- a\n", r"group_vars/web\.yml:1: .*must be a mapping, not a list"),
        ("group_vars/web/x", "a: 1\na: 2\n", r"group_vars/web/x:2: 'a' is here twice"),
        ("host_vars/w1.yml", "a: !thing 1\n", r"host_vars/w1\.yml:1: the tag !thing"),
        ("host_vars/w1.json", "$ANSIBLE_VAULT;1.1;AES256\n3\n", r"host_vars/w1\.json:1: the whole"),
    ],
)
def test_a_file_of_variables_that_cannot_be_read_is_named_with_its_line(
    tmp_path: Path, path: str, text: str, reason: str
) -> None:
    (tmp_path / "hosts").write_text("[web]\nw1\n")
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text(text)
    with pytest.raises(InputError, match=reason):
        load(["hosts"], cwd=tmp_path)


VAULTED = """
secret: !vault |
  $ANSIBLE_VAULT;1.1;AES256
  3434
plain: 5
ansible_password: "{{ secret }}"
mixed: "x{{ secret }}"
tested: "{% if secret == 'x' %}a{% endif %}"
length: "{{ secret | length }}"
part: "{{ account.password }}/"
account: {user: me, password: !vault "$ANSIBLE_VAULT;1.1;AES256"}
user: "{{ account.user }}"
fallback: "{{ nobody | default(plain) }}"
"""


@pytest.fixture
def vaulted(tmp_path: Path) -> Path:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text(VAULTED.lstrip())
    (tmp_path / "hosts").write_text("[web]\nw1\n")
    return tmp_path


def test_a_vaulted_value_that_nobody_uses_hinders_nobody(vaulted: Path) -> None:
    host = load(["hosts"], cwd=vaulted).hosts["w1"]
    assert host.resolved("plain") == 5
    assert host.resolved("user") == "me"
    assert host.resolved("fallback") == 5
    assert repr(host.variables["secret"]) == "(vault-encrypted)"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("secret", 1),
        ("ansible_password", 1),
        ("mixed", 1),
        ("tested", 1),
        ("length", 1),
        ("part", 10),
    ],
)
def test_a_vaulted_value_that_is_used_is_refused_with_its_place(
    vaulted: Path, name: str, line: int
) -> None:
    host = load(["hosts"], cwd=vaulted).hosts["w1"]
    with pytest.raises(InputError, match=rf"vault-encrypted \(group_vars/all\.yml:{line}\)"):
        host.resolved(name)
    with pytest.raises(InputError, match=rf"vault-encrypted \(group_vars/all\.yml:{line}\)"):
        host.render(f"/srv/{{{{ {name} }}}}")


def test_a_vaulted_value_can_be_overridden(vaulted: Path) -> None:
    host = load(["hosts"], cwd=vaulted, extra_vars={"secret": "open"}).hosts["w1"]
    assert host.resolved("ansible_password") == "open"


def test_the_place_named_is_that_of_the_file_that_wins(vaulted: Path) -> None:
    (vaulted / "group_vars" / "web.yml").write_text("---\nplain: '{{ nobody }}'\n")
    with pytest.raises(InputError, match=r"'plain' \(group_vars/web\.yml:2\)"):
        load(["hosts"], cwd=vaulted).hosts["w1"].resolved("plain")


def test_unsafe_text_is_no_template(tmp_path: Path) -> None:
    text = "all: {vars: {dest: !unsafe '/srv/{{ x }}'}, hosts: {a: }}"
    (tmp_path / "f.yaml").write_text(text)
    host = load(["f.yaml"], cwd=tmp_path).hosts["a"]
    dest = host.resolved("dest")
    assert isinstance(dest, str)
    assert host.render(dest) == "/srv/{{ x }}"


def test_a_playbooks_own_directory_beats_the_inventorys_and_groups_beat_all(tmp_path: Path) -> None:
    for folder, more in (("inv", ""), ("playbooks", "h: playbook\n")):
        (tmp_path / folder / "group_vars").mkdir(parents=True)
        (tmp_path / folder / "host_vars").mkdir()
        (tmp_path / folder / "group_vars" / "all").write_text(f"x: {folder}\ny: all of {folder}\n")
        (tmp_path / folder / "host_vars" / "a").write_text(f"z: {folder}\n{more}")
    (tmp_path / "inv" / "group_vars" / "web").write_text("y: web\n")
    (tmp_path / "inv" / "hosts").write_text("[web]\na h=inventory\n")
    directory = str(tmp_path / "playbooks")
    host = load(["inv/hosts"], cwd=tmp_path, var_directories=[directory]).hosts["a"]
    assert [host.resolved(name) for name in "xyzh"] == ["playbooks", "web", "playbooks", "playbook"]
