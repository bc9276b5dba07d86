"""One sender and one receiver, and one agent that does both, beside bare Python loops on the same bytes.

    .venv/bin/python -m tests.benchmarks.pair [--size 512M] [--runs 5] [--only pair,through]
        [--chunk-size auto,1M] [--take 256K] [--folder DIR] [--json FILE]

pair: origin -> host. through: origin -> A -> B, a chain in which A receives and sends at once.

Ours is a real deploy: the command in this process, agents of their own, the ``local`` connection, each chunk
checked against the manifest. The bare loop is a process for each of them, run by the same Python: read,
send; receive, SHA-256, pwrite; A also passes everything on. Its links are as ours are: TLS 1.3 with
certificates on both sides, or clear.

Both clocks start with the first byte sent, when everybody is connected. "GB/s" and its ratio: the size of
the file over the time until its last byte is hashed and written on the last host. "synced" counts on until
fsync is done there, which is the disk's share. The last columns are each process's processor seconds per GB
of the file, fsync included. Ratios are of medians, to the bare loop of the same link. The digests of the
source are known beforehand, as in a second deploy: a first round is not counted.

Contestants take turns, and every copy is deleted before the next begins: on some virtual machines fresh
pages of the page cache become slow once enough has been written since boot. Compare within one run only.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from fleetpush.inventory.amounts import size
from tests.benchmarks import table
from tests.benchmarks.goals import PAIR
from tests.benchmarks.pair.bare import Bare
from tests.benchmarks.pair.deploy import Deploy
from tests.benchmarks.pair.model import Transfer, TransferError
from tests.lab.arguments import end_by_exception

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.pair.model import Mover

LINES = {"pair": ("host",), "through": ("hostA", "hostB")}
"""Who gets the file."""

PLACES = ("sender", "relay", "receiver")


def main() -> int:
    options = _arguments()
    end_by_exception()
    document: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="pair-", dir=options.folder) as folder:
        root = Path(folder).resolve()
        os.environ["XDG_CACHE_HOME"] = str(root / "cache")
        source = _source(root, size(options.size))
        for kind in options.only:
            print(f"{kind}: {options.size}; load {os.getloadavg()[0]:.1f}")
            movers = _movers(kind, options)
            runs = _take_turns(movers, source, root, options.runs)
            document[kind] = _medians(kind, movers, runs, source.stat().st_size)
    if options.json:
        table.save(options.json, document)
    return 0


def _movers(kind: str, options: argparse.Namespace) -> list[Mover]:
    """For the chain in TLS only, as the target is."""
    movers: list[Mover] = []
    hosts = LINES[kind]
    for encrypt in (True, False) if kind == "pair" else (True,):
        movers.append(Bare(encrypt=encrypt, relay=len(hosts) > 1, take=size(options.take)))
        for chunk in options.chunk_size:
            movers.append(Deploy(hosts, encrypt=encrypt, chunk_size=chunk))
    return movers


def _take_turns(
    movers: Sequence[Mover], source: Path, root: Path, runs: int
) -> dict[str, list[Transfer]]:
    """By contestant; the first round is not counted."""
    count = source.stat().st_size
    found: dict[str, list[Transfer]] = {mover.name: [] for mover in movers}
    print(_row(("", "GB/s", "ratio", "synced", "ratio", *PLACES)))
    for turn in range(runs + 1):
        for mover in movers:
            with tempfile.TemporaryDirectory(dir=root) as work:
                try:
                    transfer = mover.run(source, Path(work))
                except TransferError as error:
                    sys.exit(f"{mover.name}: {error}")
            if turn:
                found[mover.name].append(transfer)
                print(_row(_cells(mover.name, _figures([transfer], count), None)), flush=True)
    return found


def _medians(
    kind: str, movers: Sequence[Mover], runs: dict[str, list[Transfer]], count: int
) -> dict[str, Any]:
    figures = {name: _figures(transfers, count) for name, transfers in runs.items()}
    print(f"medians of {len(runs[movers[0].name])}")
    for mover in movers:
        own, bare = figures[mover.name], figures[mover.against]
        own["ratio"], own["synced_ratio"] = (
            own[key] / bare[key] for key in ("gb_per_s", "synced_gb_per_s")
        )
        verdict = ""
        if mover.name != mover.against:
            reached = own["ratio"] >= PAIR[kind]
            verdict = f"target {PAIR[kind]}: {'reached' if reached else 'MISSED'}"
        print(_row(_cells(mover.name, own, bare)), verdict)
    transfers = {name: [_plain(one) for one in own] for name, own in runs.items()}
    return {"size": count, "medians": figures, "runs": transfers}


def _plain(one: Transfer) -> dict[str, Any]:
    return one._asdict() | {"cpu": {place: cpu._asdict() for place, cpu in one.cpu.items()}}


def _figures(transfers: Sequence[Transfer], count: int) -> dict[str, float]:
    found = {
        "gb_per_s": count / 1e9 / median(one.moved_s for one in transfers),
        "synced_gb_per_s": count / 1e9 / median(one.makespan_s for one in transfers),
    }
    for place in transfers[0].cpu:
        spent = median(one.cpu[place].busy for one in transfers)
        found[f"{place}_cpu_s_per_gb"] = spent / (count / 1e9)
    return found


def _cells(name: str, own: dict[str, float], bare: dict[str, float] | None) -> tuple[str, ...]:
    ratios = ("", "") if bare is None else (f"{own['ratio']:.2f}", f"{own['synced_ratio']:.2f}")
    spent = (own.get(f"{place}_cpu_s_per_gb") for place in PLACES)
    return (
        name,
        f"{own['gb_per_s']:.3f}",
        ratios[0],
        f"{own['synced_gb_per_s']:.3f}",
        ratios[1],
        *("" if seconds is None else f"{seconds:.2f}" for seconds in spent),
    )


def _row(cells: tuple[str, ...]) -> str:
    return f"{cells[0]:14}" + "".join(f"{cell:>10}" for cell in cells[1:])


def _source(root: Path, count: int) -> Path:
    """Random bytes in the page cache; old enough to be believed unchanged the next time."""
    path = root / "source.bin"
    with path.open("wb") as out:
        while count > 0:
            count -= out.write(os.urandom(min(count, 1 << 24)))
        os.fsync(out.fileno())
    time.sleep(2.5)
    return path


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.pair",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--size", default="512M")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", type=_kinds, default=list(LINES), metavar="NAME[,NAME]")
    parser.add_argument("--chunk-size", type=_chunk_sizes, default=[None, 1 << 20])
    parser.add_argument("--take", default="256K", help="bytes that a bare loop reads at once")
    parser.add_argument(
        "--folder", type=Path, help="for the source and the copies (default: TMPDIR)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args()


def _kinds(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in LINES]:
        raise argparse.ArgumentTypeError(f"not {', '.join(unknown)}: {', '.join(LINES)}")
    return names


def _chunk_sizes(text: str) -> list[int | None]:
    try:
        return [None if word == "auto" else size(word) for word in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
