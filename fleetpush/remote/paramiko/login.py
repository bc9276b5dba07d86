"""From a route to a logged-in paramiko transport: dial, handshake, host key, keys, and trying again."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
from typing import TYPE_CHECKING

import asyncssh
import paramiko

from fleetpush.errors import HostError
from fleetpush.remote import failures
from fleetpush.remote.dial import Dialler
from fleetpush.remote.paramiko.keys import KeyStore
from fleetpush.remote.paramiko.transport import Refused, Transport
from fleetpush.remote.retries import Retries
from fleetpush.remote.route import route_of_hop
from fleetpush.remote.sshconfig import SshConfig
from fleetpush.remote.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleetpush.remote.hostkeys import KnownKeys
    from fleetpush.remote.paramiko.threads import Threads
    from fleetpush.remote.route import Route
    from fleetpush.remote.settings import SshSettings


class Link:
    """A transport and what carries it. ``process`` is a ProxyCommand's."""

    def __init__(self, transport: Transport, threads: Threads) -> None:
        self.transport = transport
        self.process: subprocess.Popen[bytes] | None = None
        self._threads = threads

    def is_closed(self) -> bool:
        return not self.transport.is_active()

    def abort(self) -> None:
        """Hangs up at once; ``wait_closed`` tells when its thread is gone."""
        sock = self.transport.sock
        with contextlib.suppress(OSError, EOFError):
            if isinstance(sock, socket.socket):  # the thread that reads from it wakes up
                sock.shutdown(socket.SHUT_RDWR)

    async def wait_closed(self) -> None:
        self.abort()
        await self._threads.call(self._finish)

    def _finish(self) -> None:
        transport, process = self.transport, self.process
        transport.close()
        # close() does nothing for one that never got going, or that the host has ended already.
        transport.sock.close()
        if transport.ident is not None:
            transport.join(1.0)
        if process is not None:
            process.terminate()
            try:
                process.wait(1.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class _Attempt:
    """One try at one host: which phase it is in, so that a time-out can say what did not happen."""

    def __init__(self) -> None:
        self.phase = "connect"
        self.link: Link | None = None


class Login:
    """Opens connections; holds what they share. Nothing is parsed per host.

    Raises InputError for an ssh_config or known_hosts that cannot be read.
    """

    def __init__(self, settings: SshSettings, threads: Threads) -> None:
        self.settings = settings
        self.config = SshConfig(settings.ssh_config)
        self.warnings: list[str] = list(self.config.warnings)
        self.trust = Trust(settings, self.warn)
        self._threads = threads
        self._keys = KeyStore()
        self._dialler = Dialler()

    async def route_to(self, chain: tuple[str, ...]) -> Route:
        return route_of_hop(chain, self.config, self.settings.private_key)

    async def open(self, route: Route, tunnel: Link | None = None) -> Link:
        """A logged-in connection. Raises HostError. Tries again as ``Retries`` has it."""
        known = self.trust.known(route)
        wait = route.config.connect_timeout or self.settings.connect_timeout
        clock = asyncio.get_running_loop().time
        deadline = clock() + wait
        retries = Retries(deadline)
        while True:
            attempt = _Attempt()
            try:
                return await self._try(route, tunnel, known, attempt, deadline)
            except TimeoutError:
                wait = self.settings.login_timeout if attempt.phase == "login" else wait
                raise failures.timed_out(route, attempt.phase, wait) from None
            except HostError:
                raise
            except (OSError, EOFError, paramiko.SSHException) as error:
                pause = None
                if attempt.phase != "login" and _is_hang_up(error):
                    refused = isinstance(error, ConnectionRefusedError)
                    pause = retries.pause(clock(), refused=refused)
                if pause is None:
                    raise _failure(route, error, attempt, tunnel) from error
                await asyncio.sleep(pause)

    def warn(self, message: str) -> None:
        if message not in self.warnings:
            self.warnings.append(message)

    async def close(self) -> None:
        self._dialler.close()
        await self._threads.call(self._keys.close)

    async def _try(
        self,
        route: Route,
        tunnel: Link | None,
        known: KnownKeys,
        attempt: _Attempt,
        deadline: float,
    ) -> Link:
        try:
            async with asyncio.timeout_at(deadline):
                link = await self._carried(route, tunnel, known, attempt)
                attempt.phase = "handshake"
                # Its own thread shakes hands; this one waits for it.
                await self._threads.call(link.transport.start_client)
                self._check_host_key(route, known, link.transport)
            attempt.phase = "login"
            async with asyncio.timeout(self.settings.login_timeout):
                await self._threads.call(lambda: self._log_in(route, link.transport))
        except BaseException:  # cancelled, too
            if attempt.link is not None:
                await asyncio.shield(attempt.link.wait_closed())
            raise
        return link

    async def _carried(
        self, route: Route, tunnel: Link | None, known: KnownKeys, attempt: _Attempt
    ) -> Link:
        key_types = known.algorithms()
        process = None
        sock: socket.socket | paramiko.Channel
        if tunnel is not None:
            sock = await self._threads.call(lambda: tunnel.transport.dial(route.host, route.port))
        elif route.proxy_command is not None:
            sock, process = _proxied(route.proxy_command)
        else:
            sock = await self._dialler.dial(route.host, route.port)
        try:
            attempt.link = link = Link(Transport(sock, key_types), self._threads)
        except BaseException:  # cancelled, too
            sock.close()
            raise
        link.process = process
        return link

    def _check_host_key(self, route: Route, known: KnownKeys, transport: Transport) -> None:
        if self.settings.host_key_checking == "off":
            return
        shown = transport.get_remote_server_key()
        key = asyncssh.import_public_key(f"{shown.get_name()} {shown.get_base64()}")
        if key in known.revoked:
            raise failures.key_invalid(route, "it is marked @revoked in known_hosts")
        if key not in known.hosts:
            doubt = self.trust.doubt(route, known, key)
            if doubt is not None:
                raise doubt

    def _log_in(self, route: Route, transport: Transport) -> None:
        """Every key in turn, then the password; in a thread."""
        config = route.config
        offer = self._keys.offer(
            route.keys, config.identity_files, identities_only=config.identities_only
        )
        tried = [*dict.fromkeys(name for name, _ in offer.keys), *offer.troubles]
        tried += ["the password"] if route.password else []
        # "key=key" binds each its own; mypy cannot infer the type of such a parameter.
        steps: list[tuple[str, Callable[[], object]]] = [
            ("publickey", lambda key=key: transport.auth_publickey(route.user, key))  # type: ignore[misc]
            for _, key in offer.keys
        ]
        if route.password:
            word = route.password
            steps.append(("password", lambda: transport.auth_password(route.user, word)))
        # Without anything to offer the server's answer still says whether it lets anybody in.
        steps = steps or [("none", lambda: transport.auth_none(route.user))]
        allowed: list[str] | None = None
        for method, step in steps:
            if allowed is not None and method not in allowed:
                continue
            try:
                step()
            except paramiko.BadAuthenticationType as error:
                allowed = error.allowed_types
            except paramiko.AuthenticationException as error:
                if not transport.is_active():
                    raise self._hung_up(route, transport, tried, error) from error
            if transport.is_authenticated():
                return
        raise failures.refused(route, tried, "")

    def _hung_up(
        self, route: Route, transport: Transport, tried: list[str], error: Exception
    ) -> HostError:
        why = transport.farewell()
        if "authentication" in why.lower():  # too many authentication failures
            return failures.refused(route, tried, why)
        return failures.lost_in_login(route, why or failures.text_of(error))


def _proxied(command: str) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """A ProxyCommand of ssh_config behind a socket, which can be read without a thread of its own."""
    ours, theirs = socket.socketpair()
    try:
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {command}"],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except BaseException:  # cancelled, too
        ours.close()
        raise
    finally:
        theirs.close()
    return ours, process


def _is_hang_up(error: Exception) -> bool:
    hung_up = ConnectionRefusedError | ConnectionResetError | BrokenPipeError | EOFError
    # paramiko tells of a hang-up before the server's first line by another exception.
    return isinstance(error, hung_up) or isinstance(error.__context__, hung_up)


def _failure(route: Route, error: Exception, attempt: _Attempt, tunnel: Link | None) -> HostError:
    text = failures.text_of(error)
    if tunnel is not None and tunnel.is_closed():
        return failures.jump_failed(route.jump[-1], failures.lost(route.jump[-1], None))
    if isinstance(error, Refused):
        return failures.behind_jump(route, text, prohibited=error.prohibited)
    if attempt.phase == "login":
        return failures.lost_in_login(route, text)
    if isinstance(error, OSError):
        return failures.of_socket(route, error)
    return _of_handshake(route, error, text)


def _of_handshake(route: Route, error: Exception, text: str) -> HostError:
    if _is_hang_up(error):
        return failures.of_close(route, error)
    too_old = text.startswith("Incompatible version")  # SSH 1: paramiko calls that a peer, too
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer) and not too_old:
        return failures.no_common_algorithm(route, text)
    return failures.not_ssh(route, text)
