"""What an older version on the hosts spares: bytes moved, and what looking at it costs.

    .venv/bin/python -m tests.benchmarks.delta [--size 1G] [--hosts 3] [--folder DIR]

For each edit: every host (all on this machine, connection local) holds the old version, the new one is
deployed. *moved*: what the host that received most did, protocol included, of the content's size; *took*:
the whole command; *whole*: the same with ``--no-reuse``. *scan*: one store alone finds and copies what is of
use, the old file in the page cache, without the final flush; *sha256*: that file is hashed and nothing else.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from fleetpush import deploy
from fleetpush.agent.place import Place
from fleetpush.agent.store import HostStore
from fleetpush.deploy.source import make_manifest
from fleetpush.inventory.amounts import size as size_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleetpush.deploy.results import RunReport
    from fleetpush.deploy.source import Source

SLICE = 1 << 20


def in_runs(run: int) -> Callable[[bytearray, random.Random], None]:
    """5 % others in place, in runs of so many bytes at random places."""

    def edit(data: bytearray, rng: random.Random) -> None:
        for _ in range(len(data) // 20 // run):
            at = rng.randrange(len(data) - run)
            data[at : at + run] = rng.randbytes(run)

    return edit


def front(data: bytearray, rng: random.Random) -> None:
    data[:0] = rng.randbytes(1_234_567)


def three(data: bytearray, rng: random.Random) -> None:
    for part in (1, 2, 3):
        at = len(data) * part // 4
        data[at:at] = rng.randbytes(10_000 * part)


def swapped(data: bytearray, rng: random.Random) -> None:
    half = len(data) // 2
    data[:] = data[half:] + data[:half]


def other(data: bytearray, rng: random.Random) -> None:
    _fill(data, rng)


EDITS = {
    "5 % in place, runs of 1 MiB": in_runs(1 << 20),
    "5 % in place, runs of 64 KiB": in_runs(1 << 16),
    "inserted at the front": front,
    "inserted at three places": three,
    "halves swapped": swapped,
    "other content": other,
}


def main() -> int:
    options = _arguments()
    size = size_of(options.size)
    folder = Path(tempfile.mkdtemp(prefix="delta-", dir=options.folder))
    try:
        old, new = folder / "old", folder / "new"
        data = bytearray(size)
        _fill(data, random.Random(1))
        old.write_bytes(data)
        print(f"{options.hosts} hosts on this machine, {options.size}")
        print(f"{'':30}{'moved':>8}{'took':>8}{'whole':>8}{'scan':>12}{'sha256':>12}")
        for name, edit in EDITS.items():
            edited = bytearray(data)
            edit(edited, random.Random(2))
            new.write_bytes(edited)
            del edited
            delta = _deploy(folder, old, new, options.hosts, no_reuse=False)
            whole = _deploy(folder, old, new, options.hosts, no_reuse=True)
            moved = max(r.bytes_received for r in delta.results) / new.stat().st_size
            scan, plain = _scan(folder, old, new, options.hosts)
            took, before = (r.timing.total_s for r in (delta, whole))
            print(
                f"{name:30}{moved:8.2%}{took:7.1f}s{before:7.1f}s{scan:7,.0f} MB/s{plain:7,.0f} MB/s"
            )
    finally:
        shutil.rmtree(folder)
    return 0


def _fill(data: bytearray, rng: random.Random) -> None:
    for at in range(0, len(data), SLICE):
        end = min(len(data), at + SLICE)
        data[at:end] = rng.randbytes(end - at)


def _deploy(folder: Path, old: Path, new: Path, hosts: int, *, no_reuse: bool) -> RunReport:
    names = [f"host{number}" for number in range(hosts)]
    for name in names:
        (folder / name).mkdir(exist_ok=True)
        shutil.copyfile(old, folder / name / "model")
    inventory = folder / "hosts.ini"
    inventory.write_text("".join(f"{name} ansible_connection=local\n" for name in names))
    os.sync()
    dest = f"{folder}/{{{{ inventory_hostname }}}}/model"
    report = deploy(str(new), str(inventory), dest=dest, no_reuse=no_reuse, record=False)
    assert report.exit_code == 0, report
    wanted = new.read_bytes()
    for name in names:
        assert (folder / name / "model").read_bytes() == wanted
        shutil.rmtree(folder / name)
    return report


def _scan(folder: Path, old: Path, new: Path, hosts: int) -> tuple[float, float]:
    """MB/s of a store's look at the old file, and of plain hashing."""
    source = make_manifest([new], None, hosts, folder / "cache", lambda done, total: None)
    dest = folder / "alone"
    shutil.copyfile(old, dest)
    os.sync()
    began = time.perf_counter()
    digest = sha256()
    room = memoryview(bytearray(SLICE))
    with dest.open("rb", buffering=0) as file:
        while length := file.readinto(room):
            digest.update(room[:length])
    plain = time.perf_counter() - began
    store = _store(source, dest)
    began = time.perf_counter()
    store.open()
    store.scan(lambda done: None, lambda: False)
    took = time.perf_counter() - began
    store.close()
    size = dest.stat().st_size
    dest.unlink()
    for path in folder.glob(".alone.*"):
        path.unlink()
    return size / took / 1e6, size / plain / 1e6


def _store(source: Source, dest: Path) -> HostStore:
    wanted = {"previous": "", "paths": (), "anchors": source.anchors.hex()}
    return HostStore(source.manifest, Place(str(dest), None, None, None, "/"), reuse=wanted)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--size", default="1G")
    parser.add_argument("--hosts", type=int, default=3)
    parser.add_argument("--folder", help="where the hosts' files lie; default: TMPDIR")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
