"""The way to a host, with every setting resolved: inventory, then ssh_config, then ssh's defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleetpush.errors import HostError
from fleetpush.remote.target import local_user

if TYPE_CHECKING:
    from pathlib import Path

    from fleetpush.remote.connection import Target
    from fleetpush.remote.sshconfig import HostConfig, SshConfig


@dataclass(frozen=True, kw_only=True)
class Route:
    """``jump`` is the chain of jump hosts, first hop first, each ``[user@]host[:port]``."""

    name: str
    host: str
    port: int
    user: str
    password: str | None = field(default=None, repr=False)
    keys: tuple[Path, ...] = ()
    jump: tuple[str, ...] = ()
    config: HostConfig

    @property
    def place(self) -> str:
        return f"{self.host} port {self.port}"


def route_of(target: Target, config: SshConfig) -> Route:
    """Raises HostError for a jump host that cannot be read."""
    found = config.lookup(target.address)
    return Route(
        name=target.name,
        host=found.hostname,
        port=target.port or found.port or 22,
        user=target.user or found.user or local_user(),
        password=target.password,
        keys=(target.private_key,) if target.private_key else (),
        jump=_chain(target.jump or found.proxy_jump, target.address),
        config=found,
    )


def route_of_hop(chain: tuple[str, ...], config: SshConfig, key: Path | None) -> Route:
    """The last hop of ``chain``, reached by way of the ones before it.

    Its own ProxyJump counts where the chain does not say, as in ssh.
    """
    hop = chain[-1]
    user, alias, port = _parts(hop)
    found = config.lookup(alias)
    return Route(
        name=hop,
        host=found.hostname,
        port=port or found.port or 22,
        user=user or found.user or local_user(),
        keys=(key,) if key else (),
        jump=chain[:-1] or _chain(found.proxy_jump, alias),
        config=found,
    )


def _chain(jump: str | None, alias: str) -> tuple[str, ...]:
    if not jump or jump.lower() == "none":
        return ()
    hops = tuple(hop.strip().removeprefix("ssh://") for hop in jump.split(","))
    # "Host *" with a ProxyJump names the jump host too: it is not its own way.
    if any(_parts(hop)[1] == alias for hop in hops):
        return ()
    return hops


def _parts(hop: str) -> tuple[str | None, str, int | None]:
    """(user, host, port) of ``[user@]host[:port]``; an IPv6 address with a port is in brackets."""
    user, _, place = hop.rpartition("@")
    port = ""
    if place.startswith("["):
        host, _, rest = place[1:].partition("]")
        port = rest.removeprefix(":")
    elif place.count(":") == 1:
        host, _, port = place.partition(":")
    else:
        host = place
    if not host or (port and not port.isdecimal()):
        raise HostError(
            "jump_failed", f"jump host {hop!r} is not [user@]host[:port]", unreachable=True
        )
    return user or None, host, int(port) if port else None
