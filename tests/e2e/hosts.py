"""What can be seen of hosts from outside: their files, and the processes that a deploy runs on them."""

from __future__ import annotations

import hashlib
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterable

PARTIAL = re.compile(r"\..+\.fleetpush-[0-9a-f]{12}")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def contents(home: Path) -> list[str]:
    """Every name below ``home``, hidden ones too."""
    return sorted(str(path.relative_to(home)) for path in home.rglob("*"))


def partials(home: Path) -> list[Path]:
    return sorted(path for path in home.iterdir() if PARTIAL.fullmatch(path.name))


def agents(*homes: Path) -> dict[int, Path]:
    """Agents that live in or below one of ``homes``: process id and home directory."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                line = (entry / "cmdline").read_bytes()
                home = home_of(entry)
                if is_agent(line) and any(home.is_relative_to(each) for each in homes):
                    found[int(entry.name)] = home
    return found


def is_agent(line: bytes) -> bool:
    """Whether this command line is that of an agent's Python (not of the shell that starts it)."""
    return b"fleetpush.agent.main" in line and b"-I\0-S\0" in line


def home_of(entry: Path) -> Path:
    for pair in (entry / "environ").read_bytes().split(b"\0"):
        if pair.startswith(b"HOME="):
            return Path(os.fsdecode(pair[5:]))
    return Path("/nowhere")


def send(number: signal.Signals, pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def wait_until(condition: Callable[[], object], within: float, what: str) -> None:
    """Fails, saying what it waited for; never longer than ``within`` seconds."""
    give_up = time.monotonic() + within
    while not condition():
        assert time.monotonic() < give_up, f"not within {within:.0f} s: {what}"
        time.sleep(0.05)


def written(pid: int) -> int:
    """Bytes that a process has written to files and pipes so far; 0 once it is gone."""
    with suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/io").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("wchar:"))
    return 0
