"""Racks by groups or networks, where no variable says; what cannot be names the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import fleetpush
from fleetpush.deploy.fleet import choose
from fleetpush.deploy.options import DeployOptions
from fleetpush.errors import FleetpushError, InputError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

GROUPS = """
all:
  hosts:
    loner: {}
  children:
    row1:
      children:
        rack_a: {hosts: {a1: {}, a2: {fleetpush_rack: other}}}
        rack_b: {hosts: {b1: {}}}
    web: {hosts: {a1: {}, b1: {}}}
"""
NETWORKS = """
all:
  hosts:
    a: {ansible_host: 10.1.2.3}
    b: {ansible_host: 10.1.3.4}
    c: {ansible_host: "2001:db8:0:7::1"}
    d: {ansible_host: 10.1.2.9, fleetpush_address: 192.168.7.9}
"""


def racks(
    folder: Path, inventory: str, rule: str | None, limit: str | None = None
) -> dict[str, str]:
    path = folder / "fleet.yaml"
    path.write_text(inventory)
    options = DeployOptions(
        sources=("model.pt",), inventories=(str(path),), limit=limit, rack_by=rule
    )
    said: list[str] = []
    found = {place.name: place.rack for place in choose(options, said.append)}
    return {**found, "said": "; ".join(said)}


def test_a_group_is_a_rack_and_the_variable_wins(tmp_path: Path) -> None:
    found = racks(tmp_path, GROUPS, "rack_")
    said = found.pop("said")
    assert found == {"loner": "", "a1": "a", "a2": "other", "b1": "b"}
    assert said == "loner in no group that begins with 'rack_': without a rack they count as one"
    assert racks(tmp_path, GROUPS, None)["a1"] == ""


def test_a_network_is_a_rack(tmp_path: Path) -> None:
    found = racks(tmp_path, NETWORKS, "subnet")
    assert (found["a"], found["b"]) == ("10.1.2.0/24", "10.1.3.0/24")
    assert (found["c"], found["d"]) == ("2001:db8:0:7::/64", "192.168.7.0/24")
    found = racks(tmp_path, NETWORKS, "subnet/22")
    assert found["a"] == found["b"] == "10.1.0.0/22"


@pytest.mark.parametrize(
    ("inventory", "rule", "error", "words"),
    [
        (GROUPS, "rac", InputError, "^a1: in rack_a and racy, and a host is in one rack"),
        (
            GROUPS.replace("other", ""),
            "shelf_",
            InputError,
            "the hosts are in no group that begins with 'shelf_'",
        ),
        (GROUPS, "subnet", InputError, "^loner: --rack-by subnet goes by addresses in numbers"),
        (NETWORKS, "subnet/48", InputError, "^a: 10.1.2.3 has no network of 48 bits"),
        (NETWORKS, "subnet/x", UsageError, "give a length such as subnet/22"),
        (NETWORKS, "", UsageError, "give 'subnet', or"),
    ],
)
def test_what_cannot_be_is_said(
    tmp_path: Path, inventory: str, rule: str, error: type[FleetpushError], words: str
) -> None:
    twice = inventory.replace("web:", "racy:")
    with pytest.raises(error, match=words):
        racks(tmp_path, twice, rule)


def test_a_run_by_groups_says_what_crossed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source, inventory = tmp_path / "model.pt", tmp_path / "fleet.yaml"
    source.write_bytes(bytes(range(256)) * 4096)
    inventory.write_text(
        "all: {vars: {ansible_connection: local}, children: {rack_a: {hosts: {a1: {}, a2: {}}},"
        " rack_b: {hosts: {b1: {}, b2: {}}}}}"
    )
    dest = f"{tmp_path}/{{{{ inventory_hostname }}}}.pt"
    report = fleetpush.deploy(
        source, inventory, dest=dest, rack_by="rack_", topology="tree", record=False
    )
    assert report.exit_code == 0
    everything = report.traffic.origin_bytes_sent + report.traffic.peer_bytes_sent
    assert 0 < report.traffic.cross_rack_bytes < everything
