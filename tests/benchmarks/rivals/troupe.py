"""A rival's processes in the lab: started before the clock, watched by what they print, always ended."""

from __future__ import annotations

import re
import selectors
import signal
import subprocess
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tests.benchmarks.rivals.model import RivalError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import Self

    from tests.lab.netns import Host

BLANK = " \t\a"
"""Around what is printed; udpcast rings the bell."""


def _local_ports(pid: int, kind: str) -> str:
    """Of all sockets bound in a process's network namespace, as ``ADDRESS:PORT `` in hexadecimal."""
    try:
        lines = Path(f"/proc/{pid}/net/{kind}").read_text().splitlines()[1:]
    except OSError:  # it has ended
        return ""
    return "".join(line.split(None, 2)[1] + " " for line in lines)


class _Member:
    """One process: what it printed so far, on either output, line by line."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.lines: list[str] = []
        self.ended = False
        self._rest = b""

    @property
    def output(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def read(self) -> None:
        """Takes what it printed. Called when there is something to read."""
        data = self.output.read1()  # type: ignore[attr-defined]  # a BufferedReader
        self.ended = not data
        *lines, self._rest = re.split(rb"[\r\n]+", self._rest + data)
        self.lines += [line.decode(errors="replace").strip(BLANK) for line in lines]

    def last_words(self) -> str:
        return " | ".join(self.lines[-3:]) or "it said nothing"


class Troupe:
    """``with Troupe(timeout) as troupe``: every process is dead afterwards.

    A process says that something is done by a line that it prints, or by ending. All waiting together
    takes ``timeout`` seconds at most.
    """

    def __init__(self, timeout: float) -> None:
        self._deadline = time.monotonic() + timeout
        self._members: dict[str, _Member] = {}
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.end()

    def start(self, name: str, host: Host, argv: Sequence[str]) -> None:
        """Starts a process called ``name`` in the host's namespace."""
        pipe = subprocess.PIPE
        process = host.popen(list(argv), stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT)
        member = self._members[name] = _Member(process)
        self._selector.register(member.output, selectors.EVENT_READ, member)

    def tell(self, names: Collection[str], line: str) -> None:
        """Writes a line to the standard input of each."""
        for name in names:
            stdin = self._members[name].process.stdin
            assert stdin is not None
            stdin.write(line.encode() + b"\n")
            stdin.flush()

    def hear(self, names: Collection[str], words: str) -> float:
        """Waits until each has printed a line that begins with ``words``; the time (monotonic) of the last.

        Raises RivalError when one ends before, or time is up.
        """
        waiting = set(names)
        while True:
            for name in list(waiting):
                member = self._members[name]
                if any(line.startswith(words) for line in member.lines):
                    waiting.remove(name)
                elif member.ended:
                    raise RivalError(f"{name} ended too early: {member.last_words()}")
            if not waiting:
                return time.monotonic()
            self._read(f"{words!r} was not heard of {len(waiting)} of {len(names)}", waiting)

    def bound(self, name: str, port: int) -> None:
        """Waits until something in the process's namespace is bound to a TCP or UDP port.

        Raises RivalError when it ends before, or time is up.
        """
        member, entry = self._members[name], f":{port:04X} "
        pid = member.process.pid
        while not any(entry in _local_ports(pid, kind) for kind in ("tcp", "tcp6", "udp")):
            ended = member.process.poll() is not None
            if ended:
                member.read()
            if ended or time.monotonic() > self._deadline:
                raise RivalError(f"{name} does not listen to port {port}: {member.last_words()}")
            time.sleep(0.02)

    def see_out(self, names: Collection[str]) -> float:
        """Waits until each has ended well; the time (monotonic) of the last. Raises RivalError."""
        waiting = set(names)
        while waiting:
            self._read(f"{len(waiting)} of {len(names)} had not ended", waiting)
            waiting = {name for name in waiting if not self._members[name].ended}
        now = time.monotonic()
        for name in names:
            code = self._members[name].process.wait(timeout=10)
            if code != 0:
                words = self._members[name].last_words()
                raise RivalError(f"{name} ended with exit code {code}: {words}")
        return now

    def end(self) -> None:
        """Kills all that run, at once."""
        for member in self._members.values():
            if member.process.poll() is None:
                member.process.send_signal(signal.SIGKILL)
        for member in self._members.values():
            member.process.wait()
            member.output.close()
            if member.process.stdin:
                member.process.stdin.close()
        self._members.clear()
        self._selector.close()

    def _read(self, complaint: str, waiting: Collection[str]) -> None:
        """Reads what was printed meanwhile, or raises RivalError when time is up."""
        left = self._deadline - time.monotonic()
        ready = self._selector.select(left) if left > 0 else []
        if not ready:
            words = self._members[min(waiting)].last_words()
            raise RivalError(f"out of time: {complaint}, as {min(waiting)}: {words}")
        for key, _ in ready:
            key.data.read()
            if key.data.ended:
                self._selector.unregister(key.fileobj)
