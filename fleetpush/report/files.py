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
    special = _is_special(path)
    target = path if special else Path(os.path.realpath(path))
    place = target if special else target.parent
    if path.is_dir():
        wrong = f"{flag} {path} is a directory; name a file"
    elif not target.parent.is_dir():
        wrong = f"{flag} {path}: there is no directory {target.parent}"
    elif not os.access(place, os.W_OK):
        wrong = f"{flag} {path}: {place} may not be written to"
    else:
        return
    raise InputError(wrong, slug="report_file")


def write_whole(path: Path, text: str) -> None:
    """Puts ``text`` in the place of ``path`` by one rename, readable for all. Raises OSError.

    What is no plain file (``/dev/stdout``, a pipe) is written to, never replaced. A symbolic link stays, and
    what it points to is replaced.
    """
    data = text.encode("utf-8", "backslashreplace")
    if _is_special(path):
        with path.open("ab") as stream:
            stream.write(data)
        return
    target = Path(os.path.realpath(path))
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
    # /dev/stdout may be a plain file, and then it is what the shell has opened, not one to replace.
    return path.is_relative_to("/dev") or (path.exists() and not path.is_file())
