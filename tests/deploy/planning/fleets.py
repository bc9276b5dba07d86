"""Fleets in a line, with rates in bytes a second that a person can reckon with."""

from __future__ import annotations

from fleetpush.deploy.planning.network import Grounds, Machine, Network, Rate


def rate(value: float) -> Rate:
    return Rate(value, Grounds.DECLARED)


def machine(
    name: str, up: float, down: float, disk: float | None = None, rack: str = ""
) -> Machine:
    return Machine(name, rack, rate(up), rate(down), None if disk is None else rate(disk))


def fleet(
    origin: float,
    *hosts: Machine,
    rack_uplink: float | None = None,
    cpu: float | None = None,
) -> Network:
    return Network(
        rate(origin),
        hosts,
        None if rack_uplink is None else rate(rack_uplink),
        None if cpu is None else rate(cpu),
    )


def equal(count: int, each: float, *, racks: int = 1, rack_uplink: float | None = None) -> Network:
    """``count`` hosts and an origin that all do ``each``, spread over ``racks``."""
    hosts = (machine(f"n{i}", each, each, rack=f"r{i % racks}") for i in range(count))
    return fleet(each, *hosts, rack_uplink=rack_uplink)
