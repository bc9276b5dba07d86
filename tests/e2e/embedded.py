"""An operator whose hosts are an embedded fleet: the real command line against real SSH, without root."""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from fleetpush.demo.fleet import EmbeddedFleet
from tests.e2e.desk import COMMAND

if TYPE_CHECKING:
    from types import TracebackType


class Ended(NamedTuple):
    """How a command ended."""

    exit: int
    stdout: str
    stderr: str


class EmbeddedDesk:
    """An async context. The hosts are called demo-0001 and so on."""

    def __init__(self, root: Path, hosts: int) -> None:
        self.root = root
        self.fleet = EmbeddedFleet(root / "fleet", hosts)
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(root),
            "PYTHONPATH": str(Path.cwd()),
        }

    async def __aenter__(self) -> Self:
        await self.fleet.__aenter__()
        (self.root / "ssh_config").write_text(
            f"Host *\n  UserKnownHostsFile {self.fleet.known_hosts}\n"
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.fleet.__aexit__(kind, error, trace)

    def source(self, size: int, name: str = "model.pt") -> Path:
        path = self.root / name
        path.write_bytes(os.urandom(size))
        return path

    def copies(self, source: Path) -> list[str]:
        """The hosts whose copy is ``source``'s, byte for byte."""
        content = source.read_bytes()
        return [
            host.name
            for host in self.fleet.hosts
            if (path := host.home / source.name).exists() and path.read_bytes() == content
        ]

    async def deploy(
        self, source: Path, *flags: str, limit: str = "all", env: dict[str, str] | None = None
    ) -> Ended:
        """``fleetpush deploy`` to its end, with ``env`` beside what a bare environment has."""
        words = ["deploy", str(source), "-i", str(self.fleet.inventory), "-l", limit]
        words += ["--ssh-config", str(self.root / "ssh_config"), *flags]
        process = await asyncio.create_subprocess_exec(
            *(*COMMAND, *words),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            cwd=self.root,
            env=self.env | (env or {}),
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(), 100)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return Ended(process.returncode or 0, out.decode(), err.decode())
