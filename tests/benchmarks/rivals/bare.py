"""A fleet for rivals alone: namespaces without sshd, their links limited to a rate or not at all."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from tests.lab import links
from tests.lab.netns import Host, Lab
from tests.lab.rated import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class BareFleet(NamedTuple):
    """Where the source is served, who is to get it, and a folder that goes with the fleet."""

    origin: Host
    hosts: dict[str, Host]
    root: Path


@contextmanager
def bare_fleet(hosts: int, rate: int | None) -> Iterator[BareFleet]:
    """``rate`` in bytes a second, each way of each link; None: what the machine can do.

    The links are otherwise those of the lab that fleetpush is measured in.
    """
    with Lab() as lab:
        fleet = BareFleet(lab.host("origin", "10.77.0.1"), {}, lab.root)
        for index, name in enumerate(Layout(hosts, 0).names):
            fleet.hosts[name] = lab.host(name, f"10.77.{index // 250 + 1}.{index % 250 + 1}")
        for host in (fleet.origin, *fleet.hosts.values()):
            links.tune(lab.bridges, host)
            if rate is not None:
                links.limit_host(lab.bridges, host, rate)
        yield fleet
