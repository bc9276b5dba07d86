"""A night of cron: pushes of growing footage, silent, and nothing read or sent that is there already."""

from __future__ import annotations

import ctypes
import os
import struct
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.e2e.hosts import contents

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.e2e.desk import Desk, Outcome

HOSTS = 2
PUSHES = 30
IN_ACCESS = 0x1
SETTLED = 2.5
"""Seconds after which a source's checksum is kept."""


@contextmanager
def reads(folders: list[Path]) -> Iterator[list[str]]:
    """The names of the files in ``folders`` that somebody reads meanwhile, once for each time."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert fd >= 0, os.strerror(ctypes.get_errno())
    seen: list[str] = []
    try:
        for folder in folders:
            assert libc.inotify_add_watch(fd, os.fsencode(folder), IN_ACCESS) >= 0
        yield seen
        with os.fdopen(os.dup(fd), "rb", buffering=0) as events:
            while data := events.read(1 << 16):
                while data:
                    _, mask, _, length = struct.unpack_from("iIII", data)
                    if not mask & 0x40000000:  # a directory that is listed
                        seen.append(os.fsdecode(data[16 : 16 + length].rstrip(b"\0")))
                    data = data[16 + length :]
    finally:
        os.close(fd)


def push(desk: Desk, files: Sequence[Path | str], inventory: Path, *flags: str) -> Outcome:
    config = desk.root / "ssh_config"
    if not config.exists():
        desk.known_hosts()
    words = ["deploy", *map(str, files), "-i", str(inventory), "--ssh-config", str(config)]
    more = ("--dest", "footage/", "--progress", "quiet", "--lock", str(desk.root / "lock"))
    return desk.run(*words, *more, *flags).outcome()


def test_a_night_of_growing_footage(desk: Desk) -> None:
    inventory = desk.inventory(HOSTS)
    metrics = desk.root / "footage.prom"
    files: list[Path] = []
    for minute in range(PUSHES):
        files.append(desk.source(40_000 + minute, f"cam-{minute:02}.mp4"))
        found = push(desk, files, inventory, "--metrics", str(metrics))
        assert (found.exit, found.stdout, found.stderr) == (0, "", "")
    assert 'fleetpush_last_run_success{job_name="footage"} 1' in metrics.read_text()
    folders = [home / "footage" for home in desk.homes(HOSTS)]
    for folder in folders:
        assert contents(folder) == [file.name for file in files]
        assert all((folder / f.name).read_bytes() == f.read_bytes() for f in files)

    # What was written a moment ago may still be written to: nobody takes its checksum for granted.
    time.sleep(SETTLED)
    assert push(desk, files, inventory).exit == 0
    with reads(folders) as seen:
        found = push(desk, files, inventory, "-o", "json")
    assert found.document["hosts"]["already_present"] == HOSTS
    assert seen == []
    with reads(folders) as seen:
        found = push(desk, files, inventory, "-o", "json", "--checksum")
    assert found.document["hosts"]["already_present"] == HOSTS
    assert set(seen) == {file.name for file in files}

    # Somebody writes to one of them: it is read again, and put right.
    spoilt = folders[1] / files[3].name
    content = spoilt.read_bytes()
    spoilt.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with reads(folders) as seen:
        found = push(desk, files, inventory, "-o", "json")
    assert [r["status"] for r in found.document["results"]] == ["already_present", "verified"]
    assert files[3].name in seen
    assert spoilt.read_bytes() == content

    # The same of a folder as one source.
    folder = desk.root / "spool"
    folder.mkdir()
    for file in files[:5]:
        (folder / file.name).write_bytes(file.read_bytes())
    time.sleep(SETTLED)
    tree = [f"{folder}/"]
    for _ in range(2):
        assert push(desk, tree, inventory, "--dest", "tree/").exit == 0
    with reads([home / "tree" for home in desk.homes(HOSTS)]) as seen:
        found = push(desk, tree, inventory, "-o", "json", "--dest", "tree/")
    assert found.document["hosts"]["already_present"] == HOSTS
    assert seen == []

    away = desk.inventory(HOSTS, node0002={"ansible_port": 1})
    found = push(desk, files, away)
    assert (found.exit, found.stdout) == (4, "")
    assert "node0002" in found.stderr
    assert "connection_refused" in found.stderr
