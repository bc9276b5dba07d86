"""Which plugin serves a target, and the file descriptors that a thousand connections need."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Protocol

from fleetpush.errors import HostError, InputError
from fleetpush.remote.local import LocalConnector
from fleetpush.remote.target import CONNECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fleetpush.remote.connection import Connection, Connector, Target
    from fleetpush.remote.settings import SshSettings


class _Plugin(Protocol):
    """A connector of hosts elsewhere."""

    @property
    def warnings(self) -> list[str]: ...

    async def connect(self, target: Target) -> Connection: ...

    async def close(self) -> None: ...


class Connectors:
    """The connector that the run uses: dispatches by ``target.connection``."""

    def __init__(self, settings: SshSettings) -> None:
        self._settings = settings
        self._local = LocalConnector()
        self._plugins: dict[str, _Plugin] = {}

    @property
    def warnings(self) -> list[str]:
        """What was ignored or could not be kept, for the operator; grows as hosts connect."""
        found = [text for plugin in self._plugins.values() for text in plugin.warnings]
        return list(dict.fromkeys(found))

    async def connect(self, target: Target) -> Connection:
        """Raises HostError; InputError for an ssh_config or known_hosts that cannot be read."""
        return await self._connector(target).connect(target)

    async def close(self) -> None:
        """Closes what hosts share (jump hosts, the agent); their own connections are the caller's."""
        for plugin in self._plugins.values():
            await plugin.close()

    def _connector(self, target: Target) -> Connector:
        name = CONNECTIONS.get(target.connection)
        if name == "local":
            return self._local
        if name is None:
            raise HostError(
                "unknown_connection",
                f"there is no connection {target.connection!r}: use {', '.join(CONNECTIONS)}",
            )
        if name not in self._plugins:
            self._plugins[name] = _load(name, self._settings)
        return self._plugins[name]


def _load(name: str, settings: SshSettings) -> _Plugin:
    """Imports a plugin when its first host asks: a third of a second that other runs need not wait for."""
    if name == "paramiko":
        from fleetpush.remote.paramiko.plugin import ParamikoConnector  # noqa: PLC0415 (see above)

        return ParamikoConnector(settings)
    if name == "openssh":
        from fleetpush.remote.openssh.plugin import OpensshConnector  # noqa: PLC0415 (see above)

        return OpensshConnector(settings)
    from fleetpush.remote.asyncssh.plugin import AsyncsshConnector  # noqa: PLC0415 (see above)

    return AsyncsshConnector(settings)


_FILES = {"asyncssh": 3, "paramiko": 3, "local": 3, "openssh": 8}
"""Open files that a host takes at most, a link that runs through its connection included.

openssh: its stderr, a socket and three pipes for the agent, a socket and two pipes for a link.
"""


def files_for(targets: Iterable[Target]) -> int:
    """Open files that connections to ``targets`` take in this process, all at once."""
    return sum(_FILES[CONNECTIONS.get(target.connection, "asyncssh")] for target in targets)


def raise_fd_limit(needed: int) -> None:
    """Allows this process ``needed`` open files. Raises InputError that says what to do if it may not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft == unlimited or soft >= needed:
        return
    if hard != unlimited and hard < needed:
        raise InputError(
            f"this run needs {needed} open files, but this machine allows {hard}: raise the limit "
            f"(ulimit -Hn {needed} as root, nofile in limits.conf, LimitNOFILE= in a unit) or take "
            "fewer hosts at once (--limit)",
            slug="too_few_open_files",
        )
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot raise the limit of open files from {soft} to {needed}: {error}; run "
            f"ulimit -n {needed} first",
            slug="too_few_open_files",
        ) from error
