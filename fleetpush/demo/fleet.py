"""A fleet of hosts inside this machine: real SSH, real processes, one loopback address and home a host."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from asyncio.subprocess import PIPE
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import asyncssh

from fleetpush.demo.server import ServerSettings
from fleetpush.errors import InputError

if TYPE_CHECKING:
    from types import TracebackType

NETWORK = "127.77"
"""The first two bytes of every host's address."""

USER = "demo"
MAX_HOSTS = 5000
_PER_THIRD_BYTE = 250
_START_TIMEOUT = 60.0
_STOP_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class EmbeddedHost:
    """One host: its inventory name, its loopback address, its home directory."""

    name: str
    address: str
    home: Path


class EmbeddedFleet:
    """An async context: while it lasts, ``hosts`` hosts accept SSH on 127.77.0.0/16.

    Everything on disk lies below ``root``, which is the caller's to remove. On leaving, the server and
    every process it started are gone. ``forwarding=False`` refuses TCP forwarding as
    ``AllowTcpForwarding no`` does; ``banner_noise`` comes out of every command first, as from a login shell
    that talks.
    """

    def __init__(
        self, root: Path, hosts: int, *, forwarding: bool = True, banner_noise: bytes = b""
    ) -> None:
        """Raises InputError for a number of hosts that is not in 1..MAX_HOSTS."""
        if not 1 <= hosts <= MAX_HOSTS:
            raise InputError(f"an embedded fleet has 1 to {MAX_HOSTS} hosts, not {hosts}")
        self._root = root
        self._forwarding = forwarding
        self._noise = banner_noise
        self._server: asyncio.subprocess.Process | None = None
        self.hosts = tuple(_host(root, number) for number in range(hosts))
        self.inventory = root / "inventory.yaml"
        self.known_hosts = root / "known_hosts"
        self.client_key = root / "id_ed25519"
        self._host_key = root / "host_key"
        self._log = root / "server.log"
        self.port = 0
        self.killed = 0
        """After leaving: how many process groups were still there and had to be killed."""

    def home(self, index: int) -> Path:
        """The home directory of host ``index``, counted from 0."""
        return self.hosts[index].home

    @property
    def pid(self) -> int | None:
        """The server's process while the fleet is up; every process of every host descends from it."""
        return None if self._server is None else self._server.pid

    async def __aenter__(self) -> Self:
        """Raises InputError when this machine has no such loopback addresses."""
        for host in (self.hosts[0], self.hosts[-1]):
            _require_address(host.address)
        host_key = self._write_files()
        try:
            self.port = await asyncio.wait_for(self._start(), _START_TIMEOUT)
        except BaseException:
            await self._stop()
            raise
        self._write_known_hosts(host_key)
        self._write_inventory()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stop()

    async def _start(self) -> int:
        settings = ServerSettings(
            homes={host.address: str(host.home) for host in self.hosts},
            user=USER,
            host_key=str(self._host_key),
            client_key=str(self.client_key.with_suffix(".pub")),
            forwarding=self._forwarding,
            banner_noise=self._noise.decode("latin-1"),
        )
        import_root = str(Path(__file__).resolve().parents[2])
        with self._log.open("wb") as log:
            # A session of its own: Ctrl-C is for the CLI, which then ends the fleet in good order.
            self._server = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "fleetpush.demo.server"),
                stdin=PIPE,
                stdout=PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": import_root},
                start_new_session=True,
            )
        assert self._server.stdin is not None
        with suppress(ConnectionError):
            self._server.stdin.write(settings.as_json().encode() + b"\n")
            await self._server.stdin.drain()
        answer = await _hear(self._server)
        if "port" not in answer:
            told = answer.get("error") or self._log.read_text(errors="replace").strip()[-500:]
            raise InputError(f"the embedded SSH server did not start: {told}", slug="demo_server")
        return int(answer["port"])

    async def _stop(self) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        assert server.stdin is not None
        server.stdin.close()
        try:
            async with asyncio.timeout(_STOP_TIMEOUT):
                self.killed = int((await _hear(server)).get("killed", 0))
                await server.wait()
        except TimeoutError:
            pass
        finally:
            if server.returncode is None:
                server.kill()
                await server.wait()

    def _write_files(self) -> asyncssh.SSHKey:
        """Homes and keys; returns the host key."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for host in self.hosts:
            host.home.mkdir(parents=True)
        host_key = asyncssh.generate_private_key("ssh-ed25519")
        client_key = asyncssh.generate_private_key("ssh-ed25519")
        _write_secret(self._host_key, host_key.export_private_key())
        _write_secret(self.client_key, client_key.export_private_key())
        self.client_key.with_suffix(".pub").write_bytes(client_key.export_public_key())
        return host_key

    def _write_known_hosts(self, host_key: asyncssh.SSHKey) -> None:
        public = host_key.export_public_key().decode().strip()
        lines = (f"[{host.address}]:{self.port} {public}\n" for host in self.hosts)
        self.known_hosts.write_text("".join(lines))

    def _write_inventory(self) -> None:
        lines = [
            "all:",
            "  vars:",
            f"    ansible_user: {USER}",
            f"    ansible_port: {self.port}",
            # A JSON string is a YAML string, whatever stands in the path.
            f"    ansible_ssh_private_key_file: {json.dumps(str(self.client_key))}",
            "  hosts:",
        ]
        for host in self.hosts:
            lines += [f"    {host.name}:", f"      ansible_host: {host.address}"]
        self.inventory.write_text("\n".join(lines) + "\n")


def _host(root: Path, index: int) -> EmbeddedHost:
    name = f"demo-{index + 1:04d}"
    third, fourth = divmod(index, _PER_THIRD_BYTE)
    return EmbeddedHost(name, f"{NETWORK}.{third}.{fourth + 1}", root / "homes" / name)


def _require_address(address: str) -> None:
    try:
        socket.create_server((address, 0)).close()
    except OSError as error:
        raise InputError(
            f"the embedded fleet needs loopback addresses such as {address}, which this machine does not"
            f" have ({error.strerror}). Linux has all of 127.0.0.0/8; on macOS add each one first:"
            f" sudo ifconfig lo0 alias {address} up",
            slug="no_loopback_addresses",
        ) from error


def _write_secret(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


async def _hear(server: asyncio.subprocess.Process) -> dict[str, Any]:
    """The server's next line; nothing if it ended without one."""
    assert server.stdout is not None
    line = await server.stdout.readline()
    return json.loads(line) if line else {}
