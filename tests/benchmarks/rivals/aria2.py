"""aria2c: a BitTorrent client on every host, an opentracker beside the origin."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.benchmarks.rivals import stage
from tests.benchmarks.rivals.torrent import torrent
from tests.benchmarks.rivals.troupe import Troupe
from tests.benchmarks.setup import missing_program

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.rivals.model import Fleet, Outcome

PIECE = 256 * 1024
TRACKER_PORT = 6969
PORT = 6881
# Nothing tells when all have met; the clock starts after this.
SETTLE = 3.0
TIMEOUT = 600.0

OPTIONS = {
    "no-conf": "true",
    "quiet": "true",
    "disable-ipv6": "true",
    "enable-dht": "false",
    "enable-dht6": "false",
    "async-dns": "false",
    "listen-port": str(PORT),
    "seed-ratio": "0",
    "bt-max-peers": "0",
    "bt-request-peer-speed-limit": "1024M",
    "bt-tracker-interval": "1",
    "bt-seed-unverified": "true",
    "file-allocation": "none",
    "disk-cache": "64M",
}


class Aria2:
    """Hosts wait for a peer that has something; the clock starts with the origin's client."""

    name = "aria2"

    def missing(self) -> str | None:
        return missing_program("aria2c") or missing_program("opentracker")

    def run(self, lab: Fleet, source: Path, work: Path) -> Outcome:
        where = lab.origin.address
        known = torrent(source, PIECE, f"http://{where}:{TRACKER_PORT}/announce")
        file = work / "file.torrent"
        file.write_bytes(known.content)
        # Debian's opentracker serves only torrents that are listed, and reads the list as "nobody".
        work.chmod(0o755)
        listed = work / "listed"
        listed.write_text(known.info_hash + "\n")
        listed.chmod(0o644)
        seed = work / "seed"
        seed.mkdir()
        (seed / source.name).symlink_to(source)
        hook = work / "hook"
        hook.write_text("#!/bin/sh\necho complete\n")
        hook.chmod(0o755)
        options = [f"--{key}={value}" for key, value in OPTIONS.items()]
        client = ["aria2c", *options, f"--on-bt-download-complete={hook}", str(file)]
        with stage.folders(lab) as folders, Troupe(TIMEOUT) as troupe:
            copies = {name: folder / source.name for name, folder in folders.items()}
            tracker = ["opentracker", "-i", where, "-p", str(TRACKER_PORT), "-w", str(listed)]
            troupe.start("tracker", lab.origin, tracker)
            troupe.bound("tracker", TRACKER_PORT)
            for name, host in lab.hosts.items():
                troupe.start(name, host, [*client, f"--dir={folders[name]}"])
            for name in lab.hosts:
                troupe.bound(name, PORT)
            time.sleep(SETTLE)
            before, start = stage.Spent.until_now(lab), time.monotonic()
            troupe.start("origin", lab.origin, [*client, f"--dir={seed}"])
            end = troupe.hear(lab.hosts, "complete")
            after = stage.Spent.until_now(lab)
            troupe.end()
            return stage.outcome(lab, source, copies, end - start, before, after)
