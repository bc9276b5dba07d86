"""What users would pick instead of fleetpush, each with the best settings found, on the same work.

``RIVALS`` names them. Each is given a lab, throttled or not, and brings one file to every host of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.rivals.aria2 import Aria2
from tests.benchmarks.rivals.chain import Chain
from tests.benchmarks.rivals.libtorrent_client import Libtorrent
from tests.benchmarks.rivals.model import Fleet, Outcome, Rival, RivalError
from tests.benchmarks.rivals.rsync import Rsync
from tests.benchmarks.rivals.udpcast import Udpcast

if TYPE_CHECKING:
    from collections.abc import Callable

RIVALS: dict[str, Callable[[], Rival]] = {
    "aria2": Aria2,
    "libtorrent": Libtorrent,
    "udpcast": Udpcast,
    "chain": Chain,
    "rsync": Rsync,
}

__all__ = ["RIVALS", "Fleet", "Outcome", "Rival", "RivalError"]
