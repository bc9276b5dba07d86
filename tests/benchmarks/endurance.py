"""Hundreds of deploys in a row: what grows with them, and what is left behind.

    .venv/bin/python -m tests.benchmarks.endurance [--runs 300] [--hosts 20] --way cli|api|stay
    .venv/bin/python -m tests.benchmarks.endurance --way api --over sshd
    .venv/bin/python -m tests.benchmarks.endurance --way history --writers 3 --runs 500

cli: one command after another, as from a shell's loop. api: one process, by turns through
``fleetpush.deploy`` (a new event loop each time) and ``deploy_async`` in a loop that stays. stay: one process
and agents that stay from push to push, as in a play. history: processes that record scripted runs at once.

New content every time. After each run every host's copy is compared, and there must be nothing beside it, no
agent, no child, no temporary file, and as many descriptors, threads and asyncio tasks as after the others.
Memory is a line through the runs after the first fifth (least squares): its slope and the 95 % interval of
that, which holds for independent errors. objects: what Python's collector knows of, after a collection; they
show a leak long before the memory does. Ends with 1 if anything is left or lost, 0 otherwise; the slopes are
for the reader. ``--over sshd`` needs root and openssh-server.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from fleetpush.cli.values import size as parse_size
from fleetpush.deploy.cache import ENTRIES
from fleetpush.deploy.history.database import NAME, OF_A_RUN
from fleetpush.deploy.history.entry import KEPT_RUNS
from tests.benchmarks import slope
from tests.benchmarks.recording import record_at_once, size_of
from tests.e2e.hosts import agents, wait_until
from tests.fleet.sshd import missing, sshd_fleet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fleetpush.deploy.options import SshOptions

ROOT = Path(__file__).parents[2]
GONE_WITHIN = 10.0
"""Seconds in which an agent that was told to leave must be gone."""

COUNTS = ("descriptors", "threads", "tasks", "children")
"""What must be the same after every run; the rest may vary, and must not grow."""


class Fleet(NamedTuple):
    """Where hosts are, and what a deploy to them is told. ``homes`` in the order of the inventory."""

    work: Path
    inventory: Path
    homes: list[Path]
    dest: str
    flags: tuple[str, ...] = ()
    ssh: SshOptions | None = None

    @property
    def source(self) -> Path:
        return self.work / "model.pt"

    @property
    def state(self) -> Path:
        return self.work / "state"


class Way(Protocol):
    """How the deploys are made. Figures by name after each run."""

    def deploy(self) -> Mapping[str, float]: ...

    def close(self) -> None: ...


def main() -> int:
    options = _arguments()
    if options.way == "history":
        return record_at_once(options.writers, options.runs)
    if options.over == "sshd" and (problem := missing()):
        print(f"skipped: {problem}")
        return 0
    with _fleet(options.over, options.hosts) as fleet:
        way: Way = WAYS[options.way](fleet)
        with contextlib.closing(way):
            return _endure(way, fleet, options)


def _endure(way: Way, fleet: Fleet, options: argparse.Namespace) -> int:
    samples: list[Mapping[str, float]] = []
    faults: list[str] = []
    began = time.monotonic()
    for number in range(1, options.runs + 1):
        if options.minutes and time.monotonic() - began > options.minutes * 60:
            break
        content = os.urandom(parse_size(options.size))
        fleet.source.write_bytes(content)
        figures = dict(way.deploy())
        faults += [f"run {number}: {text}" for text in _left(fleet, content, options.way == "stay")]
        figures["history_kb"] = size_of(fleet.state) / 1024
        samples.append(figures)
        if number % 25 == 0:
            shown = ", ".join(f"{name} {value:.0f}" for name, value in figures.items())
            print(f"{number:4} runs in {time.monotonic() - began:.0f} s: {shown}", flush=True)
    faults += _grown(samples)
    if options.way != "stay":  # these are tasks of a play: their history is the play's
        faults += _unsound(fleet.state, len(samples), options.hosts)
    print(f"\n{len(samples)} deploys by {options.way} to {options.hosts} hosts over {options.over}")
    for name in samples[0]:
        print(slope.line(name, [sample[name] for sample in samples]))
    for fault in faults:
        print(f"FAULT {fault}")
    if options.json:
        document = {"way": options.way, "samples": samples, "faults": faults}
        options.json.write_text(json.dumps(document))
    return 1 if faults else 0


# -- the ways


class ByCommand:
    """A process a deploy."""

    def __init__(self, fleet: Fleet) -> None:
        self._words = [
            *(sys.executable, "-m", "fleetpush", "deploy", str(fleet.source)),
            *("-i", str(fleet.inventory), "--dest", fleet.dest, "--state-dir", str(fleet.state)),
            *("--progress", "quiet", *fleet.flags),
        ]

    def deploy(self) -> Mapping[str, float]:
        began = time.monotonic()
        process = subprocess.Popen(
            self._words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=ROOT
        )
        assert process.stdout is not None
        with process.stdout:
            said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"exit {process.returncode}:\n{said.decode()}")
        cpu = usage.ru_utime + usage.ru_stime
        return {
            "peak_rss_kb": usage.ru_maxrss,
            "cpu_ms": cpu * 1000,
            "wall_ms": (time.monotonic() - began) * 1000,
        }

    def close(self) -> None:
        pass


class ByApi:
    """This process, through both doors by turns."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._runner = asyncio.Runner()
        self._turn = 0

    def deploy(self) -> Mapping[str, float]:
        import fleetpush

        fleet = self._fleet
        self._turn += 1
        given = (fleet.source, fleet.inventory)
        keywords = {"dest": fleet.dest, "state_dir": fleet.state}
        if fleet.ssh is not None:
            keywords["ssh"] = fleet.ssh
        if self._turn % 2:
            report = fleetpush.deploy(*given, **keywords)
        else:
            report = self._runner.run(fleetpush.deploy_async(*given, **keywords))
        _require(report)
        return _own(self._runner.get_loop())

    def close(self) -> None:
        self._runner.close()


class ByStaying:
    """This process and agents that serve one push after another."""

    def __init__(self, fleet: Fleet) -> None:
        from fleetpush.deploy.fleet import choose
        from fleetpush.deploy.options import DeployOptions, SshOptions
        from fleetpush.deploy.sessions.fleet import Sessions

        self._fleet = fleet
        self._runner = asyncio.Runner()
        ssh = fleet.ssh or SshOptions()
        self._options = DeployOptions(
            sources=(str(fleet.source),),
            inventories=(str(fleet.inventory),),
            dest=fleet.dest,
            ssh=ssh,
        )
        self._places = choose(self._options, print)
        self._sessions = Sessions(ssh)
        targets = {place.name: place.target for place in self._places}

        async def begin() -> None:
            await self._sessions.__aenter__()
            assert await self._sessions.begin(targets) == {}

        self._runner.run(begin())

    def deploy(self) -> Mapping[str, float]:
        from fleetpush.deploy.runner import Run
        from fleetpush.deploy.sessions.enlistment import Gathering

        each = {place.name: self._sessions[place.name] for place in self._places}
        among = Gathering(self._places, each, self._sessions.connectors)

        async def push() -> None:
            _require(await Run(self._options, _Deaf(), among=among).execute())

        self._runner.run(push())
        return {**_own(self._runner.get_loop()), **self._agents()}

    def _agents(self) -> Mapping[str, float]:
        """Of all the agents together; the origin's, which lasts one push, is gone by then."""
        pids = _agents(self._fleet)
        return {
            "agents_rss_kb": sum(_status(pid, "VmRSS") for pid in pids) / max(1, len(pids)),
            "agents_descriptors": sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids),
            "agents_threads": sum(_status(pid, "Threads") for pid in pids),
        }

    def close(self) -> None:
        self._runner.run(self._sessions.__aexit__(None, None, None))
        self._runner.close()


class _Deaf:
    def handle(self, event: object) -> None:
        """Nobody watches."""


WAYS = {"cli": ByCommand, "api": ByApi, "stay": ByStaying}


def _require(report: object) -> None:
    if report.exit_code:  # type: ignore[attr-defined]  # RunReport is imported where it is wanted
        raise SystemExit(json.dumps(report.as_json(), indent=1))  # type: ignore[attr-defined]  # as above


# -- what is looked at


def _own(loop: asyncio.AbstractEventLoop) -> dict[str, float]:
    """This process, once what had ended is collected."""
    gc.collect()
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {
        "rss_kb": _status("self", "VmRSS"),
        "objects": len(gc.get_objects()),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": own_threads(),
        "tasks": len(asyncio.all_tasks(loop)),
        "children": len(children),
    }


def own_threads() -> int:
    """All but the workers of the loop that stays: it starts those as it likes, and keeps a few."""
    return sum(not thread.name.startswith("asyncio_") for thread in threading.enumerate())


def _status(pid: int | str, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _agents(fleet: Fleet) -> list[int]:
    return list(agents(fleet.work, *fleet.homes))


def _left(fleet: Fleet, content: bytes, stay: bool) -> Iterator[str]:
    """What is not as it should be after a run."""
    staying = len(fleet.homes) if stay else 0
    try:
        wait_until(lambda: len(_agents(fleet)) == staying, GONE_WITHIN, "agents gone")
    except AssertionError:
        yield f"{len(_agents(fleet)) - staying} agents are left"
    for home in fleet.homes:
        found = sorted(os.listdir(home))
        if found != [fleet.source.name]:
            yield f"{home} holds {found}"
        elif (home / fleet.source.name).read_bytes() != content:
            yield f"{home} has another content"
    for name in ("tmp", "state/running"):
        if (fleet.work / name).exists() and (found := os.listdir(fleet.work / name)):
            yield f"{name} holds {found[:5]}"


def _grown(samples: list[Mapping[str, float]]) -> Iterator[str]:
    """Numbers that must not change from run to run. The first runs load what is loaded once."""
    settled = samples[min(2, len(samples) - 1) :]
    for name in samples[0]:
        if name.removeprefix("agents_") in COUNTS and len({sample[name] for sample in settled}) > 1:
            yield f"{name}: {min(s[name] for s in settled):.0f} to {max(s[name] for s in settled):.0f}"


def _unsound(state: Path, runs: int, hosts: int) -> Iterator[str]:
    """What is wrong with the history after ``runs`` runs, all well, each of ``hosts`` hosts."""
    with contextlib.closing(sqlite3.connect(state / NAME)) as database:
        rows = {
            table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("runs", *OF_A_RUN, "files")
        }
        (sound,) = database.execute("PRAGMA integrity_check").fetchone()
        (ended,) = database.execute("SELECT count(*) FROM runs WHERE exit_code = 0").fetchone()
    kept = min(runs, KEPT_RUNS)
    print(f"history: integrity {sound}, rows {rows}, {size_of(state)} bytes")
    if sound != "ok":
        yield f"the history is damaged: {sound}"
    # A run ends before the next one begins, which is when older ones are forgotten.
    if (rows["runs"], ended, rows["hosts"]) != (kept, kept, kept * hosts):
        yield f"the history has {rows} with {ended} that ended well, of {kept} runs"
    cache = Path(os.environ["XDG_CACHE_HOME"]) / "fleetpush"
    entries = len(list(cache.glob("*"))) if cache.exists() else 0
    print(f"cache: {entries} entries")
    if entries > sum(ENTRIES.values()):
        yield f"the cache has {entries} entries"


# -- fleets


@contextlib.contextmanager
def _fleet(over: str, hosts: int) -> Iterator[Fleet]:
    """Homes, caches and temporary files of everything in one directory, which goes away afterwards."""
    work = Path(tempfile.mkdtemp(prefix="endurance-"))
    (work / "tmp").mkdir()
    places = {"HOME": work, "XDG_CACHE_HOME": work / "cache", "TMPDIR": work / "tmp"}
    os.environ.update({name: str(path) for name, path in places.items()})
    tempfile.tempdir = str(work / "tmp")
    try:
        if over == "local":
            yield _local(work, hosts)
            return
        tempfile.tempdir = None
        with contextlib.ExitStack() as stack:
            os.environ["TMPDIR"] = tempfile.gettempprefix() and "/tmp"
            fleet = stack.enter_context(sshd_fleet(hosts))
            os.environ["TMPDIR"] = tempfile.tempdir = str(work / "tmp")
            from fleetpush.deploy.options import SshOptions

            config = work / "ssh_config"
            config.write_text(f"Host *\n  UserKnownHostsFile {fleet.known_hosts}\n")
            homes = [fleet.home(number) for number in range(hosts)]
            ssh = SshOptions(known_hosts=fleet.known_hosts, ssh_config=Path(os.devnull))
            flags = ("--ssh-config", str(config))
            yield Fleet(work, fleet.inventory(work / "hosts.yaml"), homes, "model.pt", flags, ssh)
    finally:
        shutil.rmtree(work)


def _local(work: Path, hosts: int) -> Fleet:
    names = [f"h{number:03}" for number in range(1, hosts + 1)]
    homes = [work / "hosts" / name for name in names]
    for home in homes:
        home.mkdir(parents=True)
    inventory = work / "hosts.ini"
    inventory.write_text("".join(f"{name} ansible_connection=local\n" for name in names))
    return Fleet(work, inventory, homes, f"{work}/hosts/{{{{ inventory_hostname }}}}/model.pt")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--hosts", type=int, default=20)
    parser.add_argument("--way", choices=(*WAYS, "history"), required=True)
    parser.add_argument("--over", choices=("local", "sshd"), default="local")
    parser.add_argument("--size", default="256K")
    parser.add_argument("--minutes", type=float, default=0, help="begin no run after so many")
    parser.add_argument("--writers", type=int, default=3)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
