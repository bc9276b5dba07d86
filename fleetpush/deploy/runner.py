"""One run: from options to a report. The whole path of a deploy, in the order in which it happens.

``Run`` wires the parts together and watches the clock; what they do is theirs: ``fleet`` chooses hosts,
``source`` makes the manifest, ``enlist`` brings agents up, ``conductor`` lets them find each other.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

from fleetpush.deploy.activation import Activation
from fleetpush.deploy.admission import Admission
from fleetpush.deploy.conducting import conducting
from fleetpush.deploy.ending import end_tasks, send_away, why_over
from fleetpush.deploy.enlist import Enlistment
from fleetpush.deploy.fleet import chosen, own_destinations, source_places
from fleetpush.deploy.identity import RunIdentity
from fleetpush.deploy.member import ORIGIN, Member
from fleetpush.deploy.named_sources import wanted_from
from fleetpush.deploy.origins.elsewhere import Elsewhere
from fleetpush.deploy.origins.here import Here
from fleetpush.deploy.origins.remains import Remains
from fleetpush.deploy.progress import HostPhase
from fleetpush.deploy.reporting import Chronicle
from fleetpush.deploy.sessions.enlistment import SessionEnlistment
from fleetpush.deploy.verdict import SOURCE_FAULTS
from fleetpush.deploy.vigil import Vigil
from fleetpush.errors import HostFailure, InputError
from fleetpush.remote.connectors import Connectors, files_for, raise_fd_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from fleetpush.deploy.conductor import Conductor
    from fleetpush.deploy.contacts import ContactList
    from fleetpush.deploy.enlist import Memory
    from fleetpush.deploy.fleet import Place
    from fleetpush.deploy.options import DeployOptions
    from fleetpush.deploy.origins.here import Origins
    from fleetpush.deploy.progress import Observer
    from fleetpush.deploy.results import RunReport
    from fleetpush.deploy.sessions.enlistment import Gathering
    from fleetpush.deploy.source import Source

INTERRUPTED = 130


class Run:
    """One deploy. ``execute`` once; ``interrupt`` at any time from the event loop's thread.

    ``among``: hosts that have sessions already take part over these; else each is connected to.
    ``memory``: what earlier runs left to know.
    """

    def __init__(
        self,
        options: DeployOptions,
        observer: Observer,
        *,
        among: Gathering | None = None,
        memory: Memory | None = None,
    ) -> None:
        self._options = options
        self._memory = memory
        self._among = among
        self._run_id = secrets.token_hex(16)
        self._chronicle = Chronicle(options, observer, self._run_id)
        self._members: dict[str, Member] = {}
        self._origins: Origins = Here(options, self._changed)
        self._remains: Remains | None = None
        self._conductor: Conductor | ContactList | None = None
        self._admission = Admission([], gather=False)
        self._source: Source | None = None
        self._draining = asyncio.Event()
        self._over = asyncio.Event()
        """Nothing more is waited for: aborted, out of time, or the source is gone."""
        self._interrupted: int | None = None
        self._vigil: Vigil | None = None
        self._activation = Activation(options, self._decided)
        self._origin_failure: HostFailure | None = None
        self._acts: dict[str, Callable[[Member, dict[str, Any]], None]] = {
            "hello": self._hello,
            "ready": self._ready,
            "progress": self._progressed,
            "edge_failed": self._edge_failed,
            "behind": self._fell_behind,
            "owns": self._owns,
            "complete": self._complete,
            "verified": self._verified,
            "activated": self._activated,
            "success": self._succeeded,
            "failure": self._lost,
            "gone": self._lost,
        }

    def interrupt(self, exit_code: int) -> None:
        """130 or 143. The first call drains (hosts that trade may finish), the second aborts."""
        if self._interrupted is None:
            self._interrupted = exit_code
            self._draining.set()
            self._chronicle.notice(
                "warning", "interrupted: finishing the hosts under way (again to abort)"
            )
        else:
            self._over.set()

    async def execute(self) -> RunReport:
        """Raises FleetpushError only for what is wrong before any host is told of the content."""
        places = self._places()
        try:
            return await self._execute(places)
        finally:
            await self._origins.close()

    async def _execute(self, places: list[Place]) -> RunReport:
        raise_fd_limit(files_for(place.target for place in places) + 256)
        self._members = {
            str(i): Member(str(i), place.name, place.rack, self._changed)
            for i, place in enumerate(places)
        }
        everyone = [*self._origins.members, *self._members.values()]
        self._admission = Admission(everyone, gather=self._options.gather)
        self._activation.expect(self._members.values())
        self._vigil = Vigil(self._options, self._chronicle, everyone, self._admission, self._tick)
        self._chronicle.started(list(self._members.values()))
        hashing = asyncio.create_task(self._hash(len(places)))
        watch = asyncio.create_task(self._vigil.keep(self._over))
        connectors = self._among.connectors if self._among else Connectors(self._options.ssh)
        enlistment = self._enlistment(connectors)
        agents: list[asyncio.Task[None]] = []
        work = asyncio.create_task(self._deploy(places, hashing, enlistment, agents))
        over = asyncio.create_task(self._over.wait())
        try:
            await asyncio.wait([work, over, watch], return_when=asyncio.FIRST_COMPLETED)
            if watch.done():
                watch.result()  # it ends by itself only when it fails: nobody would beat any more
            if work.done():
                work.result()
            else:
                self._dismiss()
        except asyncio.CancelledError:
            self._interrupted = (
                self._interrupted or INTERRUPTED
            )  # by whoever called; no report then
            raise
        finally:
            over.cancel()
            work.cancel()
            await self._leave(agents, hashing, watch)
            if self._among is None:
                await connectors.close()
            warnings = (*connectors.warnings, *enlistment.warnings, *self._origins.warnings)
            self._chronicle.warn_all(warnings)
        return await self._chronicle.finished(
            list(self._members.values()),
            self._origins,
            self._source,
            self._activation,
            interrupted=self._interrupted,
            deadline_passed=self._vigil.deadline_passed,
            origin_failure=self._origin_failure,
        )

    def _places(self) -> list[Place]:
        """The run's hosts; where sources are on hosts, those become the origins."""
        if self._among is not None:
            return self._among.places
        wanted = wanted_from(self._options)
        inventory, places = chosen(self._options, lambda t: self._chronicle.notice("warning", t))
        if wanted:
            there = source_places(wanted, self._options, inventory)
            dests = {name: own_destinations(place, places) for name, place in there.items()}
            self._origins = Elsewhere(self._options, wanted, there, dests, self._changed)
        return places

    def _enlistment(self, connectors: Connectors) -> Enlistment:
        if self._among is None:
            return Enlistment(self._options, connectors, self._run_id, self._draining, self._memory)
        return SessionEnlistment(
            self._options, self._among, self._run_id, self._draining, self._memory
        )

    def _tick(self) -> None:
        if self._conductor is not None:
            self._conductor.tick()
        if self._remains is not None:
            self._remains.tick()

    async def _hash(self, hosts: int) -> Source:
        loop = asyncio.get_running_loop()

        def hashed(done: int, total: int) -> None:
            loop.call_soon_threadsafe(self._chronicle.hashing, done, total)

        return await self._origins.source(hosts, hashed, self._over.is_set)

    async def _deploy(
        self,
        places: list[Place],
        hashing: asyncio.Task[Source],
        enlistment: Enlistment,
        agents: list[asyncio.Task[None]],
    ) -> None:
        """Brings every agent up and waits until every host is settled."""

        def begin(life: Coroutine[None, None, None]) -> None:
            agents.append(asyncio.create_task(life))
            agents[-1].add_done_callback(self._life_over)

        for member, place in zip(self._members.values(), places, strict=True):
            begin(enlistment.host(member, place))
        source = await hashing
        self._refuse_other_content(source)
        self._source = source
        for note in source.notes:
            self._chronicle.notice("info", note)
        for host, text in self._origins.left_out():
            self._chronicle.notice("warning", text, host)
        self._chronicle.source_ready(source)
        identity = RunIdentity(self._run_id)
        topology = self._chronicle.topology
        shares, members = self._origins.shares, list(self._members.values())
        self._conductor = conducting(self._options, source.manifest, topology, shares)
        if shares is not None:
            origins = self._origins.members
            self._remains = Remains(source.manifest, shares, origins, members, self._gone)
        enlistment.ready(source, identity, topology, len(places))
        for life in self._origins.lives(enlistment, places):
            begin(life)
        source.sums.start()
        for member in self._members.values():
            await member.settled.wait()

    def _refuse_other_content(self, source: Source) -> None:
        expected, found = self._options.expected, source.manifest.digest.hex()
        if expected is not None and found != expected:
            raise InputError(
                f"{source.name}: not what that run deployed any more (its digest was"
                f" {expected[:12]}, now it is {found[:12]})",
                slug="other_content",
            )

    def _life_over(self, agent: asyncio.Task[None]) -> None:
        """What is no host's failure is the run's: that host would never settle."""
        if not agent.cancelled() and agent.exception() is not None:
            self._over.set()

    # -- agents report

    def _changed(self, member: Member, kind: str, message: dict[str, Any]) -> None:
        """Every message of an agent passes here, after the member took it in."""
        now = asyncio.get_running_loop().time()
        member.heard_at = now
        if kind != "beat":
            member.moved_at = now
        self._chronicle.heard(member, kind, message)
        act = self._acts.get(kind)
        if act is not None:
            act(member, message)

    def _hello(self, member: Member, message: dict[str, Any]) -> None:
        if not member.is_origin:
            member.enter(HostPhase.SCANNING)

    def _ready(self, member: Member, message: dict[str, Any]) -> None:
        if self._source is None or self._conductor is None:
            return
        try:
            member.take_ready(message, self._source.manifest)
        except (KeyError, ValueError) as error:
            member.channel_broken(f"a bitfield that does not fit ({error})")
            return
        member.ready_at = self._chronicle.at()
        self._join(self._conductor, self._admission.ready(member))

    def _join(self, conductor: Conductor | ContactList, admitted: list[Member]) -> None:
        for member in admitted:
            member.moved_at = asyncio.get_running_loop().time()
            if not member.is_origin and member.phase is HostPhase.SCANNING:
                member.enter(HostPhase.EXCHANGING)
            conductor.join(member)
            if member.settled.is_set():  # it had everything, and said so while it was held back
                conductor.finished(member)

    def _progressed(self, member: Member, message: dict[str, Any]) -> None:
        if self._conductor is not None:
            self._conductor.links(member)

    def _complete(self, member: Member, message: dict[str, Any]) -> None:
        member.enter(HostPhase.VERIFYING)

    def _edge_failed(self, member: Member, message: dict[str, Any]) -> None:
        if self._conductor is not None and isinstance(message.get("peer"), str):
            self._conductor.dial_failed(member, message["peer"])

    def _fell_behind(self, member: Member, message: dict[str, Any]) -> None:
        if self._conductor is not None:
            self._conductor.fell_behind(member, message)

    def _verified(self, member: Member, message: dict[str, Any]) -> None:
        wanted = self._source.manifest.digest.hex() if self._source else ""
        if not member.prove(message, wanted, self._chronicle.at()):
            return
        if self._options.activate == "none":
            member.succeed()
        elif self._options.activate == "together":
            self._activation.verified(member, self._chronicle.at())

    def _activated(self, member: Member, message: dict[str, Any]) -> None:
        if member.digest is None:
            member.channel_broken("word of an activation before any proof")
            return
        member.activated = True
        member.changed = bool(message.get("changed"))
        self._activation.switched(self._chronicle.at())
        member.succeed()

    def _succeeded(self, member: Member, message: dict[str, Any]) -> None:
        # Hosts that switch together stay to the end: what they keep to go back to goes only then.
        if self._conductor is not None and self._options.activate != "together":
            self._conductor.finished(member)

    def _lost(self, member: Member, message: dict[str, Any]) -> None:
        if member.failure is None and not member.gone.is_set():
            return
        admitted = self._admission.lost(member)
        self._activation.lost(self._chronicle.at())
        alone = member.peer == ORIGIN
        if self._conductor is not None and not alone:
            self._conductor.leave(member)
            self._join(self._conductor, admitted)
        if self._remains is not None and not self._over.is_set():
            self._remains.lost()
            if member.is_origin and member.failure is not None and self._interrupted is None:
                text = f"{member.name}: sends no more: {member.failure.message}"
                self._chronicle.warn_all([text])
        if alone and not self._over.is_set() and not self._all_settled():
            failure = member.failure or HostFailure("agent_lost", "its agent is gone")
            # After a time in which we did not beat, it has left because of us, like the hosts.
            excused = self._vigil is not None and self._vigil.excuses
            if not excused or failure.slug in SOURCE_FAULTS:
                self._origin_failure = failure
            self._over.set()

    def _owns(self, member: Member, message: dict[str, Any]) -> None:
        if self._remains is not None:
            try:
                self._remains.heard(member, message)
            except (KeyError, ValueError) as error:
                member.channel_broken(f"a bitfield that does not fit ({error})")

    def _gone(self, failure: HostFailure) -> None:
        """Hosts that are not done never will be: something of the content is nowhere any more."""
        if failure.slug in SOURCE_FAULTS:
            self._origin_failure = failure
            self._over.set()
            return
        for member in self._members.values():
            if not member.settled.is_set():
                member.fail(failure)
                member.channel.say({"do": "leave"})

    def _decided(self, hosts: Sequence[str]) -> None:
        """Before the first host is told to switch: whoever records runs has it when this returns."""
        self._chronicle.decided(hosts)

    def _all_settled(self) -> bool:
        return all(m.settled.is_set() for m in self._members.values())

    # -- the end

    def _dismiss(self) -> None:
        passed = self._vigil is not None and self._vigil.deadline_passed
        why = why_over(self._interrupted, self._origin_failure, deadline_passed=passed)
        for member in self._members.values():
            member.dismissed = why

    async def _leave(
        self,
        agents: list[asyncio.Task[None]],
        hashing: asyncio.Task[Source],
        watch: asyncio.Task[None],
    ) -> None:
        """Every agent told to go, every task ended, whatever state they are in."""
        self._over.set()
        for origin in self._origins.members:
            origin.settled.set()  # that it ends now is no failure of its
        everyone = [*self._origins.members, *self._members.values()]
        await send_away(everyone, settled=self._activation.settled)
        error = await end_tasks(agents, watch, hashing)
        if self._conductor is not None:
            await self._conductor.close()
        if self._source is not None and (self._interrupted or self._origin_failure):
            self._source.sums.stop()
        if error is not None:
            raise error
