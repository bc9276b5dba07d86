"""From a target to a logged-in master of OpenSSH: what ssh_config says, host keys, and trying again."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from fleetpush.errors import InputError
from fleetpush.remote import failures
from fleetpush.remote.openssh import errors
from fleetpush.remote.openssh.master import Master, config_flag, start
from fleetpush.remote.retries import Retries
from fleetpush.remote.route import parts_of, route_of, route_of_hop
from fleetpush.remote.sshconfig import HostConfig

if TYPE_CHECKING:
    from fleetpush.errors import HostError
    from fleetpush.remote.connection import Target
    from fleetpush.remote.openssh.errors import Said
    from fleetpush.remote.openssh.room import Room
    from fleetpush.remote.route import Route
    from fleetpush.remote.settings import SshSettings


class _Answer:
    """What ssh -G said of one name."""

    def __init__(self, config: HostConfig) -> None:
        self._config = config

    def lookup(self, _host: str) -> HostConfig:
        return self._config


class Login:
    """Opens connections. What ssh_config says is asked of ssh itself: it means what it means there."""

    def __init__(self, settings: SshSettings, room: Room) -> None:
        self.settings = settings
        self.warnings: list[str] = []
        self._room = room
        self._places: dict[tuple[str, int], asyncio.Lock] = {}
        self._met: set[tuple[str, int]] = set()

    async def route_of(self, target: Target) -> Route:
        """Raises HostError, InputError for an ssh_config that ssh cannot read."""
        flags = ["-p", str(target.port)] if target.port else []
        flags += ["-l", target.user] if target.user else []
        return route_of(target, _Answer(await self._ask(target.address, flags)))

    async def route_to(self, chain: tuple[str, ...]) -> Route:
        user, alias, port = parts_of(chain[-1])
        flags = (["-p", str(port)] if port else []) + (["-l", user] if user else [])
        answer = _Answer(await self._ask(alias, flags))
        return route_of_hop(chain, answer, self.settings.private_key)

    async def open(self, route: Route, tunnel: Master | None = None) -> Master:
        """A logged-in connection. Raises HostError. Tries again as ``Retries`` has it."""
        for path in route.keys:
            if not path.expanduser().exists():
                trouble = errors.trouble_of_key(path.expanduser())
                raise failures.unreachable("private_key_unusable", trouble)
        self._make_folder()
        wait = route.config.connect_timeout or self.settings.connect_timeout
        clock = asyncio.get_running_loop().time
        deadline = clock() + wait
        retries = Retries(deadline)
        while True:
            said = await self._meet(route, tunnel, deadline, wait)
            if isinstance(said, Master):
                return said
            pause = None
            if not self._behind(said) and self._worth_another_try(said):
                pause = retries.pause(clock(), refused=errors.is_refusal(said))
            if pause is None:
                raise self._failure(route, said, tunnel, wait)
            await asyncio.sleep(pause)

    async def _meet(
        self, route: Route, tunnel: Master | None, deadline: float, wait: float
    ) -> Master | Said:
        """Two first logins at once would each have ssh add the new key to known_hosts: one goes ahead."""
        place = (route.host, route.port)
        if self.settings.host_key_checking == "accept-new":
            async with self._places.setdefault(place, asyncio.Lock()):
                if place not in self._met:
                    said = await self._try(route, tunnel, deadline, wait)
                    if isinstance(said, Master):
                        self._met.add(place)
                    return said
        return await self._try(route, tunnel, deadline, wait)

    async def _try(
        self, route: Route, tunnel: Master | None, deadline: float, wait: float
    ) -> Master | Said:
        env = await self._room.ask_here(route.password) if route.password else {}
        master = await start(route, self.settings, self._room, tunnel, env)
        try:
            try:
                async with asyncio.timeout_at(deadline) as scope:
                    watch = asyncio.create_task(self._extend(master, scope))
                    try:
                        done = await master.logged_in()
                    finally:
                        watch.cancel()
            except TimeoutError:
                phase = master.said.phase
                wait = self.settings.login_timeout if phase == "login" else wait
                raise failures.timed_out(route, phase, wait) from None
        except BaseException:  # cancelled, too
            await asyncio.shield(master.wait_closed())
            raise
        finally:
            self._room.forget(env)
        said = master.said
        if said.not_kept:
            self.warn(f"cannot write {said.not_kept}; new host keys are not kept")
        if done:
            return master
        await master.wait_closed()
        return said

    async def _extend(self, master: Master, scope: asyncio.Timeout) -> None:
        """A login has a clock of its own."""
        while master.said.phase != "login":
            await master.news()
        scope.reschedule(asyncio.get_running_loop().time() + self.settings.login_timeout)

    def _worth_another_try(self, said: Said) -> bool:
        return errors.is_hang_up(said) or errors.is_refusal(said)

    def _behind(self, said: Said) -> bool:
        return "refused by peer" in said.text or "stdio forwarding failed" in said.text

    def _failure(self, route: Route, said: Said, tunnel: Master | None, wait: float) -> HostError:
        if tunnel is not None and tunnel.is_closed():
            return failures.jump_failed(route.jump[-1], failures.lost(route.jump[-1], None))
        if tunnel is not None and self._behind(said):
            why = tunnel.said.refused_channel or said.last()
            return failures.behind_jump(route, why, prohibited=errors.is_prohibited(why))
        return errors.failure(route, said, wait, password_given=bool(route.password))

    def _make_folder(self) -> None:
        given = self.settings.known_hosts
        if given is not None and self.settings.host_key_checking == "accept-new":
            with contextlib.suppress(OSError):  # ssh says so itself, and goes on
                given.expanduser().parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    def warn(self, message: str) -> None:
        if message not in self.warnings:
            self.warnings.append(message)

    async def _ask(self, alias: str, flags: list[str]) -> HostConfig:
        words = ["ssh", *config_flag(self.settings), "-G", *flags, "--", alias]
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *words, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
            )
        except OSError as error:
            raise InputError(
                f"the connection openssh needs the program ssh: {error}; install OpenSSH's client, or "
                "take another connection (-c)",
                slug="no_ssh",
            ) from error
        out, err = await process.communicate()
        if process.returncode != 0:
            text = err.decode(errors="replace").strip().splitlines()
            why = text[-1] if text else f"exit status {process.returncode}"
            if "hostname contains" in why:
                raise failures.unreachable(
                    "name_resolution",
                    f"{alias} is no host name ({why}): check its spelling or set ansible_host",
                )
            raise InputError(f"ssh has no usable settings for {alias}: {why}")
        return self._config(alias, out.decode(errors="replace"))

    def _config(self, alias: str, text: str) -> HostConfig:
        found = dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
        given = self.settings.known_hosts
        known = (given,) if given else _paths(found.get("userknownhostsfile", ""))
        timeout = found.get("connecttimeout", "none")
        return HostConfig(
            hostname=found.get("hostname", alias),
            port=int(found.get("port", "22")),
            user=found.get("user"),
            proxy_jump=found.get("proxyjump"),
            known_hosts=known,
            connect_timeout=float(timeout) if timeout.isdecimal() else None,
        )


def _paths(text: str) -> tuple[Path, ...]:
    return tuple(Path(word).expanduser() for word in shlex.split(text))
