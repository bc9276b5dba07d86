"""Where an agent listens for its peers."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from fleetpush.net.node import Node


def listen(node: Node, config: dict[str, Any]) -> tuple[str, str, int]:
    """Binds where peers will call: the announced address if it is one of ours, else every address.

    Returns the announced address, the one to call from this host itself, and the port. Raises OSError.
    """
    announced = config["address"] or ssh_connection(config)[1]
    ports = tuple(config["ports"])
    try:
        return announced, announced, node.edges.listen(announced, ports)[1]
    except (OSError, ValueError):
        six = ":" in announced
        port = node.edges.listen("::" if six else "", ports)[1]
        return announced, "::1" if six else "127.0.0.1", port


def ssh_connection(config: dict[str, Any]) -> tuple[str, str]:
    """The CLI's address and this host's own, as the SSH server saw them ("" where there is none)."""
    words = os.environ.get("SSH_CONNECTION", "").split()
    if not config["ssh"] or len(words) != 4:
        return "", ""
    return words[0], words[2]
