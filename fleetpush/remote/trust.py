"""Whether a host key that is not among the known ones is believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleetpush.remote import failures
from fleetpush.remote.hostkeys import KnownHosts, KnownKeys, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import asyncssh

    from fleetpush.errors import HostError
    from fleetpush.remote.route import Route
    from fleetpush.remote.settings import SshSettings


class Trust:
    """The run's known_hosts files, each read once, and its policy for keys that they do not have.

    ``warn`` is told where a new key could not be kept.
    """

    def __init__(self, settings: SshSettings, warn: Callable[[str], None]) -> None:
        self._settings = settings
        self._warn = warn
        self._files: dict[tuple[Path, ...], KnownHosts] = {}

    def hosts_of(self, route: Route) -> KnownHosts:
        """Raises InputError for a file that cannot be read."""
        given = self._settings.known_hosts
        paths = (given,) if given else route.config.known_hosts
        if paths not in self._files:
            self._files[paths] = KnownHosts(paths)
        return self._files[paths]

    def known(self, route: Route) -> KnownKeys:
        return self.hosts_of(route).lookup(route.host, route.port, route.config.host_key_alias)

    def doubt(self, route: Route, known: KnownKeys, key: asyncssh.SSHKey) -> HostError | None:
        """Why ``key``, which ``known`` does not list, is not believed; None if it is (and is kept)."""
        hosts = self.hosts_of(route)
        if hosts.knows(known, key):  # another connection to the same host came first
            return None
        if hosts.is_changed(known):
            return failures.key_changed(route, hosts.path, known.name, fingerprint(key))
        if self._settings.host_key_checking != "accept-new":
            return failures.key_unknown(route, hosts.path, fingerprint(key))
        try:
            hosts.add(known, key)
        except OSError as error:
            self._warn(f"cannot write {hosts.path}: {error.strerror}; new host keys are not kept")
        return None
