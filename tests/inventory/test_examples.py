"""The inventories that come with the repository say what their comments say."""

from pathlib import Path

import pytest

from fleetpush.inventory.load import load
from fleetpush.inventory.nodeset import fold

REPOSITORY = Path(__file__).parents[2]


def test_dc1_is_a_thousand_hosts_in_25_racks() -> None:
    inventory = load(["dc1.yaml"], cwd=REPOSITORY)
    hosts = inventory.select()
    assert fold(host.name for host in hosts) == "r[01-25]n[01-40]"
    assert len({host.resolved("ansible_host") for host in hosts}) == 1000
    assert len({host.resolved("fleetpush_address") for host in hosts}) == 1000
    racks = [host.resolved("fleetpush_rack") for host in hosts]
    assert {rack: racks.count(rack) for rack in racks} == {f"r{n:02d}": 40 for n in range(1, 26)}
    assert all(host.name.startswith(str(host.resolved("fleetpush_rack"))) for host in hosts)
    assert len(inventory.select("gpu")) == 640
    assert len(inventory.select("gpu:!r07")) == 600
    assert len(inventory.select("all", "r01n[01-20],r02")) == 60
    assert len(inventory.select("canary")) == 7
    assert inventory.hosts["r07n03"].resolved("ansible_host") == "10.10.7.13"
    assert inventory.hosts["r07n03"].resolved("fleetpush_dest") == "/nvme/models/"
    assert inventory.hosts["r25n03"].resolved("fleetpush_dest") == "/srv/models/"
    assert inventory.hosts["r12n03"].resolved("fleetpush_uplink") == "300m"


@pytest.mark.parametrize(("extra", "port"), [({}, 2200), ({"sshd_port": 2222}, 2222)])
def test_loopback_is_fifty_addresses_and_one_port(extra: dict[str, object], port: int) -> None:
    hosts = load(["loopback.yaml"], cwd=REPOSITORY, extra_vars=extra).select()
    addresses = [host.resolved("ansible_host") for host in hosts]
    assert addresses == [f"127.1.0.{n}" for n in range(1, 51)]
    assert {host.resolved("ansible_port") for host in hosts} == {port}
    assert len({host.resolved("fleetpush_dest") for host in hosts}) == 50
    assert len({host.resolved("fleetpush_rack") for host in hosts}) == 5


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "inventories").iterdir()), ids=lambda p: p.name
)
def test_every_variable_of_every_example_resolves(path: Path) -> None:
    for host in load([str(path)], cwd=REPOSITORY).select():
        assert all(host.resolved(name) is not None for name in host.variables)
