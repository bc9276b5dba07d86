"""A program that deploys again and again is after the last deploy what it was after the first."""

from __future__ import annotations

import asyncio
import gc
import os
import sqlite3
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import fleetpush
from fleetpush.deploy.history.database import NAME
from tests.e2e.hosts import agents, wait_until

if TYPE_CHECKING:
    import pytest

HOSTS = [f"h{number}" for number in range(1, 5)]
FIRST, MORE = 2, 10


def held(loop: asyncio.AbstractEventLoop) -> dict[str, int]:
    """What this process has, by kind: it must not grow from deploy to deploy."""
    gc.collect()
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        # The workers of the loop that stays are its own affair: it keeps a few.
        "threads": sum(not each.name.startswith("asyncio_") for each in threading.enumerate()),
        "tasks": len(asyncio.all_tasks(loop)),
        "children": len(children),
        "loops": sum(isinstance(each, asyncio.AbstractEventLoop) for each in gc.get_objects()),
    }


def test_deploys_in_a_row_leave_nothing_open_and_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "XDG_CACHE_HOME", "TMPDIR"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    homes = [tmp_path / "hosts" / name for name in HOSTS]
    for home in homes:
        home.mkdir(parents=True)
    inventory, source, state = tmp_path / "hosts.ini", tmp_path / "model.pt", tmp_path / "state"
    inventory.write_text("".join(f"{name} ansible_connection=local\n" for name in HOSTS))
    given = {"dest": f"{tmp_path}/hosts/{{{{ inventory_hostname }}}}/model.pt", "state_dir": state}

    def deploy(runner: asyncio.Runner, turn: int) -> None:
        source.write_bytes(os.urandom(200_000))
        if turn % 2:
            report = fleetpush.deploy(source, inventory, **given)
        else:
            report = runner.run(fleetpush.deploy_async(source, inventory, **given))
        assert report.exit_code == 0
        assert [os.listdir(home) for home in homes] == [["model.pt"]] * len(HOSTS)
        assert {(home / "model.pt").read_bytes() for home in homes} == {source.read_bytes()}

    with asyncio.Runner() as runner:
        for turn in range(FIRST):
            deploy(runner, turn)
        before = held(runner.get_loop())
        for turn in range(FIRST, FIRST + MORE):
            deploy(runner, turn)
        assert held(runner.get_loop()) == before

    wait_until(lambda: not agents(tmp_path), 10, "the agents gone")
    assert os.listdir(tmp_path / "TMPDIR") == []
    assert os.listdir(state / "running") == []
    database = sqlite3.connect(state / NAME)
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    runs = database.execute("SELECT count(*) FROM runs WHERE exit_code = 0").fetchone()
    assert runs == (FIRST + MORE,)
    database.close()
