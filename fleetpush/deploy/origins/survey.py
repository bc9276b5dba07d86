"""From files on hosts to one manifest: measured and hashed where they are, and held against each other.

Of a file that is on several hosts the first that can be read counts; where another's differs, it is left out.
Every file begins a chunk, so that each chunk is whole on one machine. No content comes here.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fleetpush.deploy.source import choose_chunk_size
from fleetpush.errors import HostFailure, InputError, SourceChangedError
from fleetpush.swarm import bitfield
from fleetpush.swarm.manifest import DIGEST, File, Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fleetpush.deploy.named_sources import Wanted
    from fleetpush.deploy.sessions.fleet import Answer, Sessions
    from fleetpush.inventory.located import Located

BATCH_BYTES = 1 << 30
BATCH_CHUNKS = 4096
"""At most so much is asked of a host at once: an answer has a bound, and progress is seen."""


@dataclass(eq=False)
class Replica:
    """One file on one host. ``failure``: why it is not sent from there."""

    file: int
    place: Located
    path: str = ""
    note: tuple[int, ...] = ()
    digests: list[bytes] = field(default_factory=list)
    failure: HostFailure | None = None

    @property
    def size(self) -> int:
        return self.note[2]


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What is deployed, and from where. ``replicas`` are all that were named."""

    manifest: Manifest
    notes: tuple[str, ...]
    replicas: tuple[Replica, ...]

    def good(self, host: str | None = None) -> list[Replica]:
        """Those that are sent from, of one host or of all."""
        return [r for r in self.replicas if r.failure is None and host in (None, r.place.host)]

    def holdings(self) -> dict[str, int]:
        """By host, in the order in which they were named, the chunks that it holds."""
        held: dict[str, int] = {}
        for replica in self.good():
            chunks = chunks_of(self.manifest, replica.file)
            held[replica.place.host] = held.get(replica.place.host, 0) | bitfield.of(chunks)
        return held


def chunks_of(manifest: Manifest, file: int) -> range:
    """The chunks of file number ``file``, of a manifest whose files begin chunks."""
    first = manifest.starts[file] // manifest.chunk_size
    return range(first, first - (-manifest.files[file].size // manifest.chunk_size))


class Survey:
    """``dests``: by host, where that machine is itself to get the content. ``execute`` once."""

    def __init__(
        self,
        sessions: Sessions,
        wanted: Sequence[Wanted],
        dests: Mapping[str, Sequence[str]],
        hashed: Callable[[int, int], None],
    ) -> None:
        self._sessions = sessions
        self._wanted = wanted
        self._dests = dests
        self._hashed = hashed
        self._done = self._total = 0
        self._replicas = [
            Replica(index, place) for index, each in enumerate(wanted) for place in each.places
        ]

    async def execute(
        self, failures: Mapping[str, HostFailure], chunk_size: int | None, hosts: int
    ) -> Surveyed:
        """``failures``: of hosts that have no session. Raises InputError where a file cannot be had."""
        for replica in self._replicas:
            replica.failure = failures.get(replica.place.host)
        await self._measure()
        self._refuse_own_destinations()
        self._check_all_are_there()
        files = [File(each.name, self._of(i)[0].size) for i, each in enumerate(self._wanted)]
        size = sum(file.size for file in files)
        chosen, notes = choose_chunk_size(size, hosts, chunk_size)
        apart = len(files) > 1
        counts = [-(-file.size // chosen) for file in files]
        layout = Manifest(files, chosen, [bytes(DIGEST)] * sum(counts), apart=apart)
        self._drop_other_sizes(layout)
        await self._digest(layout)
        self._check_all_are_there()
        digests: list[bytes] = []
        for index in range(len(files)):
            digests += self._agreed(index, layout)
        manifest = Manifest(files, chosen, digests, apart=apart)
        return Surveyed(manifest, notes, tuple(self._replicas))

    def _of(self, file: int) -> list[Replica]:
        """Those of a file that are not out."""
        return [r for r in self._replicas if r.file == file and r.failure is None]

    def _check_all_are_there(self) -> None:
        """Raises InputError, naming every file of which no replica is left."""
        gone = [i for i in range(len(self._wanted)) if not self._of(i)]
        mine = [r for r in self._replicas if r.file in gone and r.failure is not None]
        said = "; ".join(f"{r.place.host}: {r.failure.message}" for r in mine if r.failure)
        if mine and all(r.failure and r.failure.slug == "source_changed" for r in mine):
            raise SourceChangedError(f"{said}: deploy again when nothing writes it any more")
        if gone:
            names = ", ".join(self._wanted[i].name for i in gone)
            raise InputError(f"cannot deploy {names}: {said}", slug="source_unavailable")

    async def _measure(self) -> None:
        mine: dict[str, list[Replica]] = {}
        for replica in self._replicas:
            if replica.failure is None:
                mine.setdefault(replica.place.host, []).append(replica)
        asked: dict[str, tuple[str, dict[str, Any]]] = {
            host: ("measure", self._question(host, replicas)) for host, replicas in mine.items()
        }
        for host, answer in (await self._sessions.ask(asked)).items():
            _take(mine[host], answer, _measured)

    def _question(self, host: str, replicas: Sequence[Replica]) -> dict[str, Any]:
        return {
            "paths": [replica.place.path for replica in replicas],
            "dests": list(self._dests.get(host, ())),
            "several": len(self._wanted) > 1,
        }

    def _refuse_own_destinations(self) -> None:
        """Raises InputError where a host would write over what it sends."""
        for replica in self._replicas:
            if replica.failure is not None and replica.failure.slug == "source_is_destination":
                host = replica.place.host
                raise InputError(
                    f"{host}: {replica.failure.message} is source and destination at once: leave"
                    f" it out of the hosts (--limit '!{host}'), or choose another --dest",
                    slug="source_is_destination",
                )

    def _drop_other_sizes(self, layout: Manifest) -> None:
        for index, file in enumerate(layout.files):
            first = self._of(index)[0].place.host
            for replica in self._of(index):
                if replica.size != file.size:
                    what = f"it has {replica.size:,} bytes there, and {file.size:,} on {first}"
                    replica.failure = _differs(replica, what)

    async def _digest(self, layout: Manifest) -> None:
        hosts = dict.fromkeys(r.place.host for r in self._replicas if r.failure is None)
        self._total = sum(r.size for r in self._replicas if r.failure is None)
        self._hashed(0, layout.size)
        await asyncio.gather(*(self._digest_on(host, layout) for host in hosts))

    async def _digest_on(self, host: str, layout: Manifest) -> None:
        mine = [r for r in self._replicas if r.place.host == host and r.failure is None]
        for batch in _batches(mine, layout):
            alive = [job for job in batch if job[0].failure is None]
            files = [
                {"path": r.path, "note": r.note, "first": part.start, "last": part.stop}
                for r, part in alive
            ]
            question = {"chunk_size": layout.chunk_size, "files": files}
            answer = (await self._sessions.ask({host: ("digest", question)}))[host]
            counts = {id(r): len(part) for r, part in alive}
            asked = [r for r, _ in alive]
            _take(asked, answer, lambda r, said: _digested(r, said, counts[id(r)]))  # noqa: B023 - called at once
            self._done += sum(_bytes(r, part, layout) for r, part in batch)
            self._hashed(layout.size * self._done // max(1, self._total), layout.size)

    def _agreed(self, file: int, layout: Manifest) -> list[bytes]:
        """The digests of the first; whoever has others is out."""
        first, *others = self._of(file)
        for replica in others:
            if replica.digests != first.digests:
                pairs = zip(replica.digests, first.digests, strict=True)
                chunk = next(i for i, (one, other) in enumerate(pairs) if one != other)
                start = chunk * layout.chunk_size
                end = min(start + layout.chunk_size, first.size) - 1
                what = (
                    f"it is another there than on {first.place.host}, first in chunk"
                    f" {chunk} of it (bytes {start:,} to {end:,})"
                )
                replica.failure = _differs(replica, what)
        return first.digests


def _differs(replica: Replica, what: str) -> HostFailure:
    return HostFailure("source_differs", f"{replica.path}: {what}")


def _take(
    replicas: Sequence[Replica], answer: Answer, take: Callable[[Replica, dict[str, Any]], None]
) -> None:
    """What a host answered of each; those of which it did not are out. ``take`` may raise ValueError."""
    broken = HostFailure("bad_agent", "its agent gave an answer that makes no sense")
    said = answer.get("files") if isinstance(answer, dict) else None
    failure = answer if isinstance(answer, HostFailure) else broken
    if not isinstance(said, list) or len(said) != len(replicas):
        for replica in replicas:
            replica.failure = failure
        return
    for replica, one in zip(replicas, said, strict=True):
        try:
            if "slug" in one:
                text = str(one["message"])[:2000]
                replica.failure = HostFailure(str(one["slug"])[:40], text)
            else:
                take(replica, one)
        except (KeyError, TypeError, ValueError):
            replica.failure = broken


def _measured(replica: Replica, said: dict[str, Any]) -> None:
    replica.path, replica.note = str(said["path"]), _note(said["note"])


def _note(value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) != 5 or not all(type(v) is int for v in value):
        raise ValueError("no note")
    if value[2] < 0:
        raise ValueError("a negative size")
    return tuple(value)


def _digested(replica: Replica, said: dict[str, Any], count: int) -> None:
    joined = bytes.fromhex(said["digests"])
    if len(joined) != count * DIGEST:
        raise ValueError("too few digests")
    replica.digests += [joined[i : i + DIGEST] for i in range(0, len(joined), DIGEST)]


def _bytes(replica: Replica, part: range, layout: Manifest) -> int:
    return min(replica.size, part.stop * layout.chunk_size) - part.start * layout.chunk_size


def _batches(
    replicas: Sequence[Replica], layout: Manifest
) -> Iterator[list[tuple[Replica, range]]]:
    """Parts of files, by the numbers of their own chunks, so many as are asked for at once."""
    most = max(1, min(BATCH_CHUNKS, BATCH_BYTES // layout.chunk_size))
    batch: list[tuple[Replica, range]] = []
    room = most
    for replica in replicas:
        chunks, at = -(-replica.size // layout.chunk_size), 0
        while at < chunks:
            end = min(chunks, at + room)
            batch.append((replica, range(at, end)))
            room -= end - at
            at = end
            if not room:
                yield batch
                batch, room = [], most
    if batch:
        yield batch
