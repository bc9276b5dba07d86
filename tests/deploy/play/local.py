"""A performer that runs commands on this machine, whatever the host; and one that plays a script."""

from __future__ import annotations

import asyncio
import glob
from typing import TYPE_CHECKING

from fleetpush.deploy.play.performer import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fleetpush.deploy.play.performer import Call
    from fleetpush.inventory.model import Host
    from fleetpush.playbook.model import Task

DOWN = Outcome("unreachable", "connection_refused", "this host is down")


class Recording:
    """What both have in common: who was connected, asked and released when. Hosts that are ``down`` are."""

    def __init__(self) -> None:
        self.begun: list[list[str]] = []
        self.asked: list[tuple[str, tuple[str, ...], bool]] = []
        self.calls: list[Mapping[str, Call]] = []
        self.released: list[list[str]] = []
        self.closed = 0

    async def begin(self, hosts: Sequence[Host]) -> Mapping[str, Outcome]:
        self.begun.append([host.name for host in hosts])
        return {host.name: DOWN for host in hosts if host.resolved("down", False)}

    async def perform(
        self, task: Task, calls: Mapping[str, Call], check: bool
    ) -> Mapping[str, Outcome]:
        self.asked.append((str(task.name), tuple(calls), check))
        self.calls.append(calls)
        outcomes = await asyncio.gather(
            *(self.one(host, call, check) for host, call in calls.items())
        )
        return dict(zip(calls, outcomes, strict=True))

    async def one(self, host: str, call: Call, check: bool) -> Outcome:
        raise NotImplementedError

    async def release(self, hosts: Sequence[str]) -> None:
        self.released.append(list(hosts))

    async def close(self) -> None:
        self.closed += 1


class Scripted(Recording):
    """``says(host, call)`` is the outcome."""

    def __init__(self, says: Callable[[str, Call], Outcome]) -> None:
        super().__init__()
        self._says = says

    async def one(self, host: str, call: Call, check: bool) -> Outcome:
        return self._says(host, call)


class Local(Recording):
    """``command`` and ``shell`` as Ansible's module does them."""

    async def one(self, host: str, call: Call, check: bool) -> Outcome:
        given = call.arguments
        for name, wanted in (("creates", True), ("removes", False)):
            if name in given and bool(glob.glob(str(given[name]))) is wanted:
                return Outcome("ok", result={"rc": 0, "stdout": f"skipped, since {given[name]}"})
        if check:
            return Outcome("changed", result={"rc": 0, "stdout": "", "stderr": ""})
        rc, out, err = await self._run(call)
        result = {
            "rc": rc,
            "stdout": out.rstrip("\r\n"),
            "stderr": err.rstrip("\r\n"),
            "changed": True,
        }
        if rc:
            return Outcome("failed", "command_failed", f"it ended with {rc}", result)
        return Outcome("changed", result=result)

    async def _run(self, call: Call) -> tuple[int, str, str]:
        given = call.arguments
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), asyncio.subprocess.PIPE)
        where = {"cwd": given.get("chdir"), **pipes}
        if call.action == "shell":
            process = await asyncio.create_subprocess_shell(str(given["cmd"]), **where)
        else:
            import shlex

            words = given.get("argv") or shlex.split(str(given["cmd"]))
            process = await asyncio.create_subprocess_exec(*words, **where)
        out, err = await process.communicate(str(given.get("stdin", "")).encode())
        return process.returncode or 0, out.decode(), err.decode()
