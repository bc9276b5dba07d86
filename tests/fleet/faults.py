"""Faults that are inflicted on hosts and processes from outside."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator


@contextmanager
def small_disk(home: Path, size: str = "1M") -> Iterator[None]:
    """A tmpfs over ``home`` while it lasts. Raises CalledProcessError where none can be mounted."""
    words = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "tmpfs", str(home)]
    subprocess.run(words, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(home)], check=True)


@contextmanager
def disk(home: Path, image: Path, kind: str = "ext4", size: int = 32 << 20) -> Iterator[None]:
    """A filesystem of ``size`` bytes (in ``image``) over ``home`` while it lasts. ``kind``: ext4, or ext2,
    which cannot set room aside for a file.

    Raises CalledProcessError where none can be mounted.
    """
    with image.open("wb") as file:
        file.truncate(size)
    for words in (
        [f"mkfs.{kind}", "-q", "-m", "0", str(image)],
        ["mount", "-t", kind, "-o", "loop,errors=continue", str(image), str(home)],
    ):
        subprocess.run(words, check=True, capture_output=True)
    try:
        home.chmod(0o777)
        (home / "lost+found").rmdir()
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(home)], check=True)


@contextmanager
def disk_that_sticks(home: Path, folder: Path) -> Iterator[Path]:
    """A filesystem over ``home`` while it lasts, on another that is returned: while that one is frozen
    (``stick``), all goes on in memory, and whoever syncs waits.

    Raises CalledProcessError where none can be mounted.
    """
    below = folder / "below"
    below.mkdir()
    with disk(below, folder / "below.img", size=64 << 20), disk(home, below / "img", "ext2"):
        try:
            yield below
        finally:
            stick(below, False)


def stick(below: Path, stuck: bool) -> None:
    """Freezes what ``disk_that_sticks`` lies on, or lets it go."""
    words = ["fsfreeze", "--freeze" if stuck else "--unfreeze", str(below)]
    subprocess.run(words, check=stuck, capture_output=True)


def fill(path: Path) -> None:
    """Takes all the room that is left where ``path``, a new file, lies."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with suppress(OSError):
                while file.write(bytes(size)):
                    pass


def break_disk(image: Path) -> None:
    """All but the first MiB of what ``disk`` made is gone: what is written there fails."""
    os.truncate(image, 1 << 20)
    words = ["losetup", "--noheadings", "--output", "NAME", "--associated", str(image)]
    found = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    subprocess.run(["losetup", "--set-capacity", *found], check=True)


def give_up_disk(home: Path) -> None:
    """What ext4 does on an error of its device: from now on it can be read only, open files included."""
    subprocess.run(["mount", "-o", "remount,abort", str(home)], check=False, capture_output=True)


def fix_directory(home: Path, fixed: bool) -> bool:
    """Nothing in ``home`` can be made, renamed or removed while it is fixed, not by root either; False
    where the filesystem knows no such thing."""
    words = ["chattr", "+i" if fixed else "-i", str(home)]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


def flip(path: Path, rng: random.Random) -> None:
    """One bit of a file that has some."""
    with suppress(OSError), path.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        if size:
            at = rng.randrange(size)
            byte = os.pread(file.fileno(), 1, at)
            os.pwrite(file.fileno(), bytes([byte[0] ^ 1 << rng.randrange(8)]), at)


def cut_off(pid: int) -> None:
    """Kills the sshd that serves the connection ``pid`` hangs on: it ends loudly."""
    while pid > 1:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return
        name, rest = stat[stat.index("(") + 1 : stat.rindex(")")], stat[stat.rindex(")") + 2 :]
        if name.startswith("sshd"):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            return
        pid = int(rest.split()[1])
