"""Sources that lie on hosts: replicas and shards, one that differs, one that dies, one that changes."""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING

import pytest

from tests.e2e.desk import name
from tests.e2e.hosts import contents, digest, partials, send, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.desk import Command, Desk

pytestmark = pytest.mark.sshd

MIB = 1024 * 1024
FIRST, SECOND, THIRD = "node0001", "node0002", "node0003"


def put(desk: Desk, host: str, path: str, data: bytes) -> Path:
    """A file on ``host``, below its user's home."""
    file = desk.home(host) / path
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(data)
    desk.own(desk.home(host))
    return file


def wait_for_content(desk: Desk, run: Command, size: int) -> None:
    """Until the hosts have taken in so many bytes; fails at once where the command has ended."""
    wait_until(lambda: desk.taken_in() > size or not run.running, 60, "content on the hosts")
    assert run.running, run.stderr


def kill_agents(desk: Desk, *hosts: str) -> None:
    homes = {desk.home(host) for host in hosts}
    send(signal.SIGKILL, [pid for pid, home in desk.agents().items() if home in homes])


def test_replicas_send_one_copy_and_one_that_differs_is_named_and_left_out(desk: Desk) -> None:
    data = os.urandom(8 * MIB)
    other = data[: 5 * MIB] + bytes([data[5 * MIB] ^ 1]) + data[5 * MIB + 1 :]
    put(desk, FIRST, "nas/film", data)
    put(desk, SECOND, "pool/film", other)
    put(desk, THIRD, "film", data)
    sources = [f"{FIRST}:nas/film", f"{SECOND}:pool/film", f"{THIRD}:film"]
    done = desk.deploy(
        sources, desk.inventory(10), "--dest", "in/film", "--chunk-size", "1M", "--gather"
    )
    assert done.exit == 0, done.stderr
    assert len(done.good()) == 10  # the machines that it is on among them
    whole = desk.source(0)
    whole.write_bytes(data)
    assert desk.copies(10, whole, "in/film") == done.good()
    assert done.document["traffic"]["origin_bytes_sent"] < 1.3 * len(data)
    assert done.document["manifest"]["files"][0]["sha256"] == digest(whole)
    origins = {origin["host"]: origin for origin in done.document["origins"]}
    assert [origins[host]["status"] for host in (FIRST, SECOND, THIRD)] == [
        "sent",
        "left_out",
        "sent",
    ]
    assert min(origins[host]["bytes_sent"] for host in (FIRST, THIRD)) > len(data) / 4
    assert origins[SECOND]["reason"]["slug"] == "source_differs"
    named = re.compile(rf"{SECOND}: .*pool/film: .* first in chunk 5 of it \(bytes 5,242,880 to")
    assert named.search(done.stderr)
    assert desk.home(SECOND).joinpath("pool/film").read_bytes() == other


def test_files_of_several_hosts_become_one_content_that_retry_finds_again(desk: Desk) -> None:
    first, second = os.urandom(3 * MIB + 5), os.urandom(2 * MIB + 70_000)
    put(desk, FIRST, "footage/a", first)
    put(desk, SECOND, "footage/b", second)
    put(desk, THIRD, "footage/empty", b"")
    sources = [f"{FIRST}:footage/a", f"{SECOND}:footage/b", f"{THIRD}:footage/empty"]
    inventory = desk.inventory(7)
    blocked = desk.home("node0006") / "data"
    blocked.write_bytes(b"in the way")
    flags = ("--dest", "data/", "--limit", f"!{FIRST}:!{SECOND}:!{THIRD}")
    done = desk.deploy(sources, inventory, *flags)
    assert done.exit == 3, done.stderr
    assert list(done.slugs()) == ["node0006"]
    blocked.unlink()
    again = desk.run("runs", "retry", "last", "-o", "json").outcome()
    assert again.exit == 0, again.stderr
    assert again.good() == ["node0006"]
    assert again.document["manifest"]["digest"] == done.document["manifest"]["digest"]
    for host in ("node0004", "node0005", "node0006", "node0007"):
        assert contents(desk.home(host)) == ["data", "data/a", "data/b", "data/empty"]
        assert (desk.home(host) / "data/a").read_bytes() == first
        assert (desk.home(host) / "data/b").read_bytes() == second
    sums = {file["path"]: file["sha256"] for file in done.document["manifest"]["files"]}
    assert sums["b"] == digest(desk.home(SECOND) / "footage/b")


def test_origins_that_are_killed_or_change_cost_nothing_that_another_has(desk: Desk) -> None:
    data = os.urandom(6 * MIB)
    shrinks = [put(desk, host, "film", data) for host in (FIRST, SECOND, THIRD)][1]
    sources = [f"{host}:film" for host in (FIRST, SECOND, THIRD)]
    flags = ("--bwlimit", "1M", "--limit", f"!{FIRST}:!{SECOND}:!{THIRD}", "--chunk-size", "256K")
    run = desk.start(sources, desk.inventory(8), "--dest", "in/", *flags)
    wait_for_content(desk, run, 2 * MIB)
    kill_agents(desk, FIRST)
    os.truncate(shrinks, MIB)
    done = run.outcome()
    assert done.exit == 0, done.stderr
    assert len(done.good()) == 5
    ends = {origin["host"]: origin for origin in done.document["origins"]}
    assert [ends[host]["status"] for host in (FIRST, SECOND, THIRD)] == ["lost", "lost", "sent"]
    assert ends[FIRST]["reason"]["slug"] == "agent_lost"
    assert ends[SECOND]["reason"]["slug"] == "source_changed"
    assert f"{FIRST}: sends no more" in done.stderr


def test_what_is_gone_for_good_is_named_by_file_and_bytes(desk: Desk) -> None:
    put(desk, FIRST, "a", os.urandom(MIB))
    put(desk, SECOND, "b", os.urandom(6 * MIB))
    flags = ("--bwlimit", "2M", "--limit", f"!{FIRST}:!{SECOND}", "--chunk-size", "256K")
    run = desk.start([f"{FIRST}:a", f"{SECOND}:b"], desk.inventory(6), "--dest", "in/", *flags)
    wait_for_content(desk, run, 5 * MIB)
    kill_agents(desk, SECOND)
    done = run.outcome(within=40)  # and not the minute of --stall
    assert done.exit == 3, done.stderr
    assert done.slugs() == dict.fromkeys([name(i) for i in range(2, 6)], "source_lost")
    reason = done.host("node0004")["reason"]["message"]
    assert re.match(r"chunk \d+ \(b, bytes [\d,]+ to [\d,]+\)", reason)
    assert f"{SECOND} alone had" in reason
    for i in range(2, 6):
        inside = desk.home(i) / "in"
        assert contents(inside) == [path.name for path in partials(inside)]

    again = desk.deploy(
        [f"{FIRST}:a", f"{SECOND}:b"], desk.inventory(6), "--dest", "in/", *flags[2:]
    )
    assert again.exit == 0, again.stderr
    assert sum(r["chunks_reused"] for r in again.document["results"]) > 0


def test_a_source_that_changes_where_nobody_has_the_same_ends_the_run(desk: Desk) -> None:
    file = put(desk, FIRST, "film", os.urandom(6 * MIB))
    flags = ("--bwlimit", "2M", "--limit", f"!{FIRST}", "--chunk-size", "256K")
    run = desk.start(f"{FIRST}:film", desk.inventory(4), "--dest", "out/", *flags)
    wait_for_content(desk, run, 2 * MIB)
    os.truncate(file, MIB)
    done = run.outcome(within=40)
    assert done.exit == 5, done.stderr
    assert "film changed during the run" in done.document["error"]
    assert set(done.slugs().values()) == {"source_changed"}


def test_what_cannot_be_had_of_a_host_is_named_before_any_host_is_told(desk: Desk) -> None:
    put(desk, FIRST, "dir/film", b"film")
    put(desk, FIRST, "secret", b"secret").chmod(0)
    sources = [f"{FIRST}:{path}" for path in ("none", "dir", "secret")]
    done = desk.deploy(sources, desk.inventory(2))
    assert done.exit == 5, done.stderr
    for said in ("none: no such file there", "dir is a directory", "secret cannot be read"):
        assert f"{FIRST}: {desk.home(FIRST)}/{said}" in done.stderr
    own = desk.deploy(f"{FIRST}:dir/film", desk.inventory(2), "--dest", "dir/")
    assert own.exit == 5, own.stderr
    assert (
        f"source and destination at once: leave it out of the hosts (--limit '!{FIRST}')"
        in own.stderr
    )
    assert contents(desk.home(SECOND)) == []
