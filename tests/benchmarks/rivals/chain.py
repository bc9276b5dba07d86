"""A chain of bare sockets: what the links can carry when nobody fails, checks or listens in."""

from __future__ import annotations

import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.rivals import stage
from tests.benchmarks.rivals.troupe import Troupe

if TYPE_CHECKING:
    from tests.benchmarks.rivals.model import Fleet, Outcome

HOP = Path(__file__).with_name("chain_hop.py")
TIMEOUT = 600.0


class Chain:
    """Each host forwards to the next."""

    name = "chain"

    def missing(self) -> str | None:
        return None

    def run(self, lab: Fleet, source: Path, work: Path) -> Outcome:
        hop = [sys.executable, "-I", str(HOP)]
        size = source.stat().st_size
        following = {name: lab.hosts[after].address for name, after in pairwise(lab.hosts)}
        first = next(iter(lab.hosts.values()))
        with stage.folders(lab) as folders, Troupe(TIMEOUT) as troupe:
            copies = {name: folder / source.name for name, folder in folders.items()}
            for name, host in lab.hosts.items():
                words = ["forward", str(copies[name]), str(size), following.get(name, "")]
                troupe.start(name, host, [*hop, *words])
            troupe.start("origin", lab.origin, [*hop, "serve", str(source), first.address])
            troupe.hear(["origin", *lab.hosts], "ready")
            before, start = stage.Spent.until_now(lab), time.monotonic()
            troupe.tell(["origin"], "serve")
            end = troupe.hear(lab.hosts, "complete")
            after = stage.Spent.until_now(lab)
            troupe.end()
            return stage.outcome(lab, source, copies, end - start, before, after)
