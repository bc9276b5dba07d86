"""What one command costs for each host apart from SSH, and where one process ends: no host is there.

    .venv/bin/python -m tests.benchmarks.tracking [--hosts 1000 3000 10000] [--topology mesh|tree] [--racks 1]

All of a deploy runs as ever (inventory, certificates, bootstrap, tracker, reports, history) but for the
connections: behind each is an agent of a few lines that says what a real one says, and at once. So the
time is all processor time of the command. Each size runs in a process of its own, for its memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleetpush.deploy import runner
from fleetpush.deploy.history.recorder import history_or_none, remembering
from fleetpush.deploy.options import DeployOptions, Topology

if TYPE_CHECKING:
    from fleetpush.deploy.progress import Event
    from fleetpush.remote.connection import Process, ProcessHandler, Target
    from fleetpush.remote.settings import SshSettings

REPORTS = 8
"""Progress messages of each host: what one sends in the first seconds, or at 10,000 in three minutes."""


class Agent:
    """Says all that a host's agent says in a run in which nothing goes wrong."""

    def __init__(self, name: str, handler: ProcessHandler, totals: Totals) -> None:
        self._name = name
        self._handler = handler
        self._totals = totals
        self._loop = asyncio.get_running_loop()
        self._begun = False

    def write(self, data: bytes) -> None:
        if not self._begun:
            self._begun = True
            self._totals.payload += len(data)
            self._loop.call_soon(self._greet, data)
            return
        self._totals.told += len(data)
        if b'"do":"leave"' in data:
            self._loop.call_soon(self._handler.ended, 0, "")

    def _greet(self, data: bytes) -> None:
        config = _config_in(data)
        self._chunks, self._digest = config["chunks"], config["digest"]
        self._handler.stdout(f"\n{config['marker']}\n".encode())
        port = 47600
        self._say({"is": "hello", "port": port, "address": self._name, "inside": "", "caller": ""})
        held = bytes([255]) if config["role"] == "origin" else bytes(1)
        have = held * (self._chunks // 8)
        self._say({"is": "ready", "have": have.hex(), "present": False})
        if config["role"] == "host":
            self._loop.call_soon(self._report, 1)

    def _report(self, number: int) -> None:
        names = ("done", "in", "out", "links", "cross", "content_in", "content_out")
        self._say({"is": "progress", **dict.fromkeys(names, 8 * number)})
        if number < REPORTS:
            self._loop.call_soon(self._report, number + 1)
            return
        self._say({"is": "complete"})
        self._say({"is": "verified", "digest": self._digest})
        self._say({"is": "activated", "changed": True})

    def _say(self, message: dict[str, Any]) -> None:
        line = json.dumps(message).encode() + b"\n"
        self._totals.said += len(line)
        self._handler.stdout(line)

    def write_eof(self) -> None:
        """As ``Process``."""

    def unsent(self) -> int:
        return 0

    def kill(self) -> None:
        self._loop.call_soon(self._handler.ended, None, "killed")


class Totals:
    """Bytes: the agents' code and configuration, what they are told afterwards, and what they say."""

    payload = told = said = events = 0


def _config_in(payload: bytes) -> dict[str, Any]:
    """An agent's configuration, and of its manifest what it has to say."""
    from hashlib import sha256

    start = (
        payload.rindex(b'{"version"')
        if payload.count(b'{"version"')
        else payload.rindex(b'{"role"')
    )
    config, end = json.JSONDecoder().raw_decode(payload[start:].decode("latin-1"))
    manifest = payload[start + end :]
    head = 8 + int.from_bytes(manifest[4:8], "big")
    chunks = (len(manifest) - head) // 32
    return {**config, "chunks": chunks, "digest": sha256(manifest).hexdigest()}


class Connection:
    """As a plugin's."""

    def __init__(self, target: Target, totals: Totals) -> None:
        self._name = target.name
        self._totals = totals

    async def start(self, command: str, handler: ProcessHandler) -> Process:
        return Agent(self._name, handler, self._totals)

    async def forward(self, address: str, port: int) -> Any:
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing is open."""


def run_one(hosts: int, topology: Topology, racks: int) -> dict[str, Any]:
    """One deploy to ``hosts`` that are not there."""
    totals = Totals()

    class Connectors:
        warnings: tuple[str, ...] = ()

        def __init__(self, settings: SshSettings) -> None:
            self._handshakes = asyncio.Semaphore(settings.forks)

        async def connect(self, target: Target) -> Connection:
            async with self._handshakes:
                await asyncio.sleep(0)
            return Connection(target, totals)

        async def close(self) -> None:
            """Nothing is open."""

    class Count:
        def handle(self, event: Event) -> None:
            totals.events += 1

    runner.Connectors = Connectors  # type: ignore[misc,assignment]  # the only thing that is not real
    runner.raise_fd_limit = lambda needed: None  # three files a host that nobody opens here
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        source, inventory = Path(folder, "model.pt"), Path(folder, "fleet.yaml")
        source.write_bytes(os.urandom(1000 * 65536))
        each = {f"n{i}": {"fleetpush_rack": f"r{i % racks}"} for i in range(hosts)}
        inventory.write_text(json.dumps({"all": {"hosts": each}}))
        options = DeployOptions(
            sources=(str(source),),
            inventories=(str(inventory),),
            topology=topology,
            chunk_size=65536,
        )

        async def work() -> Any:
            history = history_or_none(Path(folder, "state"), print)
            async with remembering(history, options, Count(), print) as (recorder, memory):
                return await runner.Run(options, recorder, memory=memory).execute()

        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began, cpu = time.monotonic(), time.process_time()
        report = asyncio.run(work())
        used = time.process_time() - cpu
    good = sum(result.status.good for result in report.results)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "hosts": hosts,
        "verified": good,
        "wall_s": time.monotonic() - began,
        "cpu_ms_a_host": 1000 * used / hosts,
        "peak_mb": peak / 1024,
        "kb_a_host": (peak - before) / hosts,
        "payload_kb_a_host": totals.payload / hosts / 1000,
        "told_kb_a_host": totals.told / hosts / 1000,
        "said_kb_a_host": totals.said / hosts / 1000,
        "events_a_host": totals.events / hosts,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, nargs="+", default=[1000, 3000, 10_000])
    parser.add_argument("--topology", choices=["mesh", "tree", "star"], default="mesh")
    parser.add_argument("--racks", type=int, default=1)
    parser.add_argument("--alone", action="store_true", help="in this process, as JSON")
    given = parser.parse_args()
    if given.alone:
        print(json.dumps(run_one(given.hosts[0], given.topology, given.racks)))
        return 0
    code = 0
    for hosts in given.hosts:
        words = ["--hosts", str(hosts), "--topology", given.topology, "--racks", str(given.racks)]
        command = [sys.executable, "-m", "tests.benchmarks.tracking", "--alone", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stderr, file=sys.stderr)
            return 1
        found = json.loads(done.stdout.splitlines()[-1])
        code |= found["verified"] != hosts
        print("  ".join(f"{name} {value:,.1f}" for name, value in found.items()), flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
