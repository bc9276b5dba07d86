"""Which variable wins, and what templates make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fleetpush.errors import InputError
from fleetpush.inventory.load import load

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fleetpush.inventory.model import Host, Inventory


def read(cwd: Path, text: str, extra_vars: Mapping[str, object] | None = None) -> Inventory:
    (cwd / "fleet.yaml").write_text(text)
    return load(["fleet.yaml"], cwd=cwd, extra_vars=extra_vars or {})


PRECEDENCE = """
all:
  vars: {v: all, a: all, p: all, c: all, h: all, e: all}
  children:
    parent:
      vars: {p: parent, c: parent, h: parent, e: parent}
      children:
        child:
          vars: {c: child, h: child, e: child}
          hosts:
            box: {h: host, e: host}
"""


def test_all_is_beaten_by_parent_by_child_by_host_by_extra(tmp_path: Path) -> None:
    box = read(tmp_path, PRECEDENCE, {"e": "extra"}).hosts["box"]
    assert [box.resolved(v) for v in "apche"] == ["all", "parent", "child", "host", "extra"]


@pytest.mark.parametrize(
    ("a", "b", "winner"),
    [
        ("{x: a}", "{x: b}", "b"),
        ("{x: a, ansible_group_priority: 2}", "{x: b}", "a"),
        ("{x: a, ansible_group_priority: 10}", "{x: b, ansible_group_priority: 9}", "a"),
    ],
)
def test_among_groups_of_one_depth_priority_decides_then_the_name(
    tmp_path: Path, a: str, b: str, winner: str
) -> None:
    text = f"b: {{vars: {b}, hosts: {{box: }}}}\na: {{vars: {a}, hosts: {{box: }}}}\n"
    box = read(tmp_path, text).hosts["box"]
    assert box.resolved("x") == winner
    assert "ansible_group_priority" not in box.variables


def test_the_deeper_group_wins_over_priority_whichever_way_it_is_reached(tmp_path: Path) -> None:
    text = """
zzz: {vars: {x: shallow, ansible_group_priority: 99}, hosts: {box: }}
top: {children: {middle: , deep: }}
middle: {children: {deep: }}
deep: {vars: {x: deep}, hosts: {box: }}
"""
    inventory = read(tmp_path, text)
    assert inventory.groups["deep"].depth == 3
    assert inventory.hosts["box"].resolved("x") == "deep"


TEMPLATES = """
web:
  vars:
    port: 2200
    ansible_port: "{{ port }}"
    base: /srv
    dest: "{{ base }}/{{ inventory_hostname_short }}/"
    nested: {paths: ["{{ dest }}a", 5], plain: true}
    fallback: "{{ nobody | default('none') }}"
    indirect: "{{ broken | default('none') }}"
    broken: "{{ nobody }}"
    typo: "{{ bsae }}"
    chain: "{{ broken }}/x"
    loop: "{{ loop2 }}"
    loop2: "{{ loop }}"
    itself: "{{ itself }}"
    syntax: "{{ base "
    crash: "{{ port + base }}"
    escape: "{{ base.__class__.__mro__ }}"
    mutate: "{{ peers.append(1) }}"
    peers: [w1]
    first: "{{ groups['web'][0] }}"
    mine: "{{ group_names | join('+') }}"
    late: "{{ groups.nobody }}"
    where: "{{ inventory_dir }}/{{ inventory_file }}"
    undefined_part: ["{{ nobody }}"]
  hosts:
    w1.example.net:
    w2.example.net: {base: /data}
"""


@pytest.fixture
def web1(tmp_path: Path) -> Host:
    return read(tmp_path, TEMPLATES).hosts["w1.example.net"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", 2200),
        ("ansible_port", 2200),
        ("dest", "/srv/w1/"),
        ("nested", {"paths": ["/srv/w1/a", 5], "plain": True}),
        ("fallback", "none"),
        ("indirect", "none"),
        ("first", "w1.example.net"),
        ("mine", "web"),
        ("inventory_hostname", "w1.example.net"),
        ("group_names", ["web"]),
    ],
)
def test_a_variable_is_resolved_through_others(web1: Host, name: str, value: object) -> None:
    assert web1.resolved(name) == value
    assert web1.resolved(name) == value


def test_a_variable_nobody_sets_is_the_default(web1: Host) -> None:
    assert web1.resolved("nobody") is None
    assert web1.resolved("nobody", 7) == 7
    assert web1.resolved("range", 7) == 7  # a function of the template language is no variable


def test_a_variable_is_resolved_once_a_host(web1: Host) -> None:
    assert web1.resolved("nested") is web1.resolved("nested")


def test_the_place_named_is_the_one_that_counts(tmp_path: Path) -> None:
    text = "all:\n  vars: {x: 1}\nweb:\n  hosts:\n    w:\n      x: '{{ nobody }}'\n"
    with pytest.raises(InputError, match=r"variable 'x' \(fleet\.yaml:6\)"):
        read(tmp_path, text).hosts["w"].resolved("x")


def test_each_host_resolves_the_shared_template_for_itself(tmp_path: Path) -> None:
    hosts = read(tmp_path, TEMPLATES).select()
    assert [host.resolved("dest") for host in hosts] == ["/srv/w1/", "/data/w2/"]


def test_the_inventory_file_and_its_directory_are_known(tmp_path: Path, web1: Host) -> None:
    assert web1.resolved("where") == f"{tmp_path}/{tmp_path}/fleet.yaml"


@pytest.mark.parametrize(
    ("name", "place", "reason"),
    [
        ("broken", "fleet.yaml:11", "'nobody' is undefined"),
        ("typo", "fleet.yaml:12", "'bsae' is undefined; did you mean 'base'?"),
        ("chain", "fleet.yaml:13", r"variable 'broken' \(fleet.yaml:11\): 'nobody' is undefined"),
        ("loop", "fleet.yaml:14", "wait for each other: loop -> loop2 -> loop"),
        ("itself", "fleet.yaml:16", "wait for each other: itself -> itself"),
        ("syntax", "fleet.yaml:17", "bad template"),
        ("crash", "fleet.yaml:18", "cannot be computed"),
        ("escape", "fleet.yaml:19", "unsafe"),
        ("mutate", "fleet.yaml:20", "cannot be computed|not safely callable"),
        ("late", "fleet.yaml:24", "has no attribute 'nobody'"),
        ("undefined_part", "fleet.yaml:26", "'nobody' is undefined"),
    ],
)
def test_a_variable_that_cannot_be_resolved_names_host_place_and_reason(
    web1: Host, name: str, place: str, reason: str
) -> None:
    for _ in range(2):  # a failure leaves nothing half done behind
        with pytest.raises(
            InputError, match=rf"^host w1\.example\.net: .*\({place}\): .*({reason})"
        ):
            web1.resolved(name)


def test_extra_variables_are_templates_too_and_named_as_such(tmp_path: Path) -> None:
    extra = {"base": "/x{{ port }}", "bad": "{{ nobody }}"}
    host = read(tmp_path, TEMPLATES, extra).hosts["w2.example.net"]
    assert host.resolved("dest") == "/x2200/w2/"
    with pytest.raises(InputError, match=r"'bad' \(extra variables\): 'nobody' is undefined"):
        host.resolved("bad")


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("/srv/model.pt", "/srv/model.pt"),
        ("/srv/{{ inventory_hostname }}/model.pt", "/srv/w1.example.net/model.pt"),
        ("{{ port }}", "2200"),
        ("{% if port > 1 %}high{% endif %}", "high"),
        ("{{ dest }}x\n", "/srv/w1/x\n"),
        ("{% set p = base %}{{ p }}", "/srv"),
        ("{% for p in nested.paths %}<{{ p }}>{% endfor %}", "</srv/w1/a><5>"),
        ("{plain}", "{plain}"),
        ("", ""),
    ],
)
def test_render(web1: Host, text: str, result: str) -> None:
    assert web1.render(text) == result


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ nobody }}", "'nobody' is undefined"),
        ("/srv/{{ typo }}", "'bsae' is undefined"),
        ("{{ loop }}", "wait for each other"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{% include 'x' %}", "cannot be computed"),
        ("{{ x", "bad template"),
    ],
)
def test_a_text_that_cannot_be_rendered_names_host_and_reason(
    web1: Host, text: str, reason: str
) -> None:
    with pytest.raises(InputError, match=rf"^host w1\.example\.net: .*{reason}"):
        web1.render(text)


def test_variables_cannot_be_changed_by_who_reads_them(web1: Host) -> None:
    with pytest.raises(TypeError):
        web1.variables["port"] = 1  # type: ignore[index]
