"""One ``ssh`` process a host: logs in, then carries every channel of the run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from fleetpush.errors import InputError
from fleetpush.remote.openssh import mux
from fleetpush.remote.openssh.channels import SIGNALLED
from fleetpush.remote.openssh.errors import Said, quoted

if TYPE_CHECKING:
    from fleetpush.remote.openssh.room import Room
    from fleetpush.remote.route import Route
    from fleetpush.remote.settings import SshSettings

_CHECKING = {"strict": "yes", "accept-new": "accept-new", "off": "no"}
_KEEPALIVES = 3
_LOOK_SECONDS = 0.1
_SAID_KEPT = 256 * 1024
_GRACE_SECONDS = 1.0


class Master(asyncio.Protocol):
    """A running ``ssh -M``; as a protocol it reads what that says."""

    def __init__(self, room: Room, path: str, popen: subprocess.Popen[bytes], place: str) -> None:
        self.path = path
        self.place = place
        self._room = room
        self._popen = popen
        self._text = b""
        self._news = asyncio.Event()
        self._stderr: asyncio.BaseTransport | None = None
        room.watch(popen.pid, "+")

    @property
    def said(self) -> Said:
        return Said(self._text.decode(errors="replace"))

    async def listen(self) -> None:
        assert self._popen.stderr is not None
        loop = asyncio.get_running_loop()
        self._stderr, _ = await loop.connect_read_pipe(lambda: self, self._popen.stderr)

    async def logged_in(self) -> bool:
        """Waits until ssh is logged in (True) or has given up (False)."""
        while not Path(self.path).exists():  # made when the login is over, and not before
            if self.is_closed():
                await self._drained()
                return False
            await self.news()
        return True

    async def news(self) -> None:
        """Returns when ssh has said something, and now and then otherwise: some of it goes unsaid."""
        self._news.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_SECONDS):
                await self._news.wait()

    def fate(self) -> asyncio.Task[str]:
        """Why a command ended without a status."""
        return asyncio.create_task(self._fate())

    def gone(self) -> str:
        why = self.said.complaints[-1:] if self.is_closed() else []
        return f"the connection to {self.place} is gone" + (f" ({why[0]})" if why else "")

    def is_closed(self) -> bool:
        return self._popen.poll() is not None

    def abort(self) -> None:
        if not self.is_closed():
            self._popen.terminate()

    async def wait_closed(self) -> None:
        self.abort()
        try:
            async with asyncio.timeout(_GRACE_SECONDS):
                while not self.is_closed():  # noqa: ASYNC110 (a process that ends sets no event)
                    await asyncio.sleep(0.01)
        except TimeoutError:
            self._popen.kill()
            self._popen.wait()
        self._room.watch(self._popen.pid, "-")
        if self._stderr is not None:
            self._stderr.close()
        Path(self.path).unlink(missing_ok=True)

    def data_received(self, data: bytes) -> None:
        self._text = (self._text + data)[-_SAID_KEPT:]
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stderr = None
        self._news.set()

    async def _fate(self) -> str:
        if not self.is_closed() and await mux.is_alive(self.path):
            return SIGNALLED
        for _ in range(20):  # it has hung up and is about to say why
            if self.is_closed():
                break
            await asyncio.sleep(0.02)
        await self._drained()
        return self.gone()

    async def _drained(self) -> None:
        """What an ssh that has ended had to say; children of it may keep the pipe open."""
        for _ in range(5):
            if self._stderr is None:
                return
            await self.news()


async def start(
    route: Route, settings: SshSettings, room: Room, hop: Master | None, env: dict[str, str]
) -> Master:
    """An ssh on its way to ``route``, through ``hop`` if there is one. Raises InputError without an ssh."""
    path = room.new_socket()
    popen = _spawn(_command(route, settings, path, hop, asks=bool(env)), env)
    master = Master(room, path, popen, route.place)
    try:
        await master.listen()
    except BaseException:  # cancelled, too
        await asyncio.shield(master.wait_closed())
        raise
    return master


def _spawn(words: list[str], env: dict[str, str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # no terminal to ask at, and Ctrl-C there is ours to act on
            env={**os.environ, **env},
            bufsize=0,
        )
    except OSError as error:
        raise InputError(
            f"the connection openssh needs the program ssh: {error}; install OpenSSH's client, or take "
            "another connection (-c)",
            slug="no_ssh",
        ) from error


def _command(
    route: Route, settings: SshSettings, path: str, hop: Master | None, *, asks: bool
) -> list[str]:
    options = {
        "ControlPath": path.replace("%", "%%"),  # ours, also where ssh_config has another
        "ControlMaster": "yes",
        "ControlPersist": "no",
        "BatchMode": "no" if asks else "yes",
        "NumberOfPasswordPrompts": "1",
        "StrictHostKeyChecking": _CHECKING[settings.host_key_checking],
        "UpdateHostKeys": "no",  # a thousand of us would rewrite the file at once
        "CheckHostIP": "no",
        "ServerAliveInterval": str(max(1, round(settings.keepalive))),
        "ServerAliveCountMax": str(_KEEPALIVES),
        "ClearAllForwardings": "yes",
        "PermitLocalCommand": "no",
        "RemoteCommand": "none",
        "RequestTTY": "no",
        "ConnectionAttempts": "1",
        "HostName": route.host.replace("%", "%%"),
    }
    if settings.host_key_checking == "off":
        options |= {"UserKnownHostsFile": os.devnull, "GlobalKnownHostsFile": os.devnull}
    elif settings.known_hosts is not None:
        given = str(settings.known_hosts.expanduser()).replace("%", "%%")
        options |= {"UserKnownHostsFile": f'"{given}"', "GlobalKnownHostsFile": os.devnull}
    if hop is not None:
        through = f"ssh -F none -S {quoted(hop.path)} -o ControlMaster=no -o ProxyCommand=false"
        options["ProxyCommand"] = f"{through} -o BatchMode=yes -W [%h]:%p hop"
    words = ["ssh", *config_flag(settings), "-N", "-T", "-a", "-x", "-v"]
    for name, value in options.items():
        words += ["-o", f"{name}={value}"]
    for key in route.keys:
        words += ["-i", str(key.expanduser()).replace("%", "%%")]
    return [*words, "-p", str(route.port), "-l", route.user, "--", route.alias]


def config_flag(settings: SshSettings) -> list[str]:
    return [] if settings.ssh_config is None else ["-F", str(settings.ssh_config)]
