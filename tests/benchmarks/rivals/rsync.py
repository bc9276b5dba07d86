"""A star of rsync: the origin sends to every host at once. A daemon on each host spares it the logins."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.benchmarks.rivals import stage
from tests.benchmarks.rivals.troupe import Troupe
from tests.benchmarks.setup import missing_program

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.rivals.model import Fleet, Outcome

PORT = 8730
TIMEOUT = 900.0
# Clear and from anywhere, in namespaces that nobody else reaches.
CONFIG = """\
port = {port}
address = {address}
use chroot = no
uid = {user}
gid = {user}
[copy]
path = {folder}
read only = no
"""


class Rsync:
    """Whole files, no compression: nothing is there to compare with, and random bytes do not shrink."""

    name = "rsync"

    def missing(self) -> str | None:
        return missing_program("rsync")

    def run(self, lab: Fleet, source: Path, work: Path) -> Outcome:
        with stage.folders(lab) as folders, Troupe(TIMEOUT) as troupe:
            copies = {name: folder / source.name for name, folder in folders.items()}
            for name, host in lab.hosts.items():
                config = work / f"{name}.conf"
                config.write_text(
                    CONFIG.format(port=PORT, address=host.address, folder=folders[name], user=0)
                )
                log = f"--log-file={work / name}.log"
                command = ["rsync", "--daemon", "--no-detach", f"--config={config}", log]
                troupe.start(name, host, command)
            for name in lab.hosts:
                troupe.bound(name, PORT)
            senders = {f"to-{name}": host for name, host in lab.hosts.items()}
            before, start = stage.Spent.until_now(lab), time.monotonic()
            for name, host in senders.items():
                target = f"rsync://{host.address}:{PORT}/copy/"
                troupe.start(
                    name, lab.origin, ["rsync", "--whole-file", "--inplace", str(source), target]
                )
            end = troupe.see_out(senders)
            after = stage.Spent.until_now(lab)
            troupe.end()
            return stage.outcome(lab, source, copies, end - start, before, after)
