"""Run as a program: what Ansible itself reads from every inventory of a corpus, as one JSON document.

One process for all of them, since a start of Ansible takes a second.
"""

from __future__ import annotations

import datetime
import json
import os
import sys
from pathlib import Path

SHOWN_MAGIC = ("group_names", "inventory_dir", "inventory_file", "inventory_hostname_short")


def sources_of(case: Path) -> list[str]:
    """The ``-i`` of a case: the lines of SOURCES, or its one file."""
    listed = case / "SOURCES"
    if listed.exists():
        return listed.read_text().splitlines()
    return [entry.name for entry in case.iterdir() if entry.is_file()]


def plain(value: object) -> object:
    """A value of either program as JSON can hold it, telling apart what is told apart."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set):
        return {"a set of": sorted(map(str, value))}
    if isinstance(value, datetime.date):
        return {"a date": value.isoformat()}
    return "(vault-encrypted)" if type(value).__name__ in ("Vaulted", "EncryptedString") else value


def read(sources: list[str]) -> dict[str, object]:
    from ansible import constants
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader
    from ansible.vars.manager import VariableManager

    loader = DataLoader()
    # As the command line does it: paths become absolute, lists of hosts stay.
    full = [os.path.abspath(source) if "," not in source else source for source in sources]
    inventory = InventoryManager(loader=loader, sources=full)
    manager = VariableManager(loader=loader, inventory=inventory)
    hosts = {}
    for host in inventory.get_hosts("all"):
        variables = manager.get_vars(host=host, include_hostvars=False, stage="all")
        hosts[host.name] = {
            "variables": {
                name: plain(value)
                for name, value in variables.items()
                if name not in constants.INTERNAL_STATIC_VARS
            },
            "magic": {name: plain(variables[name]) for name in SHOWN_MAGIC},
        }
    groups = {
        group.name: {
            "hosts": [host.name for host in group.hosts],
            "children": [child.name for child in group.child_groups],
            "members": sorted(host.name for host in group.get_hosts()),
        }
        for group in inventory.groups.values()
    }
    return {"hosts": hosts, "groups": groups}


def read_case(case: Path) -> dict[str, object]:
    """``refused``: Ansible says of some source that it could not parse it, and goes on without."""
    from ansible import constants
    from ansible.errors import AnsibleError

    os.chdir(case)
    sources = sources_of(case)
    constants.INVENTORY_ANY_UNPARSED_IS_FAILED = True
    try:
        return {"refused": False, **read(sources)}
    except (AnsibleError, Exception) as error:
        return {"refused": True, "reason": str(error), "hosts": {}, "groups": {}}


def main() -> None:
    from ansible.cli import CLI  # noqa: F401 - sets Ansible up, as its own commands do
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader()
    cases = sorted(path for path in Path(sys.argv[1]).iterdir() if path.is_dir())
    print(json.dumps({case.name: read_case(case) for case in cases}))


if __name__ == "__main__":
    main()
