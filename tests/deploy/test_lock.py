"""A lock keeps other processes out, names who has it, and destroys nothing."""

import asyncio
import os
import re
import subprocess
import sys
import time

import pytest

from fleetpush.deploy.lock import LockedError, LockFile
from fleetpush.errors import InputError

HOLDER = """
import asyncio, sys, time
from pathlib import Path
from fleetpush.deploy.lock import LockFile
lock = LockFile(Path(sys.argv[1]))
asyncio.run(lock.acquire(0, print))
print("held", flush=True)
sys.stdin.read()
"""


class Holder:
    """Another process that has the lock until it is let go or killed."""

    def __init__(self, path):
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "held\n"

    def let_go(self):
        self.process.communicate()

    def kill(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.lock"


@pytest.fixture
def holder(path):
    holder = Holder(path)
    yield holder
    holder.kill()


async def taken(path, wait=0.0, said=None):
    lock = LockFile(path)
    try:
        await lock.acquire(wait, [].append if said is None else said.append)
    finally:
        lock.close()


async def test_the_file_is_private_says_who_has_it_and_stays(path):
    await taken(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert re.fullmatch(
        rf"fleetpush pid {os.getpid()} since \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d\n",
        path.read_text(),
    )
    await taken(path)


async def test_who_is_kept_out_learns_who_has_it_and_since_when(path, holder):
    since = path.read_text().split()[-1]
    with pytest.raises(LockedError) as refused:
        await taken(path)
    assert (refused.value.exit_code, refused.value.slug) == (75, "locked")
    assert str(refused.value) == (
        f"another run is under way: the lock is {path}, which pid {holder.process.pid} has held since"
        f" {since}; --lock-wait T would wait for it"
    )


async def test_waiting_ends_with_its_time(path, holder):
    began, said = time.monotonic(), []
    with pytest.raises(LockedError, match=r"still did after 0\.5 s \(--lock-wait\)$"):
        await taken(path, 0.5, said)
    assert time.monotonic() - began >= 0.5
    assert said == [
        f"waiting for the lock {path}, which pid {holder.process.pid} has held since"
        f" {path.read_text().split()[-1]}"
    ]


@pytest.mark.parametrize("end", ["let_go", "kill"])
async def test_the_lock_is_gone_with_its_process_however_that_ends(path, holder, end):
    waiting = asyncio.create_task(taken(path, 60))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    await asyncio.to_thread(getattr(holder, end))
    await waiting
    assert f"pid {os.getpid()} " in path.read_text()


async def test_a_lock_is_never_on_a_file_that_somebody_has_removed(path):
    lock = LockFile(path)
    path.unlink()
    await lock.acquire(0, print)
    with pytest.raises(LockedError, match=f"pid {os.getpid()} "):
        await taken(path)
    lock.close()


async def test_a_shorter_line_leaves_nothing_of_a_longer_one(path):
    path.write_text("fleetpush pid 123456789012345 since 2026-01-05T03:00:00.123456+00:00\n")
    await taken(path)
    assert path.read_text().count("\n") == 1


async def test_a_file_that_is_something_else_is_left_alone(path, tmp_path):
    path.write_text("all:\n  hosts:\n")
    with pytest.raises(InputError, match="it has other content, which the lock would write over"):
        LockFile(path)
    assert path.read_text() == "all:\n  hosts:\n"
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(InputError, match="it is a symbolic link; name the file itself"):
        LockFile(link)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="it is no plain file"):
        LockFile(pipe)
    with pytest.raises(InputError, match=r"cannot open the lock file .*: Is a directory"):
        LockFile(tmp_path)
    with pytest.raises(InputError, match=r"cannot open the lock file .*: No such file"):
        LockFile(tmp_path / "none" / "lock")


async def test_an_empty_file_of_flocks_own_will_do(path):
    path.touch(0o644)
    await taken(path)
    assert path.stat().st_mode & 0o777 == 0o644
