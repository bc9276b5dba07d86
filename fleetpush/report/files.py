"""Files for other programs: whoever reads one sees all of it, or all of the one before."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from fleetpush.errors import InputError

MODE = 0o644
"""Whoever collects reports is seldom who writes them."""


def check_writable(flag: str, path: Path) -> None:
    """Raises InputError, naming ``flag``, where ``path`` could not be written at the end of a run."""
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise InputError(f"{flag} {path} is a directory; name a file", slug="report_file")
    if not target.parent.is_dir():
        raise InputError(
            f"{flag} {path}: there is no directory {target.parent}", slug="report_file"
        )
    place = target if _is_special(target) else target.parent
    if not os.access(place, os.W_OK):
        raise InputError(f"{flag} {path}: {place} may not be written to", slug="report_file")


def write_whole(path: Path, text: str) -> None:
    """Puts ``text`` in the place of ``path`` by one rename, readable for all. Raises OSError.

    What is no plain file (``/dev/stdout``, a pipe) is written to, never replaced; so is what a symbolic link
    points to.
    """
    target = Path(os.path.realpath(path))
    data = text.encode("utf-8", "backslashreplace")
    if _is_special(path):
        path.write_bytes(data)
        return
    # The name must not end as the target's does: collectors of *.prom and *.xml would read half a file.
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), MODE)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file()
