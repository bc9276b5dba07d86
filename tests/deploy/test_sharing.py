"""Runs that share a limit: each knows of the others, also of those that were killed."""

import asyncio
import os
import subprocess
import sys
import time

import pytest

from fleetpush.deploy import sharing
from fleetpush.deploy.sharing import Registration, shared

RUN = """
import sys
from pathlib import Path
from fleetpush.deploy.sharing import Registration
registration = Registration(Path(sys.argv[1]))
print("there", flush=True)
sys.stdin.read()
if len(sys.argv) > 2:
    registration.close()
"""


class Other:
    """Another process that runs."""

    def __init__(self, directory, *words):
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, str(directory), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "there\n"

    def end(self):
        self.process.communicate()

    def kill(self):
        self.process.kill()
        self.process.communicate()


class Channel:
    """What an agent would hear."""

    def __init__(self):
        self.running = True
        self.said = []

    def say(self, message):
        assert message["do"] == "limit"
        self.said.append(message["up"])


@pytest.fixture
def directory(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(sharing, "LOOK_EVERY", 0.02)
    return tmp_path / "fleetpush" / "bwlimit"


async def hears(channel, share):
    async with asyncio.timeout(30):
        while channel.said[-1:] != [share]:
            await asyncio.sleep(0.01)


def test_runs_count_each_other_and_not_the_dead(directory):
    mine = Registration(directory)
    assert mine.others() == 0
    first, second = Other(directory), Other(directory, "and close")
    assert mine.others() == 2
    first.kill()
    assert mine.others() == 1
    second.end()
    assert mine.others() == 0
    assert len(list(directory.iterdir())) == 1, "what the dead left is removed"
    mine.close()
    assert list(directory.iterdir()) == []
    assert directory.stat().st_mode & 0o777 == 0o700


def test_a_run_whose_file_was_removed_goes_on(directory):
    mine = Registration(directory)
    for path in directory.iterdir():
        path.unlink()
    assert mine.others() == 0
    mine.close()


def test_a_file_that_never_got_its_name_is_removed_when_it_is_old(directory):
    mine = Registration(directory)
    young, old = directory / ".young", directory / ".old"
    for path in (young, old):
        path.touch()
    os.utime(old, (time.time() - 3600,) * 2)
    assert mine.others() == 0
    assert young.exists()
    assert not old.exists()
    mine.close()


async def test_shares_follow_who_comes_and_goes_however(directory):
    channel, warnings = Channel(), []
    async with shared(900_000, channel, warnings.append) as share:
        assert share == 900_000
        first = Other(directory)
        await hears(channel, 450_000)
        second = Other(directory)
        await hears(channel, 300_000)
        first.kill()
        await hears(channel, 450_000)
        second.end()
        await hears(channel, 900_000)
    assert channel.said == [450_000, 300_000, 450_000, 900_000]
    assert warnings == []
    assert list(directory.iterdir()) == []


async def test_each_has_its_part_of_its_own_limit_from_the_beginning(directory):
    limits = [1_000_000, 400_000, 600_000]
    async with shared(limits[0], Channel(), print), shared(limits[1], Channel(), print) as second:
        assert second == 200_000
        async with shared(limits[2], Channel(), print) as third:
            assert third == 200_000


async def test_an_agent_that_is_not_up_yet_hears_of_it_when_it_is(directory):
    channel = Channel()
    channel.running = False
    async with shared(1000, channel, print):
        other = Other(directory)
        await asyncio.sleep(0.2)
        assert channel.said == []
        channel.running = True
        await hears(channel, 500)
        other.kill()


async def test_without_a_limit_nothing_is_shared(directory):
    async with shared(None, Channel(), print) as share:
        assert share is None
        assert not directory.exists()


async def test_where_nothing_can_be_kept_the_limit_holds_for_each_and_the_operator_is_told(
    directory, tmp_path
):
    (tmp_path / "fleetpush").write_text("in the way")
    warnings = []
    async with shared(1000, Channel(), warnings.append) as share:
        assert share == 1000
    (warning,) = warnings
    assert warning.startswith("--bwlimit is not shared with other runs: ")
    assert str(directory.parent) in warning
