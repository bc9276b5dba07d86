"""Rules of the real sudo for the fleet's user, for as long as a test needs them."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PASSWORD = "tr0ub4dor & 'three'"
_RULES = Path("/etc/sudoers.d/fleetpush-test")
_LOCK = Path("/run/lock/fleetpush-test-sudo")
_TIMESTAMPS = ("/run/sudo/ts", "/var/run/sudo/ts", "/var/lib/sudo/ts")

needs_sudo = pytest.mark.skipif(not shutil.which("sudo"), reason="no sudo on this machine")


@contextlib.contextmanager
def sudo_rules(user: str) -> Iterator[Callable[..., None]]:
    """Gives a function that writes rules, in which USER is ``user``, who has PASSWORD meanwhile."""

    def write(*lines: str) -> None:
        text = "".join(line.replace("USER", user) + "\n" for line in lines)
        checked = subprocess.run(
            ["visudo", "-cf", "-"], input=text.encode(), capture_output=True, check=False
        )
        assert checked.returncode == 0, checked
        _RULES.write_text(text)
        _RULES.chmod(0o440)

    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process of tests wants rules of its own
        subprocess.run(["chpasswd"], input=f"{user}:{PASSWORD}".encode(), check=True)
        _forget(user)
        try:
            yield write
        finally:
            _RULES.unlink(missing_ok=True)
            _forget(user)
            subprocess.run(["usermod", "-p", "*", user], check=True)


def _forget(user: str) -> None:
    """What sudo remembers of passwords given a moment ago."""
    for folder in _TIMESTAMPS:
        Path(folder, user).unlink(missing_ok=True)
