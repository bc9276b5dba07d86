"""Hosts of the inventory as origins: the content lies there, and none of it comes to this machine.

Each has one agent that stays: it hashes, takes part in the exchange as an origin, and says the plain sums. A
host that also gets the content has a second one for that.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fleetpush.deploy.hashing import HashingStoppedError
from fleetpush.deploy.member import ORIGIN, Member
from fleetpush.deploy.origins.sums import RemoteSums
from fleetpush.deploy.origins.survey import Survey, Surveyed
from fleetpush.deploy.results import OriginResult
from fleetpush.deploy.sessions.fleet import Sessions
from fleetpush.deploy.source import Source
from fleetpush.errors import HostError, HostFailure, InputError
from fleetpush.remote.bootstrap import staying_kit
from fleetpush.swarm import bitfield
from fleetpush.swarm.plan.shares import Shares

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from fleetpush.deploy.enlist import Enlistment
    from fleetpush.deploy.fleet import Place
    from fleetpush.deploy.named_sources import Wanted
    from fleetpush.deploy.options import DeployOptions
    from fleetpush.deploy.origins.here import Changed, Hashed

MANIFEST_MOST = 1536 * 1024
"""Bytes of a manifest that an agent which stays can be told."""

LOOK_EVERY = 0.2


class Elsewhere:
    """``hosts``: those that sources are on, as they are reached; ``dests``: where the run's hosts get them.

    Ends with ``close``.
    """

    def __init__(
        self,
        options: DeployOptions,
        wanted: Sequence[Wanted],
        hosts: Mapping[str, Place],
        dests: Mapping[str, Sequence[str]],
        changed: Changed,
    ) -> None:
        self._options = options
        self._wanted = wanted
        self._places = hosts
        self._dests = dests
        self.shares: Shares | None = None
        self._sessions = Sessions(options.ssh, staying_kit(sources=True))
        self._found: Surveyed | None = None
        self._begun = False
        self.members = [
            Member(f"{ORIGIN}{number}", place.name, place.rack, changed)
            for number, place in enumerate(hosts.values(), 1)
        ]

    @property
    def warnings(self) -> list[str]:
        return self._sessions.warnings

    # -- before the exchange

    async def source(self, hosts: int, hashed: Hashed, stop: Callable[[], bool]) -> Source:
        work = asyncio.create_task(self._survey(hosts, hashed))
        while not work.done():
            await asyncio.wait([work], timeout=LOOK_EVERY)
            if stop() and not work.done():
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
                raise HashingStoppedError
        found = self._found = work.result()
        if len(found.manifest.encode()) > MANIFEST_MOST:
            raise InputError("too many chunks for hosts as origins: give a larger --chunk-size")
        holdings = found.holdings()
        by_name = {member.name: member for member in self.members}
        self.shares = Shares({by_name[host].peer: mask for host, mask in holdings.items()})
        for name, member in by_name.items():
            if name not in holdings:
                member.fail(self._why_out(name))
        name = ", ".join(each.name for each in self._wanted)
        sums = RemoteSums(self._sessions, found)
        return Source(found.manifest, name, (), sums, (*found.notes, *self._which()))

    async def _survey(self, hosts: int, hashed: Hashed) -> Surveyed:
        await self._sessions.__aenter__()
        self._begun = True
        targets = {name: place.target for name, place in self._places.items()}
        failures = await self._sessions.begin(targets)
        survey = Survey(self._sessions, self._wanted, self._dests, hashed)
        return await survey.execute(failures, self._options.chunk_size, hosts)

    def _why_out(self, host: str) -> HostFailure:
        assert self._found is not None
        failures = [r.failure for r in self._found.replicas if r.place.host == host and r.failure]
        return failures[0]

    def left_out(self) -> list[tuple[str, str]]:
        """Host and reason of every file that is not sent from a host it was named on."""
        if self._found is None:
            return []
        return [
            (r.place.host, f"left out as an origin: {r.failure.message}")
            for r in self._found.replicas
            if r.failure is not None
        ]

    def _which(self) -> tuple[str, ...]:
        assert self._found is not None
        hosts = list(dict.fromkeys(r.place.host for r in self._found.good()))
        return (f"sent from {', '.join(hosts)}; nothing of it passes through this machine",)

    # -- the exchange

    def lives(
        self, enlistment: Enlistment, places: list[Place]
    ) -> Sequence[Coroutine[None, None, None]]:
        return [self._life(m, enlistment) for m in self.members if m.failure is None]

    async def _life(self, member: Member, enlistment: Enlistment) -> None:
        """An origin's part; its failure is its own."""
        place, session = self._places[member.name], self._sessions[member.name]
        try:
            member.channel = session.lend(member)
            member.connection = session.connection
            await enlistment.take_part(member, self._config(member, place), place.target)
        except HostError as error:
            member.fail(error.failure)
        finally:
            member.gone.set()
            member.greeted.set()
            session.take_back()

    def _config(self, member: Member, place: Place) -> dict[str, Any]:
        assert self._found is not None
        assert self.shares is not None
        chunks = self._found.manifest.chunks
        paths = [""] * len(self._found.manifest.files)
        for replica in self._found.good(member.name):
            paths[replica.file] = replica.path
        local = place.target.connection == "local"
        limits = [r for r in (self._options.bwlimit, self._options.host_bwlimit) if r]
        return {
            "role": "origin",
            "ssh": not local,
            "address": place.address or ("127.0.0.1" if local else ""),
            "ports": place.ports,
            "dest": "",
            "release": None,
            "known": {},
            "paths": paths,
            "leaves": None,
            "holds": bitfield.to_bytes(self.shares.holds(member.peer), chunks).hex(),
            "share": bitfield.to_bytes(self.shares.of(member.peer), chunks).hex(),
            "up_limit": min(limits, default=None),
            "down_limit": None,
        }

    # -- the end

    def results(self) -> tuple[OriginResult, ...]:
        return tuple(self._result(member) for member in self.members)

    def _result(self, member: Member) -> OriginResult:
        failure = member.failure
        out = failure is not None and member.address is None
        status = "left_out" if out else "lost" if failure is not None else "sent"
        why = (failure.slug, failure.message) if failure is not None else ("", "")
        files = [
            self._wanted[r.file].name
            for r in (self._found.good(member.name) if self._found else ())
        ]
        return OriginResult(member.name, status, *why, tuple(files), member.figures.sent)

    async def close(self) -> None:
        if self._begun:
            self._begun = False
            await self._sessions.__aexit__()
