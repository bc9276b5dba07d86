"""``fleetpush check`` against a real sshd: each trouble by name, and no trace of the look."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.hosts import contents, wait_until

if TYPE_CHECKING:
    from tests.e2e.desk import Desk

pytestmark = pytest.mark.sshd


def probes() -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdecimal():
                line = (entry / "cmdline").read_bytes()
                if b"fleetpush.agent.probe" in line and b"-I\0-S\0" in line:
                    found.append(int(entry.name))
    return found


def test_what_is_wrong_is_found_and_nothing_is_left(desk: Desk) -> None:
    for index in range(4):
        (desk.home(index) / "data").mkdir(mode=0o777)
        (desk.home(index) / "data").chmod(0o555 if index == 1 else 0o777)
    special = {
        "node0003": {"ansible_python_interpreter": "/opt/nowhere/python3"},
        "node0004": {"ansible_port": 1},
    }
    inventory = desk.inventory(4, **special)
    config = desk.known_hosts()
    words = ["check", str(desk.source(1024)), "-i", str(inventory), "--ssh-config", str(config)]
    done = desk.run(*words, "--dest", "data/model.pt", "-o", "json").outcome()
    assert done.exit == 3, done.stderr
    found = {r["host"]: [t["slug"] for t in r["troubles"]] for r in done.document["results"]}
    assert found == {
        "node0001": [],
        "node0002": ["not_writable"],
        "node0003": ["no_python"],
        "node0004": ["connection_refused"],
    }
    assert desk.fleet.user in done.host("node0002")["troubles"][0]["message"]
    assert done.host("node0001")["called_by"] == [{"host": "node0002", "error": None}]
    assert done.host("node0001")["called_from_here"] == {"error": None}
    wait_until(lambda: not probes(), 3, "no probe left")
    assert all(contents(desk.home(index)) == ["data"] for index in range(4))
