"""From a route to a logged-in SSH connection: dial, handshake, host key, keys, and trying again."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import asyncssh

from fleetpush.remote import failures
from fleetpush.remote.asyncssh.errors import of_ssh
from fleetpush.remote.asyncssh.keys import KeyStore
from fleetpush.remote.asyncssh.spare import spare_ignored
from fleetpush.remote.dial import Dialler
from fleetpush.remote.retries import Retries
from fleetpush.remote.route import route_of_hop
from fleetpush.remote.sshconfig import SshConfig
from fleetpush.remote.trust import Trust

if TYPE_CHECKING:
    from typing import Any

    from fleetpush.errors import HostError
    from fleetpush.remote.hostkeys import KnownKeys
    from fleetpush.remote.route import Route
    from fleetpush.remote.settings import SshSettings

_KEEPALIVES = 3


class _Client(asyncssh.SSHClient):
    """One login: which phase it is in, and what came of the host key."""

    def __init__(self, login: Login, route: Route, known: KnownKeys) -> None:
        self.phase = "connect"
        self.verdict: HostError | None = None
        self.scope: asyncio.Timeout | None = None
        self._login = login
        self._route = route
        self._known = known

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self.phase = "handshake"
        spare_ignored(conn)

    def begin_auth(self, username: str) -> None:
        self.phase = "login"
        if self.scope is not None:
            deadline = asyncio.get_running_loop().time() + self._login.settings.login_timeout
            with contextlib.suppress(RuntimeError):  # the time is up already
                self.scope.reschedule(deadline)

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        """Asked only about a key that known_hosts did not list for this name."""
        self.verdict = self._login.trust.doubt(self._route, self._known, key)
        return self.verdict is None


class Login:
    """Opens connections; holds what they share. Nothing is parsed per host.

    Raises InputError for an ssh_config or known_hosts that cannot be read.
    """

    def __init__(self, settings: SshSettings) -> None:
        self.settings = settings
        self.config = SshConfig(settings.ssh_config)
        self.warnings: list[str] = list(self.config.warnings)
        self._keys = KeyStore()
        self._dialler = Dialler()
        self.trust = Trust(settings, self.warn)
        self._options = _prepared(_shared_options(settings))

    async def open(
        self, route: Route, tunnel: asyncssh.SSHClientConnection | None = None
    ) -> asyncssh.SSHClientConnection:
        """A logged-in connection. Raises HostError.

        A server that hangs up before the handshake is over (MaxStartups) or refuses is tried again, with
        pauses of random length so that many hosts do not come back at once, until connect_timeout.
        """
        config = route.config
        offer = await self._keys.offer(
            route.keys, config.identity_files, identities_only=config.identities_only
        )
        tried = [*offer.names, *offer.troubles, *(["the password"] if route.password else [])]
        known = self.trust.known(route)
        options = self._options_of(route, known, offer.pairs)
        wait = config.connect_timeout or self.settings.connect_timeout
        clock = asyncio.get_running_loop().time
        deadline = clock() + wait
        retries = Retries(deadline)
        while True:
            client = _Client(self, route, known)
            try:
                async with asyncio.timeout_at(deadline) as client.scope:
                    return await self._attempt(route, tunnel, client, options)
            except TimeoutError:
                if client.phase == "login":
                    wait = self.settings.login_timeout
                raise failures.timed_out(route, client.phase, wait) from None
            except Exception as error:  # asyncssh hands on whatever bad bytes provoke
                pause = None
                if _worth_another_try(error, client):
                    refused = isinstance(error, ConnectionRefusedError)
                    pause = retries.pause(clock(), refused=refused)
                if pause is None:
                    raise _failure(route, error, client, tried, tunnel) from error
                await asyncio.sleep(pause)

    async def route_to(self, chain: tuple[str, ...]) -> Route:
        return route_of_hop(chain, self.config, self.settings.private_key)

    def warn(self, message: str) -> None:
        if message not in self.warnings:
            self.warnings.append(message)

    async def close(self) -> None:
        self._dialler.close()
        await self._keys.close()

    async def _attempt(
        self,
        route: Route,
        tunnel: asyncssh.SSHClientConnection | None,
        client: _Client,
        options: dict[str, Any],
    ) -> asyncssh.SSHClientConnection:
        options = {**options, "client_factory": lambda: client}
        if tunnel is not None:
            return await asyncssh.connect(options=self._options, tunnel=tunnel, **options)
        command = route.proxy_command
        if command is not None:
            return await asyncssh.connect(options=self._options, proxy_command=command, **options)
        sock = await self._dialler.dial(route.host, route.port)
        try:
            return await asyncssh.connect(options=self._options, sock=sock, **options)
        except BaseException:
            sock.close()
            raise

    def _options_of(
        self, route: Route, known: KnownKeys, pairs: list[asyncssh.SSHKeyPair]
    ) -> dict[str, Any]:
        trusted: object = (list(known.hosts), list(known.authorities), list(known.revoked))
        if self.settings.host_key_checking == "off":
            trusted = None
        methods = ["publickey"] if pairs else []
        if route.password:
            methods += ["keyboard-interactive", "password"]
        return {
            "host": route.host,
            "port": route.port,
            "username": route.user,
            "password": route.password,
            "client_keys": pairs or None,
            "known_hosts": trusted,
            "host_key_alias": route.config.host_key_alias,
            "server_host_key_algs": known.algorithms(),
            # Without a key there is nothing to offer, yet the server's answer says what it would take.
            "preferred_auth": methods or ["publickey"],
            "config": None,
        }


def _shared_options(settings: SshSettings) -> dict[str, Any]:
    return {
        "config": None,
        "agent_path": None,
        "agent_forwarding": False,
        "gss_host": None,
        "host_based_auth": False,
        "x509_trusted_certs": None,
        "x509_trusted_cert_paths": [],
        # The cheapest for the host; the rest stays behind them. OpenSSH does curve25519 in portable C, and
        # NIST P-256 by OpenSSL's assembly: 6 to 11 % of a login's processor time less.
        "kex_algs": "^ecdh-sha2-nistp256,curve25519-sha256,curve25519-sha256@libssh.org",
        "encryption_algs": "^aes128-gcm@openssh.com,aes256-gcm@openssh.com",
        "compression_algs": ["none"],
        "connect_timeout": None,  # both times are kept by Login.open, which knows the phases
        "login_timeout": 0,
        "keepalive_interval": settings.keepalive,
        "keepalive_count_max": _KEEPALIVES,
        "request_pty": False,
        "env": None,
        "send_env": None,
        "encoding": None,
    }


def _prepared(options: dict[str, Any]) -> asyncssh.SSHClientConnectionOptions:
    """``options`` with the algorithms by name: a pattern would be matched against all names for each host."""
    matched = asyncssh.SSHClientConnectionOptions(**options)
    return asyncssh.SSHClientConnectionOptions(
        matched,
        kex_algs=[name.decode() for name in matched.kex_algs],
        encryption_algs=[name.decode() for name in matched.encryption_algs],
    )


def _worth_another_try(error: Exception, client: _Client) -> bool:
    if client.phase == "login" or client.verdict is not None:
        return False
    hung_up = asyncssh.ConnectionLost | ConnectionResetError | BrokenPipeError
    return isinstance(error, ConnectionRefusedError | hung_up)


def _failure(
    route: Route,
    error: Exception,
    client: _Client,
    tried: list[str],
    tunnel: asyncssh.SSHClientConnection | None,
) -> HostError:
    if client.verdict is not None:
        return client.verdict
    if tunnel is not None and tunnel.is_closed():
        return failures.jump_failed(route.jump[-1], failures.lost(route.jump[-1], None))
    if isinstance(error, OSError):
        return failures.of_socket(route, error)
    return of_ssh(route, error, client.phase, tried)
