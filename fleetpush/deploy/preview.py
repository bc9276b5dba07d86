"""A deploy looked at beforehand: what each host would have done to it. Nothing is changed anywhere."""

from __future__ import annotations

import asyncio
import json
import zlib
from base64 import b64decode, b64encode
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from fleetpush.deploy.cache import default_place
from fleetpush.deploy.enlist import what_to_delete
from fleetpush.deploy.errand import Errand, ErrandReport, ErrandStatus, HostAnswer
from fleetpush.deploy.fleet import choose
from fleetpush.deploy.hashing import HashingStoppedError
from fleetpush.deploy.source import make_manifest
from fleetpush.errors import InputError, SourceChangedError, UsageError
from fleetpush.inventory.located import located
from fleetpush.swarm.manifest import DIGEST, MAX_CHUNK_SIZE, Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fleetpush.deploy.fleet import Place
    from fleetpush.deploy.options import DeployOptions
    from fleetpush.deploy.source import Source

LARGEST_QUESTION = 3_900_000
"""Letters: an agent takes lines of 4 MiB."""

LARGEST_ANSWER = 64 << 20
"""Bytes that an answer may unpack to."""

WOULD = ("nothing", "create", "update", "switch")


class Replaced(NamedTuple):
    """A file of other content, and the size in bytes that it has now."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What a deploy would do to one host.

    ``would``: ``nothing``, ``create`` (nothing of it is there, and the lists are empty), ``update``, or
    ``switch`` to a release that is there. ``adjusted`` are files whose mode, time or owner alone would
    change, ``links`` and ``directories`` those that are not as they would be; ``removed`` ends in ``/`` where
    it is a directory.
    """

    dest: str
    would: str
    created: tuple[str, ...] = ()
    replaced: tuple[Replaced, ...] = ()
    adjusted: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The part of a host's result that says so."""
        kinds = ("created", "adjusted", "links", "directories", "removed")
        lists = {kind: list(getattr(self, kind)) for kind in kinds}
        replaced = [each._asdict() for each in self.replaced]
        return {"dest": self.dest, "would": self.would, **lists, "replaced": replaced}


class Content:
    """What would be deployed, as hosts are asked for it and answer."""

    def __init__(self, source: Source) -> None:
        """``source``, whose sums are known. Raises InputError where it is too much for one question."""
        self.source = source
        manifest = source.manifest
        blank = [bytes(DIGEST)] * -(-manifest.size // MAX_CHUNK_SIZE)
        alike = Manifest(manifest.files, MAX_CHUNK_SIZE, blank, manifest.tree)
        sums = b"".join(bytes.fromhex(each or "") for each in source.sums.known)
        self._packed = b64encode(zlib.compress(alike.encode())).decode()
        self._sums = b64encode(sums).decode()
        self._told: dict[tuple[str, str, str], Finding] = {}
        if len(self._packed) + len(self._sums) > LARGEST_QUESTION:
            raise InputError(
                f"{source.name}: {len(manifest.files):,} files are too many to be looked at beforehand: "
                "look at parts of the tree"
            )

    def question(
        self, options: DeployOptions, dest: str, release_dir: str
    ) -> tuple[str, dict[str, Any]]:
        """The task for a host's agent."""
        return "compare", {
            "manifest": self._packed,
            "sums": self._sums,
            "dest": dest,
            "dir": release_dir,
            "content": self.source.manifest.name,
            "mode": options.mode,
            "owner": options.owner,
            "group": options.group,
            "delete": what_to_delete(options),
        }

    def finding(self, answer: Mapping[str, Any]) -> Finding:
        """What an agent's answer means. Raises ValueError for one that makes no sense."""
        key = (str(answer.get("dest")), str(answer.get("would")), str(answer.get("found")))
        if key not in self._told:  # a thousand hosts say the same
            self._told[key] = self._unpacked(*key)
        return self._told[key]

    def _unpacked(self, dest: str, would: str, packed: str) -> Finding:
        unpacking = zlib.decompressobj()
        try:
            data = unpacking.decompress(b64decode(packed, validate=True), LARGEST_ANSWER)
            found = json.loads(data)
            if would not in WOULD or unpacking.unconsumed_tail:
                raise ValueError(would)
            manifest = self.source.manifest
            tree = manifest.tree
            return Finding(
                dest,
                would,
                tuple(manifest.files[_index(i)].path for i in found["created"]),
                tuple(
                    Replaced(manifest.files[_index(i)].path, _index(size))
                    for i, size in found["replaced"]
                ),
                tuple(manifest.files[_index(i)].path for i in found["adjusted"]),
                tuple(tree.links[_index(i)].path for i in found["links"]) if tree else (),
                tuple(tree.directories[_index(i)].path for i in found["directories"])
                if tree
                else (),
                tuple(str(path) for path in found["removed"]),
            )
        except (zlib.error, ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
            raise ValueError(f"its agent's answer makes no sense ({error})") from None


def _index(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no number of a file")
    return value


def read_content(options: DeployOptions, hosts: int, stop: Callable[[], bool]) -> Content:
    """Hashes the sources as a deploy to ``hosts`` would, and their plain SHA-256: call it in a thread.

    Raises InputError as ``make_manifest`` does.
    """
    source = make_manifest(
        options.sources,
        options.chunk_size,
        hosts,
        default_place(),
        lambda done, total: None,
        exclude=options.exclude,
        stop=stop,
    )
    source.sums.start()
    while not source.sums.wait(0.2) and not source.sums.over:
        if stop():
            source.sums.stop()
            raise HashingStoppedError
    if None in source.sums.known:
        raise SourceChangedError(f"{source.name} changed while it was read: look again")
    return Content(source)


@dataclass(frozen=True, slots=True)
class PreviewReport:
    """``findings`` by host: those that could be looked at. ``source``: None if interrupted before."""

    source: Source | None
    errand: ErrandReport
    findings: Mapping[str, Finding]

    @property
    def single(self) -> bool:
        """One file by itself is deployed."""
        manifest = None if self.source is None else self.source.manifest
        return manifest is not None and manifest.tree is None and len(manifest.files) == 1

    @property
    def exit_code(self) -> int:
        return self.errand.exit_code

    def as_json(self) -> dict[str, Any]:
        """What ``-o json`` prints of a look beforehand."""
        content = None if self.source is None else _content_json(self.source)
        return {"check": True, "manifest": content, **self.errand.as_json()}


def _content_json(source: Source) -> dict[str, Any]:
    manifest = source.manifest
    return {
        "name": source.name,
        "digest": manifest.digest.hex(),
        "size": manifest.size,
        "files": len(manifest.files),
    }


class Preview:
    """``execute`` once; ``interrupt`` at any time from the event loop's thread."""

    def __init__(self, options: DeployOptions, warn: Callable[[str], None]) -> None:
        """``warn`` hears each warning."""
        self._options = options
        self._warn = warn
        self._interrupted: int | None = None
        self._errand: Errand | None = None

    def interrupt(self, exit_code: int) -> None:
        """130 or 143, or 124 at the deadline: what is known by then is told."""
        self._interrupted = self._interrupted or exit_code
        if self._errand is not None:
            self._errand.interrupt(exit_code)

    async def execute(self) -> PreviewReport:
        """Raises FleetpushError for what is wrong before any host is reached."""
        options = self._options
        for source in options.sources:
            if located(source) is not None:
                raise UsageError(
                    f"{source}: --check compares with files on this machine: name one here, or leave it out"
                )
        places = choose(options, self._warn)
        try:
            content = await asyncio.to_thread(
                read_content, options, len(places), lambda: self._interrupted is not None
            )
        except HashingStoppedError:
            return self._stopped(places)
        deadline = None
        if options.deadline is not None:
            loop = asyncio.get_running_loop()
            deadline = loop.call_later(options.deadline, self.interrupt, 124)
        report = await self._ask(places, content)
        if deadline is not None:
            deadline.cancel()
        findings = {}
        results = []
        for result in report.results:
            told = _understood(result, content)
            if isinstance(told, Finding):
                findings[result.host] = told
                results.append(replace(result, answer=told.as_json()))
            else:
                results.append(told)
        return PreviewReport(content.source, replace(report, results=tuple(results)), findings)

    def _stopped(self, places: list[Place]) -> PreviewReport:
        why = ("interrupted", "interrupted before it was asked")
        results = tuple(HostAnswer(place.name, ErrandStatus.FAILED, *why) for place in places)
        return PreviewReport(None, ErrandReport(results, 0.0, 0.0, self._interrupted), {})

    async def _ask(self, places: list[Place], content: Content) -> ErrandReport:
        tasks = {
            place.name: content.question(self._options, place.dest, place.release_dir)
            for place in places
        }
        targets = {place.name: place.target for place in places}
        self._errand = Errand(self._options.ssh, targets, tasks, self._warn)
        if self._interrupted is not None:
            self._errand.interrupt(self._interrupted)
        return await self._errand.execute()


def _understood(result: HostAnswer, content: Content) -> Finding | HostAnswer:
    if result.status is not ErrandStatus.OK:
        return result
    try:
        return content.finding(result.answer)
    except ValueError as error:
        return HostAnswer(result.host, ErrandStatus.FAILED, "bad_agent", str(error))
