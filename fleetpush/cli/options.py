"""From a verb's flags to what a run can be told."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from fleetpush.cli.password import asked
from fleetpush.deploy.options import DeployOptions, SshOptions
from fleetpush.deploy.topology import choose_topology

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def options_from(given: dict[str, Any]) -> DeployOptions:
    """The options that a verb's flags, by parameter name, ask for; what it has no flag for is as usual.

    Asks the operator for passwords where the flags say so. Raises UsageError.
    """
    if "topology" in given:
        choose_topology(given["topology"], given["tree_fanout"], given["discovery"])
    ssh = SshOptions(**asked(given), **fields_of(SshOptions, given))
    names = ("sources", "inventories", "extra_vars", "exclude", "reuse")
    lists = {name: tuple(given.get(name) or ()) for name in names}
    same = fields_of(DeployOptions, given)
    encrypt = not given.get("no_encrypt", False)
    return DeployOptions(**{**same, **lists, "ssh": ssh, "encrypt": encrypt})


def fields_of(options: type[DataclassInstance], given: dict[str, Any]) -> dict[str, Any]:
    """The flags that are called like a field of ``options``."""
    return {field.name: given[field.name] for field in fields(options) if field.name in given}
