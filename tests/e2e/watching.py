"""A run seen from outside: its event log, and what the fleet's machine holds before and after it."""

from __future__ import annotations

import hashlib
import json
import pwd
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.e2e.hosts import contents, wait_until
from tests.fleet.sshd import processes_at_home

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.e2e.desk import Command
    from tests.fleet.sshd import SshdFleet

LISTEN = "0A"
"""A listening socket's state in /proc/net/tcp."""

SHARED = ("/tmp", "/var/tmp", "/dev/shm", "/run/lock")
"""Where anybody may leave files."""


class EventLog:
    """What a command with ``--progress json`` has said so far."""

    def __init__(self, command: Command) -> None:
        self._command = command

    def events(self) -> list[dict[str, Any]]:
        """Whole lines only: the last may be under way."""
        found = []
        for line in self._command.stderr.split("\n")[:-1]:
            with suppress(ValueError):
                found.append(json.loads(line))
        return [event for event in found if isinstance(event, dict) and "event" in event]

    def phases(self, host: str) -> list[str]:
        """That ``host`` has entered, in order; ``done`` once it has had its last word."""
        found = []
        for event in self.events():
            if event.get("host") == host and event["event"] == "host_phase_changed":
                found.append(event["phase"])
            elif event.get("host") == host and event["event"] == "host_finished":
                found.append("done")
        return list(dict.fromkeys(found))

    def phase(self, host: str) -> str:
        """Where ``host`` is; "" before it is anywhere."""
        return (self.phases(host) or [""])[-1]

    def wait_for(self, phase: str, host: str, within: float = 30.0) -> None:
        wait_until(lambda: phase in self.phases(host), within, f"{host} {phase}")


@dataclass(frozen=True)
class Scene:
    """What a fleet's hosts hold: by host the files with their digests, and what would be residue."""

    homes: dict[str, dict[str, str]]
    processes: frozenset[int]
    listening: frozenset[int]
    """Ports of the run's range that somebody listens on."""
    strewn: frozenset[str]
    """Files of the fleet's user where anybody may leave some."""


def look(fleet: SshdFleet, ports: range, *, read: bool = True) -> Scene:
    """``ports``: the run's ``--port-range``, that of no other run on this machine. Unless they are ``read``,
    files have no digests."""
    homes = {}
    for index, address in enumerate(fleet.addresses):
        home = fleet.home(index)
        files = {name: home / name for name in contents(home)}
        homes[address] = {n: _digest(p) if read else "" for n, p in files.items() if p.is_file()}
    return Scene(
        homes,
        frozenset(processes_at_home(fleet.root)),
        frozenset(port for port in listening() if port in ports),
        frozenset(_strewn(fleet.user, fleet.root)),
    )


def settled(
    fleet: SshdFleet, ports: range, before: Scene, within: float, *, read: bool = True
) -> Scene:
    """The scene once none of the fleet's processes and listening sockets is left, or ``within`` seconds
    later. (A process that ends gives up its environment before its sockets.)"""
    give_up = time.monotonic() + within
    while True:
        after = look(fleet, ports, read=read)
        more = after.processes - before.processes or after.listening - before.listening
        if not more or time.monotonic() > give_up:
            return after
        time.sleep(0.1)


def residue(before: Scene, after: Scene, allowed: Iterable[str] = ()) -> list[str]:
    """What ``after`` has more: processes, listening sockets, and files but for those that are ``allowed``
    (by name, on any host) and partials that may be resumed."""
    found = [f"process {pid}" for pid in sorted(after.processes - before.processes)]
    found += [f"port {port} is listened on" for port in sorted(after.listening - before.listening)]
    found += [f"{path} was left" for path in sorted(after.strewn - before.strewn)]
    names = {*allowed}
    for host, files in after.homes.items():
        more = files.keys() - before.homes[host].keys() - names
        found += [f"{host}: {name} was left" for name in sorted(more) if not resumable(name)]
        lost = before.homes[host].keys() - files.keys()
        found += [f"{host}: {name} is gone" for name in sorted(lost)]
    return found


def litter(before: Scene, after: Scene) -> list[str]:
    """The same for whoever does not know what was deployed: of files only those with names of ours."""
    return [each for each in residue(before, after) if ": " not in each or ".fleetpush-" in each]


def resumable(name: str) -> bool:
    """The name of a partial, or of something in that of a tree, but not of what ``--activate together``
    keeps."""
    return any(
        mark and len(digest) == 12 and (not head or head.startswith("."))
        for head, mark, digest in (part.rpartition(".fleetpush-") for part in name.split("/"))
    )


def listening() -> set[int]:
    """TCP ports on which anybody listens, at whatever address."""
    found = set()
    for name in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path("/proc/net", name).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTEN:
                    found.add(int(fields[1].rpartition(":")[2], 16))
    return found


def _strewn(user: str, root: Path) -> Iterable[str]:
    uid = pwd.getpwnam(user).pw_uid
    for place in filter(Path.is_dir, map(Path, SHARED)):
        for path in place.iterdir():
            with suppress(OSError):
                # (What libfaketime keeps there is that of processes with a clock of ours.)
                if path.lstat().st_uid == uid and path != root and "faketime_" not in path.name:
                    yield str(path)


def _digest(path: Path) -> str:
    """Of its content; of its size alone where it has hardly any (a hole of gigabytes)."""
    found = path.stat()
    if found.st_blocks * 512 < found.st_size // 2:
        return f"a hole of {found.st_size} bytes"
    return hashlib.sha256(path.read_bytes()).hexdigest()
