"""libtorrent: a session on every host, all of which know each other's addresses."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.rivals import stage
from tests.benchmarks.rivals.torrent import torrent
from tests.benchmarks.rivals.troupe import Troupe
from tests.benchmarks.setup import PYTHON, missing_module

if TYPE_CHECKING:
    from tests.benchmarks.rivals.model import Fleet, Outcome

SESSION = Path(__file__).with_name("libtorrent_session.py")
PIECE = 256 * 1024
# Nothing tells when all have met; the clock starts after this.
SETTLE = 3.0
TIMEOUT = 600.0


class Libtorrent:
    """Every piece is verified by its SHA-1. The clock starts with the seed's offer; sessions run before."""

    name = "libtorrent"

    def missing(self) -> str | None:
        return missing_module("libtorrent")

    def run(self, lab: Fleet, source: Path, work: Path) -> Outcome:
        file = work / "file.torrent"
        file.write_bytes(torrent(source, PIECE).content)
        session = [str(PYTHON), "-I", str(SESSION)]
        addresses = [host.address for host in lab.hosts.values()]
        with stage.folders(lab) as folders, Troupe(TIMEOUT) as troupe:
            copies = {name: folder / source.name for name, folder in folders.items()}
            for index, (name, host) in enumerate(lab.hosts.items()):
                # Each calls those before it: one connection for each pair.
                words = ["fetch", str(file), str(folders[name]), *addresses[:index]]
                troupe.start(name, host, [*session, *words])
            words = ["seed", str(file), str(source.parent), *addresses]
            troupe.start("origin", lab.origin, [*session, *words])
            troupe.hear(["origin", *lab.hosts], "ready")
            time.sleep(SETTLE)
            before, start = stage.Spent.until_now(lab), time.monotonic()
            troupe.tell(["origin"], "offer")
            end = troupe.hear(lab.hosts, "complete")
            after = stage.Spent.until_now(lab)
            troupe.end()
            return stage.outcome(lab, source, copies, end - start, before, after)
