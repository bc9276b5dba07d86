"""An ordinary deploy to an embedded fleet, and the proof that it did what it says."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fleetpush.demo.fleet import EmbeddedFleet
from fleetpush.deploy.options import DeployOptions, SshOptions, Topology
from fleetpush.deploy.runner import Run
from fleetpush.errors import InputError
from fleetpush.inventory import nodeset

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleetpush.deploy.progress import Observer
    from fleetpush.deploy.results import RunReport

SOURCE_NAME = "demo.bin"
_SPARE_BYTES = 64 << 20
_WRITE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class DemoSettings:
    """``size`` of the file in bytes. ``keep`` leaves the hosts' homes to be looked at."""

    hosts: int = 12
    size: int = 64 << 20
    topology: Topology = "auto"
    encrypt: bool = True
    keep: bool = False


@dataclass(frozen=True)
class DemoOutcome:
    """``proof``: lines for the operator, found by looking at the homes after the fleet was gone."""

    report: RunReport
    proof: list[str]
    ok: bool


async def demo(
    settings: DemoSettings, observer: Observer, on_run: Callable[[Run], None]
) -> DemoOutcome:
    """Makes a fleet and a random file, deploys it, looks at what came of it, and cleans up.

    ``on_run`` is given the run before it starts, so that a signal can stop it. Raises InputError where
    this machine cannot hold the fleet, and whatever the run raises.
    """
    root = Path(tempfile.mkdtemp(prefix="fleetpush-demo-"))
    try:
        _require_space(root, settings)
        source = root / SOURCE_NAME
        digest = await asyncio.to_thread(_write_random, source, settings.size)
        async with EmbeddedFleet(root / "fleet", settings.hosts) as fleet:
            run = Run(_deploy_options(settings, source, fleet), observer)
            on_run(run)
            report = await run.execute()
        proof, proved = await asyncio.to_thread(_prove, fleet, digest)
    finally:
        if not settings.keep:
            shutil.rmtree(root)
    if settings.keep:
        proof.append(f"kept for you to look at: {root}")
    return DemoOutcome(report, proof, proved and report.exit_code == 0)


def _deploy_options(settings: DemoSettings, source: Path, fleet: EmbeddedFleet) -> DeployOptions:
    return DeployOptions(
        sources=(str(source),),
        inventories=(str(fleet.inventory),),
        # The operator's own SSH configuration is about other machines.
        ssh=SshOptions(known_hosts=fleet.known_hosts, ssh_config=Path(os.devnull)),
        topology=settings.topology,
        encrypt=settings.encrypt,
    )


def _require_space(root: Path, settings: DemoSettings) -> None:
    needed = settings.size * (settings.hosts + 1) + _SPARE_BYTES
    free = shutil.disk_usage(root).free
    if free < needed:
        raise InputError(
            f"the demo needs {needed >> 20} MiB in {root.parent} for one file and {settings.hosts} copies;"
            f" {free >> 20} MiB are free. Take fewer hosts, a smaller file, or another TMPDIR.",
            slug="no_space",
        )


def _write_random(path: Path, size: int) -> str:
    """Fills ``path`` with ``size`` random bytes; returns their SHA-256 in hex."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for start in range(0, size, _WRITE):
            block = os.urandom(min(_WRITE, size - start))
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def _prove(fleet: EmbeddedFleet, wanted: str) -> tuple[list[str], bool]:
    """What the homes hold now, in lines, and whether that is the file and nothing but the file."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        digests = list(pool.map(lambda host: _sha256(host.home / SOURCE_NAME), fleet.hosts))
    holders = defaultdict(list)
    for host, digest in zip(fleet.hosts, digests, strict=True):
        holders[digest].append(host.name)
    lines = [
        f"{digest}  {SOURCE_NAME} on {nodeset.fold(names)} ({len(names)})"
        + ("" if digest == wanted else ": not what was sent")
        for digest, names in holders.items()
        if digest is not None
    ]
    if None in holders:
        lines.append(f"no copy on {nodeset.fold(holders[None])} ({len(holders[None])})")
    left = _left_behind(fleet)
    lines += left or ["nothing else is left: no other file in any home, no process on any host"]
    return lines, set(holders) == {wanted} and not left


def _left_behind(fleet: EmbeddedFleet) -> list[str]:
    lines = []
    for host in fleet.hosts:
        names = sorted(path.name for path in host.home.iterdir() if path.name != SOURCE_NAME)
        if names:
            lines.append(f"left behind on {host.name}: {', '.join(names)}")
    if fleet.killed:
        lines.append(f"left running and killed with the fleet: {fleet.killed} processes")
    return lines


def _sha256(path: Path) -> str | None:
    """In hex; None where there is no such file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
