"""How hosts are reached where the inventory does not say: what the command line fills in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

HostKeyChecking = Literal["strict", "accept-new", "off"]
BecomeMethod = Literal["sudo", "doas", "su"]


@dataclass(frozen=True, kw_only=True)
class SshSettings:
    """Times in seconds. ``forks`` is the number of handshakes at once, not of connections.

    ``ssh_config`` and ``known_hosts`` replace the user's and the system's files where they are given.
    """

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    private_key: Path | None = None
    ssh_config: Path | None = None
    known_hosts: Path | None = None
    host_key_checking: HostKeyChecking = "strict"
    jump: str | None = None
    become: bool = False
    become_user: str | None = None
    become_method: BecomeMethod = "sudo"
    become_password: str | None = field(default=None, repr=False)
    connection: str | None = None
    forks: int = 128
    connect_timeout: float = 15.0
    login_timeout: float = 30.0
    keepalive: float = 15.0
