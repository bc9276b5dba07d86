"""The history over real sshd: a host fails, is listed, shown and retried; a killed command is interrupted."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.e2e.hosts import wait_until

if TYPE_CHECKING:
    from tests.e2e.desk import Desk, Outcome

pytestmark = pytest.mark.sshd

MIB = 1024 * 1024


def runs(desk: Desk, *words: str) -> Outcome:
    return desk.run("runs", *words).outcome()


def listed(desk: Desk) -> list[dict[str, object]]:
    found: list[dict[str, object]] = runs(desk, "list", "-o", "json").document["runs"]
    return found


def test_the_host_that_failed_is_shown_and_retried(desk: Desk) -> None:
    source = desk.source(2 * MIB)
    in_the_way = desk.home("node0003") / source.name
    in_the_way.mkdir()
    first = desk.deploy(source, desk.inventory(5))
    assert first.exit == 3
    assert listed(desk)[0]["hosts"] == {"total": 5, "verified": 4, "lost": 1}

    shown = runs(desk, "show", "last")
    assert "node0003" in shown.stdout
    assert "dest_is_directory" in shown.stdout
    assert runs(desk, "show", "last", "-o", "json").document == first.document

    assert runs(desk, "retry", "last").exit == 3
    in_the_way.rmdir()
    again = runs(desk, "retry", str(first.document["run_id"])[:10], "-o", "json")
    assert again.exit == 0, again.stderr
    assert again.good() == ["node0003"]
    assert len(desk.copies(5, source)) == 5
    newest = listed(desk)[0]
    assert newest["retry_of"] == first.document["run_id"]
    nothing = runs(desk, "retry", "last")
    assert (nothing.exit, "nothing to retry" in nothing.stdout) == (0, True)
    desk.nothing_but(5, source.name)


def test_a_killed_command_is_interrupted_and_its_hosts_are_retried(desk: Desk) -> None:
    source = desk.source(3 * MIB)
    killed = desk.start(source, desk.inventory(3), "--bwlimit", "1500")
    wait_until(lambda: desk.taken_in() > MIB // 2, 30, "content on the hosts")
    assert [run["status"] for run in listed(desk)] == ["running"]
    killed.send(signal.SIGKILL)
    killed.process.wait()
    assert [run["status"] for run in listed(desk)] == ["interrupted"]
    assert "its process was killed" in runs(desk, "show", "last").stdout
    desk.no_agent_is_left(30)
    again = runs(desk, "retry", "last", "-o", "json")
    assert again.exit == 0, again.stderr
    assert len(again.good()) == 3
    assert len(desk.copies(3, source)) == 3
