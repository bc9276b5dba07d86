"""The way to a host, with every setting resolved: inventory, then ssh_config, then ssh's defaults."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from fleetpush.errors import HostError
from fleetpush.remote.target import local_user

if TYPE_CHECKING:
    from pathlib import Path

    from fleetpush.remote.connection import Target
    from fleetpush.remote.sshconfig import HostConfig


@dataclass(frozen=True, kw_only=True)
class Route:
    """``jump`` is the chain of jump hosts, first hop first, each ``[user@]host[:port]``.

    ``alias`` is what the operator would give to ssh.
    """

    name: str
    alias: str
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

    @property
    def proxy_command(self) -> str | None:
        """The command of ssh_config that carries the connection, ready to run."""
        command = self.config.proxy_command
        if command is None:
            return None
        tokens = {"%%": "%", "%h": self.host, "%p": str(self.port), "%r": self.user}
        return re.sub("%[%hpr]", lambda token: tokens[token[0]], command)


class Lookup(Protocol):
    """Where ssh_config is looked up."""

    def lookup(self, host: str) -> HostConfig: ...


def route_of(target: Target, config: Lookup) -> Route:
    """Raises HostError for a jump host that cannot be read."""
    found = config.lookup(target.address)
    port = target.port or found.port or 22
    return Route(
        name=target.name,
        alias=target.address,
        host=found.hostname,
        port=port,
        user=target.user or found.user or local_user(),
        password=target.password,
        keys=(target.private_key,) if target.private_key else (),
        jump=_chain(target.jump or found.proxy_jump, target.address, port),
        config=found,
    )


def route_of_hop(chain: tuple[str, ...], config: Lookup, key: Path | None) -> Route:
    """The last hop of ``chain``, reached by way of the ones before it.

    Its own ProxyJump counts where the chain does not say, as in ssh.
    """
    hop = chain[-1]
    user, alias, port = parts_of(hop)
    found = config.lookup(alias)
    port = port or found.port or 22
    return Route(
        name=hop,
        alias=alias,
        host=found.hostname,
        port=port,
        user=user or found.user or local_user(),
        keys=(key,) if key else (),
        jump=chain[:-1] or _chain(found.proxy_jump, alias, port),
        config=found,
    )


def _chain(jump: str | None, alias: str, port: int) -> tuple[str, ...]:
    if not jump or jump.lower() == "none":
        return ()
    hops = tuple(hop.strip().removeprefix("ssh://") for hop in jump.split(","))
    # "Host *" with a ProxyJump matches the jump host too: it is not its own way.
    own = any(parts_of(hop)[1] == alias and parts_of(hop)[2] in (None, port) for hop in hops)
    return () if own else hops


def parts_of(hop: str) -> tuple[str | None, str, int | None]:
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
