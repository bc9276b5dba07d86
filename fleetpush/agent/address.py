"""Where this host is reached, as its SSH server saw it."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def ssh_connection(config: dict[str, Any]) -> tuple[str, str]:
    """The CLI's address and this host's own, as the SSH server saw them ("" where there is none)."""
    words = os.environ.get("SSH_CONNECTION", "").split()
    if not config["ssh"] or len(words) != 4:
        return "", ""
    return words[0], words[2]
