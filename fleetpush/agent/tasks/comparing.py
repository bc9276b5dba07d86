"""Whether this host has the content of a push already: what a look beforehand asks."""

from __future__ import annotations

import os
from hashlib import sha256

from fleetpush.agent.destination import open_old
from fleetpush.agent.files import SLICE
from fleetpush.agent.place import Place, explained, targets
from fleetpush.agent.tasks.releasing import Files
from fleetpush.swarm.manifest import File

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from typing import Any


def compare(arguments: dict[str, Any], stop: threading.Event) -> dict[str, Any]:
    """``files`` are path, size and SHA-256 in hex, below ``dest``; ``same``: all are as they would be.

    Raises HostError for a destination that a push would refuse.
    """
    files = [File(path, size) for path, size, _ in arguments["files"]]
    place = Place(arguments["dest"], None, None, None, os.path.expanduser("~"))
    wanted = [digest for _, _, digest in arguments["files"]]
    for target, file, digest in zip(targets(Files(files), place), files, wanted):  # type: ignore[arg-type]  # paths alone count
        with explained(target.path):
            fd = open_old(target, file.size)[0]
            if fd < 0:
                return {"same": False}
            try:
                found = _digest(fd, stop)
            finally:
                os.close(fd)
        if found != digest:
            return {"same": False}
    return {"same": True}


def _digest(fd: int, stop: threading.Event) -> str:
    digest = sha256()
    room = memoryview(bytearray(SLICE))
    while not stop.is_set():
        size = os.readv(fd, [room])
        if not size:
            break
        digest.update(room[:size])
    return digest.hexdigest()
