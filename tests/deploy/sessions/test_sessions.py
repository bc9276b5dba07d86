"""Agents that stay: one process a host for several exchanges and tasks, and none at the end."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from fleetpush.deploy.fleet import choose
from fleetpush.deploy.options import DeployOptions, SshOptions
from fleetpush.deploy.runner import Run
from fleetpush.deploy.sessions.enlistment import Gathering
from fleetpush.deploy.sessions.fleet import Sessions
from fleetpush.errors import HostError, HostFailure
from tests.e2e.hosts import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fleetpush.deploy.fleet import Place
    from fleetpush.deploy.results import RunReport

NAMES = [f"n{i}" for i in range(4)]


class Deaf:
    def handle(self, event: object) -> None:
        """Nobody watches."""


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DeployOptions:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    hosts = "".join(
        f"{name} ansible_connection=local ansible_host=127.0.0.{i + 1}\n"
        for i, name in enumerate(NAMES)
    )
    (tmp_path / "hosts.ini").write_text(hosts)
    (tmp_path / "model.pt").write_bytes(os.urandom(700_000))
    return DeployOptions(
        sources=(str(tmp_path / "model.pt"),),
        inventories=(str(tmp_path / "hosts.ini"),),
        dest=f"{tmp_path}/{{{{ inventory_hostname }}}}/model.pt",
    )


@asynccontextmanager
async def begun(options: DeployOptions) -> AsyncIterator[tuple[Sessions, list[Place]]]:
    places = choose(options, lambda text: None)
    async with Sessions(SshOptions()) as sessions:
        assert await sessions.begin({place.name: place.target for place in places}) == {}
        yield sessions, places


async def push(options: DeployOptions, sessions: Sessions, places: list[Place]) -> RunReport:
    each = {place.name: sessions[place.name] for place in places}
    among = Gathering(places, each, sessions.connectors)
    return await Run(options, Deaf(), among=among).execute()


async def pids(sessions: Sessions) -> dict[str, int]:
    """The agents' processes: what their commands are children of."""
    found = await sessions.ask({name: ("command", {"shell": "echo $PPID"}) for name in NAMES})
    return {
        name: int(answer["stdout"]) for name, answer in found.items() if isinstance(answer, dict)
    }


def is_running(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}/exe")


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def test_one_agent_for_all_that_is_asked(options: DeployOptions, tmp_path: Path) -> None:
    async def work() -> None:
        async with begun(options) as (sessions, places):
            agents = await pids(sessions)
            assert len(set(agents.values())) == len(NAMES)
            first = await push(options, sessions, places)
            assert [r.status.value for r in first.results] == ["verified"] * 4
            files = {pid: open_files(pid) for pid in agents.values()}
            threaded = {pid: threads(pid) for pid in agents.values()}
            for _ in range(3):
                (tmp_path / "model.pt").write_bytes(os.urandom(700_000))
                assert (await push(options, sessions, places)).exit_code == 0
            again = await push(options, sessions, places)
            assert [r.status.value for r in again.results] == ["already_present"] * 4
            assert await pids(sessions) == agents
            for name, pid in agents.items():  # what served the last exchange may just be going
                wait_until(lambda pid=pid: open_files(pid) <= files[pid], 3, f"{name} closed")
                wait_until(lambda pid=pid: threads(pid) <= threaded[pid], 3, f"{name} joined")
        for pid in agents.values():
            wait_until(lambda pid=pid: not is_running(pid), 3, "no agent left")
        content = (tmp_path / "model.pt").read_bytes()
        for name in NAMES:
            assert os.listdir(tmp_path / name) == ["model.pt"]
            assert (tmp_path / name / "model.pt").read_bytes() == content

    asyncio.run(work())


def test_a_host_that_fails_in_one_exchange_takes_part_in_the_next(
    options: DeployOptions, tmp_path: Path
) -> None:
    async def work() -> None:
        (tmp_path / "n1").write_text("in the way")
        async with begun(options) as (sessions, places):
            first = await push(options, sessions, places)
            assert [r.slug for r in first.results] == ["", "dest_not_directory", "", ""]
            (tmp_path / "n1").unlink()
            assert (await push(options, sessions, places)).exit_code == 0

    asyncio.run(work())


def test_an_agent_that_dies_fails_its_host_and_nobody_else(options: DeployOptions) -> None:
    async def work() -> None:
        async with begun(options) as (sessions, places):
            agents = await pids(sessions)
            asked = asyncio.create_task(
                sessions.ask({name: ("command", {"shell": "sleep 1"}) for name in NAMES})
            )
            await asyncio.sleep(0.3)
            os.kill(agents["n2"], signal.SIGKILL)
            found = await asked
            assert isinstance(found["n2"], HostFailure)
            assert found["n2"].slug == "agent_lost"
            assert [found[n]["rc"] for n in ("n0", "n1", "n3") if isinstance(found[n], dict)] == [
                0
            ] * 3
            report = await push(options, sessions, places)
            assert [r.status.value for r in report.results] == [
                "verified",
                "verified",
                "unreachable" if found["n2"].unreachable else "failed",
                "verified",
            ]

    asyncio.run(work())


def test_the_end_ends_what_is_under_way(options: DeployOptions, tmp_path: Path) -> None:
    async def work() -> int:
        async with begun(options) as (sessions, _):
            line = f"echo $$ > {tmp_path}/pid; exec sleep 300"
            asked = asyncio.create_task(sessions["n0"].task("command", {"shell": line}))
            while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
                await asyncio.sleep(0.05)
            await sessions.end(["n0"])
            with pytest.raises(HostError) as raised:
                await asked
            assert raised.value.slug in ("command_interrupted", "session_over")
        return int((tmp_path / "pid").read_text())

    pid = asyncio.run(work())
    wait_until(lambda: not is_running(pid), 3, "the command ended")


def test_what_an_agent_cannot_make_sense_of_is_a_failure_with_words(
    options: DeployOptions,
) -> None:
    async def ask(what: str, arguments: dict[str, Any]) -> HostError:
        async with begun(options) as (sessions, _):
            with pytest.raises(HostError) as raised:
                await sessions["n0"].task(what, arguments)
            assert (await sessions["n0"].task("command", {"shell": "true"}))["rc"] == 0
            return raised.value

    assert asyncio.run(ask("no such task", {})).slug == "task_failed"
