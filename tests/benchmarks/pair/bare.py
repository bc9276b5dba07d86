"""The floor: bare Python processes that read, send, receive, hash and write, and do nothing else."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleetpush.deploy.identity import RunIdentity
from fleetpush.remote.bootstrap import CANDIDATES
from tests.benchmarks.machine import Cpu
from tests.benchmarks.pair.model import Transfer, TransferError

if TYPE_CHECKING:
    from collections.abc import Sequence

HOP = Path(__file__).with_name("hop.py")
PATIENCE = 600.0


class Bare:
    """Two processes, or with ``relay`` three; ``take``: bytes that are read, sent and passed on at once.

    They run in the Python that an agent would.
    """

    def __init__(self, *, encrypt: bool, relay: bool, take: int) -> None:
        self.name = self.against = f"{'tls' if encrypt else 'clear'} bare"
        self._hop = [_python(), "-I", "-S", str(HOP)]
        self._encrypt = encrypt
        self._places = ["sender", "relay", "receiver"] if relay else ["sender", "receiver"]
        self._take = str(take)

    def run(self, source: Path, work: Path) -> Transfer:
        papers = str(_papers(work)) if self._encrypt else "-"
        size = str(source.stat().st_size)
        processes: dict[str, subprocess.Popen[str]] = {}
        port = ""
        try:
            for place in reversed(self._places):
                target = ["127.0.0.1", port] if port else []
                if place == "sender":
                    words = ["send", str(source), *target]
                else:
                    verb = "relay" if port else "receive"
                    words = [verb, str(work / place), size, *target]
                processes[place] = self._start([*words, papers, self._take])
                if place != "sender":
                    port = _line(processes[place])
            said = {place: json.loads(_line(processes[place])) for place in self._places}
        finally:
            for process in processes.values():
                process.terminate()
                process.communicate()
        return _transfer(said)

    def _start(self, words: Sequence[str]) -> subprocess.Popen[str]:
        env = {"PATH": os.environ["PATH"]}
        return subprocess.Popen([*self._hop, *words], stdout=subprocess.PIPE, text=True, env=env)


def _python() -> str:
    found = next(filter(None, map(shutil.which, CANDIDATES)), None)
    if found is None:
        raise TransferError("no Python found where a deploy looks for one")
    return found


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        raise TransferError("a bare process ended early")
    return line


def _transfer(said: dict[str, dict[str, Any]]) -> Transfer:
    began = said["sender"]["began"]
    cpu = {place: Cpu(one["user"], one["system"]) for place, one in said.items()}
    makespan, moved = (
        max(one[what] for one in said.values()) - began for what in ("ended", "moved")
    )
    return Transfer(makespan, moved, cpu)


def _papers(work: Path) -> Path:
    """A run's certificate, as a deploy makes it."""
    identity = RunIdentity(secrets.token_hex(16))
    certificate, key = identity.issue("everybody")
    path = work / "papers.pem"
    path.touch(mode=0o600)
    path.write_bytes(certificate + key + identity.ca_pem)
    return path
