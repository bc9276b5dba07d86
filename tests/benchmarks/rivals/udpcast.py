"""udpcast: one sender, every host a receiver of the same multicast; what is lost is asked for again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.benchmarks.rivals import stage
from tests.benchmarks.rivals.troupe import Troupe
from tests.benchmarks.setup import missing_program
from tests.lab.netns import DEVICE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.rivals.model import Fleet, Outcome

PORT = 9000
TIMEOUT = 600.0


class Udpcast:
    """Full duplex, which switches and veth pairs are. The network must carry multicast."""

    name = "udpcast"

    def missing(self) -> str | None:
        return missing_program("udp-sender")

    def run(self, lab: Fleet, source: Path, work: Path) -> Outcome:
        # Its default way to find each other, the broadcast address, needs an interface that was given one.
        alike = ["--interface", DEVICE, "--no-progress", "--mcast-rdv-address", "224.0.0.1"]
        with stage.folders(lab) as folders, Troupe(TIMEOUT) as troupe:
            copies = {name: folder / source.name for name, folder in folders.items()}
            for name, host in lab.hosts.items():
                command = [
                    "udp-receiver",
                    "--file",
                    str(copies[name]),
                    *alike,
                    "--nokbd",
                    "--nosync",
                ]
                troupe.start(name, host, command)
            for name in lab.hosts:
                troupe.bound(name, PORT)
            command = ["udp-sender", "--file", str(source), *alike, "--full-duplex"]
            troupe.start("sender", lab.origin, command)
            troupe.hear(lab.hosts, "Listening to multicast")
            before, start = stage.Spent.until_now(lab), time.monotonic()
            troupe.tell(
                ["sender"], "any key starts it"
            )  # on its own it would wait for two seconds more
            end = troupe.hear(lab.hosts, "Transfer complete.")
            after = stage.Spent.until_now(lab)
            troupe.end()
            return stage.outcome(lab, source, copies, end - start, before, after)
