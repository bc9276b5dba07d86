"""The demo deploys by the ordinary run, then believes nothing but what lies in the homes."""

import asyncio
import hashlib
import shutil
import tempfile
from pathlib import Path

import asyncssh
import pytest
import yaml

from fleetpush.demo import run as run_module
from fleetpush.demo.run import SOURCE_NAME, DemoSettings, demo
from fleetpush.deploy.results import RunReport, Timing, Traffic
from fleetpush.errors import InputError


class FakeRun:
    """Delivers by one cat a host over the fleet's SSH, then lets a test spoil what it did."""

    spoil = staticmethod(lambda homes: None)
    exit_code = 0

    def __init__(self, options, observer):
        self.options = options
        self.source = Path(options.sources[0])

    async def execute(self):
        inventory = yaml.safe_load(Path(self.options.inventories[0]).read_text())["all"]
        await asyncio.gather(
            *(self._deliver(h, inventory["vars"]) for h in inventory["hosts"].values())
        )
        homes = sorted((Path(self.options.inventories[0]).parent / "homes").iterdir())
        self.sent = hashlib.sha256(self.source.read_bytes()).hexdigest()
        self.spoil(homes)
        return RunReport(
            *(
                "id",
                "demo",
                self.exit_code,
                "mesh",
                "tracker",
                self.options.encrypt,
                "",
                "",
                0,
                0,
                0,
            ),
            *((), (), Timing(), Traffic()),
        )

    async def _deliver(self, host, common):
        async with asyncssh.connect(
            host["ansible_host"],
            common["ansible_port"],
            username=common["ansible_user"],
            client_keys=[common["ansible_ssh_private_key_file"]],
            known_hosts=str(self.options.ssh.known_hosts),
            agent_path=None,
            config=[str(self.options.ssh.ssh_config)],
        ) as connection:
            await connection.run(
                f"cat > {SOURCE_NAME}", input=self.source.read_bytes(), encoding=None, check=True
            )


@pytest.fixture
def fake_run(monkeypatch, tmp_path):
    class OneRun(FakeRun):
        pass

    monkeypatch.setattr(run_module, "Run", OneRun)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return OneRun


async def outcome_of(**settings):
    runs = []
    outcome = await demo(DemoSettings(size=300_000, **settings), None, runs.append)
    return outcome, runs[0]


async def test_every_copy_is_hashed_and_nothing_stays(fake_run, tmp_path):
    outcome, run = await outcome_of(hosts=3)
    assert outcome.ok
    assert outcome.proof == [
        f"{run.sent}  {SOURCE_NAME} on demo-[0001-0003] (3)",
        "nothing else is left: no other file in any home, no process on any host",
    ]
    assert outcome.report.exit_code == 0
    assert list(tmp_path.iterdir()) == []


async def test_the_settings_reach_the_run(fake_run):
    _, run = await outcome_of(hosts=1, topology="tree", encrypt=False)
    assert (run.options.topology, run.options.encrypt) == ("tree", False)
    assert run.options.ssh.host_key_checking == "strict"


async def test_a_spoiled_a_lost_and_an_extra_file_are_found(fake_run):
    def spoil(homes):
        with (homes[0] / SOURCE_NAME).open("r+b") as file:
            file.write(b"12345678")
        (homes[1] / SOURCE_NAME).unlink()
        (homes[2] / ".partial").touch()

    fake_run.spoil = staticmethod(spoil)
    outcome, run = await outcome_of(hosts=4)
    spoiled, good, lost, extra = outcome.proof
    assert not outcome.ok
    assert spoiled.endswith(f"{SOURCE_NAME} on demo-0001 (1): not what was sent")
    assert good == f"{run.sent}  {SOURCE_NAME} on demo-[0003-0004] (2)"
    assert lost == "no copy on demo-0002 (1)"
    assert extra == "left behind on demo-0003: .partial"


async def test_a_run_that_failed_is_not_made_good_by_the_homes(fake_run):
    fake_run.exit_code = 3
    outcome, _ = await outcome_of(hosts=1)
    assert not outcome.ok


async def test_keep_leaves_the_homes_and_says_where(fake_run, tmp_path):
    outcome, run = await outcome_of(hosts=1, keep=True)
    kept = Path(outcome.proof[-1].removeprefix("kept for you to look at: "))
    assert kept.parent == tmp_path
    copy = kept / "fleet" / "homes" / "demo-0001" / SOURCE_NAME
    assert hashlib.sha256(copy.read_bytes()).hexdigest() == run.sent


async def test_a_run_that_raises_leaves_nothing(fake_run, tmp_path):
    def spoil(homes):
        raise InputError("no")

    fake_run.spoil = staticmethod(spoil)
    with pytest.raises(InputError):
        await outcome_of(hosts=1)
    assert list(tmp_path.iterdir()) == []


async def test_a_full_disk_is_found_before_anything_starts(fake_run, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: FullDisk)
    with pytest.raises(InputError, match=r"needs \d+ MiB .* TMPDIR") as caught:
        await outcome_of(hosts=1)
    assert caught.value.slug == "no_space"
    assert list(tmp_path.iterdir()) == []


class FullDisk:
    free = 0
