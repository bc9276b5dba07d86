"""The README's picture: the live view of a real deploy to an embedded fleet, caught half-way.

.venv/bin/python -m tests.benchmarks.picture [--hosts 120] [--size 24M] [FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fleetpush.cli.values import size as parse_size
from fleetpush.demo.fleet import EmbeddedFleet
from fleetpush.deploy.options import DeployOptions, SshOptions
from fleetpush.deploy.runner import Run
from fleetpush.report.state import RunState
from fleetpush.report.svg import live_svg

if TYPE_CHECKING:
    from fleetpush.deploy.progress import Event

CAUGHT_AT = 0.55
WEB_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


class Camera:
    """An observer that keeps the first frame after ``CAUGHT_AT`` of all bytes."""

    def __init__(self) -> None:
        self.state = RunState()
        self.svg = ""

    def handle(self, event: Event) -> None:
        self.state.fold(event)
        done, total = self.state.bytes_done, self.state.bytes_total
        if total and done > CAUGHT_AT * total and not self.svg:
            self.svg = live_svg(
                self.state, event.at, width=100, height=18, title="fleetpush deploy"
            )


async def take(hosts: int, size: int) -> str:
    """The picture of one real run."""
    camera = Camera()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "model.pt"
        source.write_bytes(os.urandom(size))
        async with EmbeddedFleet(Path(folder) / "fleet", hosts) as fleet:
            ssh = SshOptions(known_hosts=fleet.known_hosts, ssh_config=Path("none"))
            options = DeployOptions(
                sources=(str(source),),
                inventories=(str(fleet.inventory),),
                ssh=ssh,
                bwlimit=size // 8,
            )
            await Run(options, camera).execute()
    # A picture must not fetch fonts from anywhere.
    return WEB_FONTS.sub("", camera.svg)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=120)
    parser.add_argument("--size", type=parse_size, default=parse_size("24M"))
    parser.add_argument("file", nargs="?", default=".github/live.svg")
    options = parser.parse_args()
    Path(options.file).write_text(asyncio.run(take(options.hosts, options.size)))


if __name__ == "__main__":
    main()
