"""The Python API: what a deploy returns, raises and tells, and that importing it costs nothing."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import subprocess
import sys
import textwrap
import threading
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pytest

import fleetpush
from fleetpush.demo.fleet import EmbeddedFleet
from fleetpush.deploy import api
from fleetpush.deploy.history.history import History
from fleetpush.deploy.options import DeployOptions
from fleetpush.deploy.progress import HostFinished, Notice, RunFinished, RunStarted, SourceReady

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """Three hosts, served from a thread so that what has an event loop of its own can use them."""
    root = tmp_path_factory.mktemp("api")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    fleet = EmbeddedFleet(root / "fleet", 3)

    def run(work):
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    run(fleet.__aenter__())
    try:
        yield fleet
    finally:
        run(fleet.__aexit__(None, None, None))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
    assert fleet.killed == 0, "an agent was left running"


@pytest.fixture
def ssh(fleet):
    return fleetpush.SshOptions(known_hosts=fleet.known_hosts, ssh_config=Path(os.devnull))


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "model.pt"
    path.write_bytes(os.urandom(300_000))
    return path


def copies(fleet, name):
    return [path.read_bytes() for i in range(3) if (path := fleet.home(i) / name).exists()]


def test_a_deploy_returns_what_became_of_each_host(fleet, ssh, source):
    events = []
    report = fleetpush.deploy(
        source,
        fleet.inventory,
        dest="{{ where }}",
        extra_vars={"where": "one of 'two'.pt"},
        ssh=ssh,
        on_event=events.append,
    )
    assert isinstance(report, fleetpush.RunReport)
    assert report.exit_code == 0
    assert {r.status for r in report.results} == {fleetpush.HostStatus.VERIFIED}
    assert copies(fleet, "one of 'two'.pt") == [source.read_bytes()] * 3
    assert isinstance(events[0], RunStarted)
    assert events[-1] == RunFinished(events[-1].at, report)
    finished = {e.host for e in events if isinstance(e, HostFinished)}
    assert finished == {host.name for host in fleet.hosts}


def test_a_directory_arrives_without_what_is_excluded(fleet, ssh, source):
    top = source.parent / "site"
    (top / "empty").mkdir(parents=True)
    (top / "page").write_bytes(b"welcome")
    (top / "page.tmp").write_bytes(b"draft")
    (top / "link").symlink_to("page")
    (fleet.home(0) / "www").mkdir()
    (fleet.home(0) / "www" / "old").touch()
    report = fleetpush.deploy(
        f"{top}/", fleet.inventory, dest="www/", exclude=("*.tmp",), delete=True, ssh=ssh
    )
    assert report.exit_code == 0
    assert [result.changed for result in report.results] == [True] * 3
    for number in range(3):
        there = fleet.home(number) / "www"
        assert sorted(os.listdir(there)) == ["empty", "link", "page"]
        assert (there / "link").readlink() == Path("page")
        assert (there / "page").read_bytes() == b"welcome"


def test_it_can_be_awaited_beside_other_work(fleet, ssh, source):
    async def both():
        return await asyncio.gather(
            *(
                fleetpush.deploy_async([source], [str(fleet.inventory)], dest=name, ssh=ssh)
                for name in ("two.pt", "three.pt")
            )
        )

    assert [report.exit_code for report in asyncio.run(both())] == [0, 0]
    assert copies(fleet, "two.pt") == copies(fleet, "three.pt") == [source.read_bytes()] * 3


def test_a_host_that_fails_is_no_exception(fleet, ssh, source):
    (fleet.home(1) / "four.pt").mkdir()
    report = fleetpush.deploy(source, fleet.inventory, dest="four.pt", ssh=ssh)
    assert report.exit_code == 3
    assert [r.slug for r in report.results] == ["", "dest_is_directory", ""]


def test_it_is_recorded_where_it_is_told_or_not_at_all(fleet, ssh, source, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "default"))

    def deployed(**more):
        report = fleetpush.deploy(source, fleet.inventory, dest="rec.pt", ssh=ssh, **more)
        assert report.exit_code == 0
        return report.run_id

    usual, elsewhere, nowhere = (
        deployed(),
        deployed(state_dir=tmp_path / "mine"),
        deployed(record=False),
    )
    for place, wanted in ((None, usual), (tmp_path / "mine", elsewhere)):
        with History.open(place) as history:
            assert [run.id for run in history.runs()] == [wanted]
            assert history.run("last").good == 3
    assert nowhere not in (usual, elsewhere)


def test_a_record_that_cannot_be_written_is_a_notice(fleet, ssh, source):
    events = []
    report = fleetpush.deploy(
        source, fleet.inventory, dest="rec.pt", ssh=ssh, on_event=events.append, state_dir=source
    )
    assert report.exit_code == 0
    notices = [event.message for event in events if isinstance(event, Notice)]
    assert sum("this run is not recorded" in text for text in notices) == 1


@pytest.mark.parametrize("moment", [RunStarted, SourceReady, HostFinished, RunFinished])
def test_what_the_callback_raises_ends_the_run_and_is_raised(fleet, ssh, source, moment):
    def refuse(event):
        if isinstance(event, moment):
            raise LookupError("enough")

    async def watched():
        with pytest.raises(LookupError, match="enough"):
            await fleetpush.deploy_async(
                source, fleet.inventory, dest="five.pt", ssh=ssh, on_event=refuse
            )
        await asyncio.sleep(0)
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(watched()) == set()


def test_cancelling_it_leaves_no_task_behind(fleet, ssh, source):
    async def cancelled():
        begun = asyncio.Event()
        work = asyncio.create_task(
            fleetpush.deploy_async(
                source,
                fleet.inventory,
                dest="six.pt",
                ssh=ssh,
                bwlimit=50_000,
                on_event=lambda event: begun.set() if isinstance(event, SourceReady) else None,
            )
        )
        await begun.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(cancelled()) == set()
    assert copies(fleet, "six.pt") == []


def test_ctrl_c_cleans_up_and_is_a_keyboard_interrupt(fleet, source, tmp_path):
    program = textwrap.dedent(f"""
        import os, signal
        from pathlib import Path
        import fleetpush
        from fleetpush.deploy.progress import SourceReady
        def stop(event):
            if isinstance(event, SourceReady):
                os.kill(os.getpid(), signal.SIGINT)
        ssh = fleetpush.SshOptions(known_hosts=Path({str(fleet.known_hosts)!r}), ssh_config=Path(os.devnull))
        try:
            fleetpush.deploy({str(source)!r}, {str(fleet.inventory)!r}, dest="seven.pt", ssh=ssh,
                             bwlimit=50_000, on_event=stop)
        except KeyboardInterrupt:
            print("interrupted")
    """)
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert (done.stdout, done.stderr) == ("interrupted\n", "")
    assert done.returncode not in (-signal.SIGINT, 130)
    assert copies(fleet, "seven.pt") == []


def test_inside_an_event_loop_it_says_what_to_do(source):
    async def wrong():
        fleetpush.deploy(source, "a,")

    with pytest.raises(RuntimeError, match="await fleetpush"):
        asyncio.run(wrong())


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ({"inventory": "nowhere.yaml"}, fleetpush.InputError, "nowhere.yaml"),
        ({"topology": "ring"}, fleetpush.UsageError, "topology must be one of 'auto', 'mesh'"),
        ({"verify": "ful"}, fleetpush.UsageError, "verify must be one of 'chunks', 'full'"),
        (
            {"ssh": fleetpush.SshOptions(host_key_checking="no")},
            fleetpush.UsageError,
            "host_key_checking must be one of 'strict'",
        ),
        ({"forks": 3}, TypeError, "forks"),
    ],
)
def test_what_is_wrong_beforehand_is_raised(source, more, error, words):
    with pytest.raises(error, match=words):
        fleetpush.deploy(source, **{"inventory": "a,", **more})


def test_every_option_of_a_deploy_can_be_said_with_its_type():
    said = get_type_hints(api.Keywords)
    options = get_type_hints(DeployOptions)
    given = {"sources", "inventories", "extra_vars"}
    assert {name: options[name] for name in options if name not in given} == said
    assert {field.name for field in fields(DeployOptions)} == set(options)


def test_sync_and_async_take_the_same():
    plain, awaited = map(inspect.signature, (api.deploy, api.deploy_async))
    assert plain.parameters == awaited.parameters


# -- the package


def python(program):
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def test_importing_it_imports_nothing_else():
    program = "import sys; old = set(sys.modules); import fleetpush; print(set(sys.modules) - old)"
    assert set(eval(python(program))) - {"__future__"} == {"fleetpush"}


@pytest.mark.parametrize("before", ["", "import fleetpush.deploy.options"])
def test_it_is_callable_whatever_was_imported_before(before):
    assert python(f"import fleetpush\n{before}\nprint(callable(fleetpush.deploy))") == "True\n"


def test_every_name_is_there_and_in_dir_and_known_to_type_checkers():
    stub = (ROOT / "fleetpush" / "__init__.pyi").read_text()
    for name in fleetpush._HOMES:
        assert getattr(fleetpush, name) is not None
        assert name in dir(fleetpush)
        assert f" as {name}\n" in stub
    assert stub.count(" as ") == len(fleetpush._HOMES)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        fleetpush.nothing  # noqa: B018


def test_a_type_checker_sees_the_functions(tmp_path):
    program = tmp_path / "mine.py"
    program.write_text(
        "import fleetpush\n"
        "reveal_type(fleetpush.deploy('m', 'i', mode=0o644))\n"
        "fleetpush.deploy('m', 'i', mode='0644')\n"
    )
    mypy = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", os.devnull]
    done = subprocess.run(
        [*mypy, str(program)], check=False, capture_output=True, text=True, cwd=ROOT
    )
    assert 'Revealed type is "fleetpush.deploy.results.RunReport"' in done.stdout
    assert 'error: Argument "mode" to "deploy" has incompatible type "str"' in done.stdout
