"""Run as a program: which hosts Ansible itself picks by patterns and limits, as one JSON document.

Arguments: an inventory, and a JSON list of [pattern, limit or null]. A refused one gives its reason.
"""

from __future__ import annotations

import json
import sys


def main() -> None:
    from ansible.cli import CLI  # noqa: F401 - sets Ansible up, as its own commands do
    from ansible.errors import AnsibleError
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader()
    inventory = InventoryManager(loader=DataLoader(), sources=[sys.argv[1]])
    found = []
    for pattern, limit in json.loads(sys.argv[2]):
        try:
            inventory.subset(limit)
            found.append([host.name for host in inventory.list_hosts(pattern)])
        except (AnsibleError, Exception) as error:
            found.append(f"refused: {error}")
        finally:
            inventory.subset(None)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
