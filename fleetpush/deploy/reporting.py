"""The run's record: what observers hear while it goes on, and the report at its end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fleetpush.deploy import progress
from fleetpush.deploy.diagnosis.rules import diagnose
from fleetpush.deploy.diagnosis.witness import Witness
from fleetpush.deploy.planning.bound import Content
from fleetpush.deploy.planning.hindsight import bound_of_run
from fleetpush.deploy.progress import HostPhase
from fleetpush.deploy.results import FileSum, HostStatus, RunReport, Timing, Traffic
from fleetpush.deploy.said import told_every
from fleetpush.deploy.topology import choose_topology
from fleetpush.deploy.verdict import RateGauge, exit_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleetpush.deploy.activation import Activation
    from fleetpush.deploy.member import Member
    from fleetpush.deploy.options import DeployOptions
    from fleetpush.deploy.origins.here import Origins
    from fleetpush.deploy.progress import Level, Observer
    from fleetpush.deploy.results import HostResult, LostTime
    from fleetpush.deploy.source import Source
    from fleetpush.errors import HostFailure

NOTES = 20
"""Sentences of one host's agent that are passed on: one that floods the operator hides what others say."""

SUMS_WITHIN = 600.0
"""Seconds that the end of a run waits for the source's plain checksums."""


class Chronicle:
    """Turns what members say into events, and all of it into a ``RunReport``."""

    def __init__(self, options: DeployOptions, observer: Observer, run_id: str) -> None:
        self.topology = choose_topology(options.topology, options.tree_fanout, options.discovery)
        self._options = options
        self._observer = observer
        self._run_id = run_id
        self._began = time.monotonic()
        self._gauge = RateGauge()
        self._size = 0
        self._first_block_at: float | None = None
        self._rates: dict[str, tuple[float, int, int]] = {}
        self._warned: set[str] = set()
        self._finished: set[str] = set()
        self._names: dict[str, str] = {}
        """Of the peers, as the operator knows them."""
        self._notes: Counter[str] = Counter()
        self._witness = Witness()

    def at(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    # -- while it runs

    def started(self, members: Sequence[Member]) -> None:
        names = tuple(member.name for member in members)
        self._names = {member.peer: member.name for member in members}
        options = self._options
        self._tell(
            progress.RunStarted(
                self.at(),
                self._run_id,
                "deploy",
                names,
                self.topology,
                options.discovery,
                options.encrypt,
            )
        )

    def notice(self, level: Level, text: str, host: str | None = None) -> None:
        self._tell(progress.Notice(self.at(), level, text, host))

    def warn_all(self, texts: Sequence[str]) -> None:
        """Each once."""
        for text in texts:
            if text not in self._warned:
                self._warned.add(text)
                self.notice("warning", text)

    def hashing(self, done: int, total: int) -> None:
        self._tell(progress.SourceHashing(self.at(), done, total))

    def source_ready(self, source: Source) -> None:
        manifest = source.manifest
        self._size = manifest.size
        self._tell(
            progress.SourceReady(
                self.at(),
                source.name,
                manifest.digest.hex(),
                manifest.size,
                manifest.chunk_size,
                manifest.chunks,
                len(manifest.files),
            )
        )

    def heard(self, member: Member, kind: str, message: dict[str, Any]) -> None:
        """``member`` said or did something."""
        at = self.at()
        if kind == "phase":
            self._witness.entered(member, at)
        if kind == "connected":
            member.connected_at = at
        elif kind == "progress":
            self._progress(member, at)
        elif kind == "began" and self._first_block_at is None:
            self._first_block_at = at
        elif kind == "dropped":
            self._note(member, f"dropped its neighbour {self._who(message)}")
        elif kind == "note":
            self._note(member, message["message"])
        elif not member.is_origin:
            if kind == "phase":
                self._tell(progress.HostPhaseChanged(at, member.name, member.phase))
            elif kind in ("failure", "success"):
                self._finish(member, at)

    def _who(self, message: dict[str, Any]) -> str:
        """Whom a host dropped, and why."""
        peer, reason = message["peer"], message["reason"]
        return f"{self._names.get(peer, peer)}: it {reason}"

    def _note(self, member: Member, text: str) -> None:
        self._notes[member.peer] += 1
        if self._notes[member.peer] <= NOTES:
            self.notice("warning", text, member.name)
        elif self._notes[member.peer] == NOTES + 1:
            self.notice("warning", "its agent says more than is shown here", member.name)

    def _progress(self, member: Member, at: float) -> None:
        figures = member.figures
        self._witness.progressed(member, at, self._size)
        rate_in = self._gauge.add(f"{member.peer} in", figures.content_in, at)
        rate_out = self._gauge.add(f"{member.peer} out", figures.content_out, at)
        if member.is_origin:
            return
        self._tell(
            progress.HostProgress(
                at,
                member.name,
                min(figures.done, self._size),
                self._size,
                rate_in,
                rate_out,
                _why_slow(member),
                figures.reused,
            )
        )

    def _finish(self, member: Member, at: float) -> None:
        if member.peer in self._finished:
            return
        self._finished.add(member.peer)
        result = member.result()
        self._tell(progress.HostPhaseChanged(at, member.name, HostPhase.DONE))
        self._tell(
            progress.HostFinished(at, member.name, result.status, result.slug, result.message)
        )

    def _tell(self, event: progress.Event) -> None:
        self._observer.handle(event)

    def decided(self, hosts: Sequence[str]) -> None:
        """``hosts`` are about to switch, all together."""
        self._tell(progress.ActivationDecided(self.at(), tuple(hosts)))

    # -- at the end

    async def finished(
        self,
        members: Sequence[Member],
        origins: Origins,
        source: Source | None,
        activation: Activation,
        *,
        interrupted: int | None,
        deadline_passed: bool,
        origin_failure: HostFailure | None,
    ) -> RunReport:
        """The report, after the last host's last word."""
        for member in members:
            self._finish(member, self.at())
        results = tuple(member.result() for member in members)
        code = exit_code(
            results,
            interrupted=interrupted,
            origin_failure=origin_failure,
            deadline_passed=deadline_passed,
            min_success=self._options.min_success,
            held_back=bool(activation.held_back),
        )
        if source is not None and code not in (130, 143):
            await asyncio.to_thread(source.sums.wait, SUMS_WITHIN)
        manifest = source.manifest if source else None
        timing = self._timing(members, results, source, origins)
        report = RunReport(
            run_id=self._run_id,
            command="deploy",
            exit_code=code,
            topology=self.topology,
            discovery=self._options.discovery,
            encrypt=self._options.encrypt,
            manifest_digest=manifest.digest.hex() if manifest else "",
            manifest_name=source.name if source else "",
            size=manifest.size if manifest else 0,
            chunk_size=manifest.chunk_size if manifest else 0,
            chunks=manifest.chunks if manifest else 0,
            files=_sums(source),
            results=results,
            timing=replace(timing, activation_spread_s=activation.spread),
            traffic=_traffic(members, origins.members),
            error=_why_over(origin_failure) or activation.held_back,
            origins=origins.results(),
            lost_time=self._lost_time(members, results, origins, timing),
        )
        self._tell(progress.RunFinished(self.at(), report))
        return report

    def _timing(
        self,
        members: Sequence[Member],
        results: Sequence[HostResult],
        source: Source | None,
        origins: Origins,
    ) -> Timing:
        fresh = [
            r for r in results if r.status is HostStatus.VERIFIED and r.verified_at_s is not None
        ]
        last = max((r.verified_at_s or 0.0 for r in fresh), default=None)
        makespan = None
        if last is not None and self._first_block_at is not None:
            makespan = max(0.0, last - self._first_block_at)
        least, where = None, ""
        if source is not None and makespan is not None:
            sending = [m for m in origins.members if m.figures.sent]
            least, where = self._bound(members, results, source, max(1, len(sending)))
        return Timing(
            connect_s=max(
                (m.connected_at for m in members if m.connected_at is not None), default=None
            ),
            bootstrap_s=max((m.ready_at for m in members if m.ready_at is not None), default=None),
            makespan_s=makespan,
            bound_s=least,
            bound_source=where,
            total_s=self.at(),
        )

    def _lost_time(
        self,
        members: Sequence[Member],
        results: Sequence[HostResult],
        origins: Origins,
        timing: Timing,
    ) -> tuple[LostTime, ...]:
        if self._first_block_at is None or timing.makespan_s is None or timing.bound_s is None:
            return ()
        pairs = zip(members, results, strict=True)
        evidence = self._witness.evidence(
            [member for member, result in pairs if result.status is HostStatus.VERIFIED],
            origins.members,
            began=self._first_block_at,
            makespan=timing.makespan_s,
            bound=timing.bound_s,
            size=self._size,
            bwlimit=self._options.bwlimit,
            told_every=told_every(len(members)),
        )
        return diagnose(evidence)

    def _bound(
        self, members: Sequence[Member], results: Sequence[HostResult], source: Source, origins: int
    ) -> tuple[float | None, str]:
        by_status: dict[HostStatus, list[Member]] = {status: [] for status in HostStatus}
        for member, result in zip(members, results, strict=True):
            by_status[result.status].append(member)
        fresh = by_status[HostStatus.VERIFIED]
        seen = self._witness.best_rate(fresh, self._first_block_at or 0.0, self._size)
        return bound_of_run(
            fresh,
            by_status[HostStatus.ALREADY_PRESENT],
            self._options,
            max(self._gauge.best, seen),
            Content(source.manifest.size, source.manifest.chunks),
            origins=origins,
        )


def _why_over(origin_failure: HostFailure | None) -> str:
    if origin_failure is None:
        return ""
    if origin_failure.slug == "source_changed":
        return origin_failure.message
    return f"the origin's agent on this machine failed: {origin_failure.message}"


def _why_slow(member: Member) -> str:
    figures = member.figures
    if member.phase is not HostPhase.EXCHANGING:
        return ""
    if not figures.links:
        return "no peer link"
    if member.over_ssh:
        return "linked through SSH"
    return "one peer link" if figures.links == 1 else ""


def _sums(source: Source | None) -> tuple[FileSum, ...]:
    if source is None:
        return ()
    files = zip(source.manifest.files, source.sums.known, strict=True)
    return tuple(FileSum(file.path, file.size, known) for file, known in files)


def _traffic(members: Sequence[Member], origins: Sequence[Member]) -> Traffic:
    everyone = [*origins, *members]
    return Traffic(
        origin_bytes_sent=sum(m.figures.sent for m in origins),
        peer_bytes_sent=sum(m.figures.sent for m in members),
        cross_rack_bytes=sum(m.figures.cross for m in everyone),
        control_bytes=sum(m.channel.bytes_in + m.channel.bytes_out for m in everyone),
    )
