"""A look at one host before a deploy: what ``fleetpush check`` asks of it. Writes nothing, leaves nothing.

Shipped instead of the agent and told things the same way: a JSON configuration, then control messages. It
says what it found (hello), calls other probes when told to (dial), and goes when told to, or with its lease.
"""

from __future__ import annotations

import errno
import os
import queue
import socket
import sys
import threading
import time

from fleetpush.agent.control import Control
from fleetpush.agent.descent import descend
from fleetpush.agent.destination import open_old
from fleetpush.agent.listening import announced
from fleetpush.agent.place import Place, explained, targets
from fleetpush.errors import HostError
from fleetpush.net.binding import bound
from fleetpush.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LEASE = 20.0
"""Seconds without a word from the CLI after which the probe goes."""

PATIENCE = 3.0
"""Seconds that a call to another probe may take."""

_NO_TMPFILE = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL)
"""What filesystems and kernels without nameless files answer."""


class Content(Record):
    """What would be deployed, as far as a place cares."""

    __slots__ = ("files",)

    def __init__(self, files: list[PlannedFile]) -> None:
        self.files = files


class PlannedFile(Record):
    """A file's path below the destination, and its bytes."""

    __slots__ = ("path", "size")

    def __init__(self, path: str, size: int) -> None:
        self.path = path
        self.size = size


def look_at_destination(config: dict[str, Any]) -> dict[str, Any]:
    """The destination's path, and the bytes free there. Raises HostError for what a deploy would refuse."""
    place = Place(config["dest"], None, None, None, os.path.expanduser("~"))
    content = Content([PlannedFile(path, size) for path, size in config["files"]])
    free = missing = 0
    path = place.dest
    for target, file in zip(targets(content, place), content.files):  # type: ignore[arg-type]
        path = target.path
        with explained(path):
            old = open_old(target, -1)[1]
            directory = _nearest(os.path.join(target.directory, *target.below))
            os.close(descend(directory))  # a link that root would not follow
            _try_to_write(directory)
            disk = os.statvfs(directory)
        # Root may use what the filesystem keeps back for it.
        free = (disk.f_bavail if os.geteuid() else disk.f_bfree) * disk.f_frsize
        if old is None or old.st_size != file.size:  # else it may be there already
            missing += file.size
    if missing > free:
        text = f"needs {missing >> 20:,} MiB and its filesystem has {free >> 20:,} MiB free"
        raise HostError("disk_full", f"{path}: {text}; make room there or choose another --dest")
    return {"path": path, "free": free}


def _nearest(path: str) -> str:
    """``path``, or what there is of it: the rest would be made."""
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    return path


def _try_to_write(directory: str) -> None:
    """Makes a file without a name, which no crash can leave behind. Raises OSError."""
    nameless = getattr(os, "O_TMPFILE", 0)
    if nameless:
        try:
            os.close(os.open(directory, nameless | os.O_WRONLY | os.O_CLOEXEC, 0o600))
            return
        except OSError as error:
            if error.errno not in _NO_TMPFILE:
                raise
    if not os.path.isdir(directory):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), directory)
    if not os.access(directory, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), directory)


class Door:
    """Listens where the agent would, and tells each caller the run's token."""

    def __init__(self, address: str, ports: tuple[int, int], token: str) -> None:
        """Raises OSError where no port of the range is free."""
        self.inside = address
        try:
            self._socket = _listen(address, ports)
        except OSError:
            # The announced address may be a router's.
            self._socket = _listen("", ports)
            self.inside = "127.0.0.1"
        self._token = token.encode()
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._answer, name="door", daemon=True).start()

    def _answer(self) -> None:
        while True:
            try:
                caller = self._socket.accept()[0]
            except OSError:
                time.sleep(0.2)
                continue
            with caller:
                try:
                    caller.settimeout(PATIENCE)
                    caller.sendall(self._token)
                except OSError:
                    pass


def _listen(address: str, ports: tuple[int, int]) -> socket.socket:
    first, last = ports
    count = last - first + 1
    start = int.from_bytes(os.urandom(4), "big")
    for step in range(count):
        try:
            return bound(address, first + (start + step) % count)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def call(address: str, port: int, token: str) -> str:
    """Calls another probe; what went wrong, "" if nothing."""
    wanted = token.encode()
    try:
        with socket.create_connection((address, port), PATIENCE) as sock:
            heard = b""
            while len(heard) < len(wanted):
                data = sock.recv(len(wanted) - len(heard))
                if not data:
                    break
                heard += data
    except socket.timeout:
        return "timed out"
    except OSError as error:
        return os.strerror(error.errno) if error.errno else str(error)
    except (TypeError, ValueError, OverflowError) as error:
        return f"no address: {error}"
    return "" if heard == wanted else "something else answers there"


def dial(calls: list[dict[str, Any]], token: str) -> dict[str, str]:
    """All ``calls`` at once; what went wrong by host id, "" if nothing."""
    found: dict[str, str] = {}

    def one(host: str, address: str, port: int) -> None:
        found[host] = call(address, port, token)

    places = [(to["host"], to["address"], to["port"]) for to in calls]
    threads = [threading.Thread(target=one, args=place, daemon=True) for place in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def greeting(config: dict[str, Any]) -> dict[str, Any]:
    """What this host is like; ``failed`` names the first thing that would end a deploy here."""
    said: dict[str, Any] = {
        "is": "hello",
        "python": "{}.{}.{}".format(*sys.version_info[:3]),
        "address": "",
        "time": time.time(),
        "inside": "",
        "port": 0,
        "dest": "",
        "free": 0,
    }
    try:
        address = said["address"] = announced(config)
        first, last = config["ports"]
        try:
            door = Door(address, (first, last), config["token"])
            said["port"], said["inside"] = door.port, door.inside
        except OSError as error:
            text = f"no peer port to be had from {first} to {last}: {error.strerror}"
            raise HostError("no_peer_port", text) from error
        found = look_at_destination(config)
        said["dest"], said["free"] = found["path"], found["free"]
    except HostError as error:
        said["failed"] = {"slug": error.failure.slug, "message": error.failure.message}
    return said


def main() -> None:
    """Called by the bootstrap with the archive's bytes already consumed from stdin."""
    threading.stack_size(256 * 1024)
    told: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    control = Control(LEASE, told.put, lambda reason, wrong: told.put({} if wrong else None))
    status = 0
    try:
        config, _ = control.told()
        control.mark(config["marker"])
        control.start()
        control.say(greeting(config))
        serve(control, config, told.get)
    except Exception as error:  # noqa: BLE001 - one sentence, whatever the command got wrong
        sys.stderr.write(f"fleetpush probe: {type(error).__name__}: {error}\n")
        status = 2
    control.finish()
    # At once: no thread that still waits for a caller keeps the process.
    os._exit(status)


def serve(
    control: Control, config: dict[str, Any], heard: Callable[[], dict[str, Any] | None]
) -> None:
    """Until it is told to leave, or nobody is there any more. Raises whatever comes of nonsense."""
    while True:
        message = heard()
        if message is None or message["do"] == "leave":
            return
        if message["do"] == "dial":
            control.say({"is": "dialled", "found": dial(message["calls"], config["token"])})
