"""Playbooks from the first play to the last: batches, rules, signals, the deadline, and the report."""

from __future__ import annotations

import asyncio
import functools
import secrets
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from fleetpush.deploy.play import events
from fleetpush.deploy.play.batch import Batch, Shared
from fleetpush.deploy.play.ledger import Ledger
from fleetpush.deploy.play.performing import performer_for
from fleetpush.deploy.play.program import load_program
from fleetpush.deploy.play.report import HostRecap, PlayRecap, PlayReport, Stop
from fleetpush.deploy.play.variables import PlayScope, Results
from fleetpush.deploy.progress import Notice
from fleetpush.deploy.verdict import DEADLINE, FAILED, OK, THRESHOLD, UNREACHABLE
from fleetpush.errors import FleetpushError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fleetpush.deploy.play.events import PlayEvent, PlayObserver
    from fleetpush.deploy.play.options import PlayOptions
    from fleetpush.deploy.play.performer import Performer
    from fleetpush.deploy.play.program import PlannedPlay, Program
    from fleetpush.inventory.model import Host, Inventory


class PlayRun:
    """One run of playbooks. ``execute`` once; ``interrupt`` at any time from the event loop's thread.

    ``make_performer`` takes the place of ``performer_for``.
    """

    def __init__(
        self,
        options: PlayOptions,
        observer: PlayObserver,
        make_performer: Callable[[PlayOptions, Program, PlayObserver], Performer] | None = None,
    ) -> None:
        self.check = options.check
        self._options = options
        self._observer = observer
        self._make_performer = make_performer or performer_for
        self._run_id = secrets.token_hex(16)
        self._began = 0.0
        self._ledger = Ledger()
        self._recaps: list[PlayRecap] = []
        self._work: asyncio.Task[None] | None = None
        self._halted = asyncio.Event()
        self._halt: Stop | None = None
        self._exit_code: int | None = None
        self._error: FleetpushError | None = None

    def interrupt(self, exit_code: int) -> None:
        """130 or 143. The first lets the task under way end, the second cuts it off.

        Nothing is left to stop once the plays are through and hosts are being left.
        """
        if self._work is not None and self._work.done():
            return
        if self._exit_code is not None and self._work is not None:
            self._work.cancel()
            return
        self._exit_code = exit_code
        self._stop(Stop("interrupted", "stopped by a signal"))

    async def execute(self) -> PlayReport:
        """Raises FleetpushError for what is wrong before any host is touched."""
        loop = asyncio.get_running_loop()
        self._began = loop.time()
        program = load_program(self._options, self._warn)
        assert program.inventory is not None
        performer = self._make_performer(self._options, program, self._observer)
        hosts = program.hosts()
        names = tuple(playbook.name for playbook in program.playbooks)
        self.tell(events.PlaybooksStarted(self.now(), self._run_id, names, len(hosts), self.check))
        limit = self._options.deadline
        timer = None if limit is None else loop.call_later(limit, self._deadline_passed, limit)
        try:
            await self._until_done(program, performer)
        finally:
            if timer is not None:
                timer.cancel()
            await performer.close()
        report = self._report(program, names)
        self.tell(events.PlaybooksFinished(self.now(), report))
        return report

    # -- what a batch asks of its run

    def tell(self, event: PlayEvent) -> None:
        self._observer.handle(event)

    def now(self) -> float:
        """Seconds since the run's start."""
        return asyncio.get_running_loop().time() - self._began

    def halted(self) -> Stop | None:
        """Why nothing new is to be begun, if so."""
        return self._halt

    async def pause(self, seconds: float) -> bool:
        """Waits; False if the run is halted before that."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._halted.wait()
        return self._halt is None

    # -- plays

    async def _until_done(self, program: Program, performer: Performer) -> None:
        """The plays; a failure of the run as a whole, a second signal or the deadline ends them early."""
        self._work = asyncio.create_task(self._plays(program, performer))
        try:
            await self._work
        except FleetpushError as error:
            self._error = error
            self._halt = Stop("error", str(error))
        except asyncio.CancelledError:
            ours = asyncio.current_task()
            if ours is not None and ours.cancelling():  # whoever called us, not only the work
                raise

    async def _plays(self, program: Program, performer: Performer) -> None:
        assert program.inventory is not None
        results = Results(program.inventory)
        shared = Shared(self, performer, self._ledger, results, set())
        for at, planned in enumerate(program.plays):
            later = program.plays[at + 1 :]
            if at and self._ledger.lost and planned.playbook is not program.plays[at - 1].playbook:
                self._say(f"{planned.playbook.name} is not begun: hosts failed before it")
                return
            stop = await self._play(planned, program, shared)
            if stop is not None:
                self._told_to_stop(planned, stop, program)
                return
            wanted = {host.name for play in later for host in play.hosts}
            free = [
                h.name for h in planned.hosts if h.name in shared.begun and h.name not in wanted
            ]
            shared.begun.difference_update(free)
            if free:
                await performer.release(free)

    async def _play(self, planned: PlannedPlay, program: Program, shared: Shared) -> Stop | None:
        names = tuple(host.name for host in planned.hosts)
        sizes = tuple(len(batch) for batch in planned.batches)
        assert program.inventory is not None
        self.tell(events.PlayStarted(self.now(), planned.name, planned.play.where, names, sizes))
        batches = tuple(tuple(host.name for host in batch) for batch in planned.batches)
        self._recaps.append(PlayRecap(planned.name, planned.playbook.name, batches, 0))
        for number, batch in enumerate(planned.batches if planned.tasks else (), 1):
            if self._halt is not None:
                return self._halt
            left = tuple(self._ledger.left(batches[number - 1]))
            self.tell(events.BatchStarted(self.now(), planned.name, number, len(batches), left))
            scopes = functools.partial(self._scopes, planned, batch, program.inventory, shared)
            stop = await Batch(planned, batch, scopes, shared).run()
            if stop is not None:
                return stop
            self._recaps[-1] = replace(self._recaps[-1], batches_done=number)
        self.tell(events.PlayFinished(self.now(), planned.name))
        return None

    def _scopes(
        self, planned: PlannedPlay, batch: Sequence[Host], inventory: Inventory, shared: Shared
    ) -> PlayScope:
        hosts = [host.name for host in planned.hosts]
        left = self._ledger.left
        given: Mapping[str, object] = {
            "playbook_dir": str(planned.playbook.path.parent),
            "ansible_play_name": planned.name,
            "ansible_play_hosts_all": hosts,
            "ansible_play_hosts": left(hosts),
            "ansible_play_batch": left(host.name for host in batch),
            "ansible_check_mode": self.check,
            "ansible_run_tags": list(self._options.tags) or ["all"],
            "ansible_skip_tags": list(self._options.skip_tags),
            "ansible_limit": self._options.limit,
        }
        return PlayScope(inventory, planned.play.vars, shared.results, given)

    # -- how it ends

    def _told_to_stop(self, planned: PlannedPlay, stop: Stop, program: Program) -> None:
        self._recaps[-1] = replace(self._recaps[-1], stop=stop)
        untouched = tuple(self._ledger.untouched(program.hosts()))
        self.tell(
            events.PlayStopped(self.now(), planned.name, stop.reason, stop.message, untouched)
        )

    def _deadline_passed(self, seconds: float) -> None:
        self._stop(Stop("deadline", f"the deadline of {seconds:g} s passed"))
        if self._work is not None:
            self._work.cancel()

    def _stop(self, stop: Stop) -> None:
        if self._halt is None:
            self._halt = stop
            self._halted.set()

    def _warn(self, text: str) -> None:
        self.tell(Notice(self.now(), "warning", text))

    def _say(self, text: str) -> None:
        self.tell(Notice(self.now(), "info", text))

    def _report(self, program: Program, names: tuple[str, ...]) -> PlayReport:
        if self._halt is not None and self._recaps and self._recaps[-1].stop is None:
            self._recaps[-1] = replace(self._recaps[-1], stop=self._halt)
        stop = next((recap.stop for recap in self._recaps if recap.stop), None)
        results = self._ledger.recap(program.hosts(), self._unfinished(program))
        return PlayReport(
            run_id=self._run_id,
            exit_code=self._code(stop, results),
            check=self.check,
            playbooks=names,
            plays=tuple(self._recaps),
            results=results,
            total_s=self.now(),
            error=str(self._error) if self._error else "",
        )

    def _unfinished(self, program: Program) -> set[str]:
        """Hosts for which there was more to do when all ended."""
        found = {host.name for play in program.plays[len(self._recaps) :] for host in play.hosts}
        if self._recaps and self._recaps[-1].stop is not None:
            last = self._recaps[-1]
            found.update(name for batch in last.batches[last.batches_done :] for name in batch)
        return found

    def _code(self, stop: Stop | None, results: Sequence[HostRecap]) -> int:
        """The first that matches wins: a signal, an error, the deadline, a rule, the hosts."""
        if self._exit_code is not None:
            return self._exit_code
        if self._error is not None:
            return self._error.exit_code
        if stop is not None and stop.reason == "deadline":
            return DEADLINE
        held_back = any(result.end in ("stopped", "untouched") for result in results)
        if stop is not None and (stop.by_threshold or held_back):
            return THRESHOLD
        if any(result.end == "failed" for result in results):
            return FAILED
        return UNREACHABLE if self._ledger.lost else OK
