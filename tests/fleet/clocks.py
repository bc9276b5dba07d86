"""Clocks that are wrong, or are set while somebody looks at them: of processes, not of the machine."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

_LIBRARIES = sorted(Path("/usr").glob("lib*/**/faketime/libfaketimeMT.so.1"))

needs_faketime = pytest.mark.skipif(
    not _LIBRARIES, reason="no libfaketime on this machine (Debian: apt install faketime)"
)


class Clock:
    """The time of day that processes with its ``env`` see; what counts seconds goes on undisturbed.

    (libfaketime takes ``sleep`` until a moment for one of the time of day: Python's ``time.sleep`` fails.)
    """

    def __init__(self, path: Path, ahead: str = "+0") -> None:
        """``path``: of a file that every user may reach."""
        self._path = path
        self.set(ahead)
        path.chmod(0o644)
        self.env = {
            "LD_PRELOAD": str(_LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, ahead: str) -> None:
        """``+9h`` is nine hours ahead of the true time, ``-1y`` a year behind it."""
        self._path.write_text(f"{ahead}\n")

    def python(self) -> str:
        """What a shell script that stands in Python's place says."""
        words = " ".join(f"{name}={value}" for name, value in self.env.items())
        return f'export {words}\nexec python3 "$@"'


def sweep() -> None:
    """Takes away what libfaketime leaves in memory of processes that ended without its leave."""
    for path in Path("/dev/shm").glob("*faketime_s*_*"):
        if not Path("/proc", path.name.rpartition("_")[2]).exists():
            with suppress(FileNotFoundError):
                path.unlink()
