"""One batch of a play: every task on all its hosts, then the next task, until a rule says stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from fleetpush.deploy.play import events
from fleetpush.deploy.play.report import Stop
from fleetpush.deploy.play.taskrun import TaskRun
from fleetpush.deploy.play.verdict import failure
from fleetpush.playbook.batches import too_many
from fleetpush.playbook.model import Flush, Handler, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fleetpush.deploy.play.ledger import Ledger
    from fleetpush.deploy.play.performer import Call, Outcome, Performer
    from fleetpush.deploy.play.program import PlannedPlay
    from fleetpush.deploy.play.variables import PlayScope, Results
    from fleetpush.deploy.play.verdict import Verdict
    from fleetpush.inventory.model import Host


class Conductor(Protocol):
    """The run that a batch is part of."""

    @property
    def check(self) -> bool: ...

    def tell(self, event: events.PlayEvent) -> None: ...

    def now(self) -> float:
        """Seconds since the run's start."""

    def halted(self) -> Stop | None:
        """Why nothing new is to be begun, if so."""

    async def pause(self, seconds: float) -> bool:
        """Waits; False if the run is halted before that."""


class Shared(NamedTuple):
    """What all batches of a run work with. ``begun``: hosts that are connected."""

    conductor: Conductor
    performer: Performer
    ledger: Ledger
    results: Results
    begun: set[str]


class Batch:
    """``run`` once. ``scopes`` makes the hosts' variables anew for each task: who is left is among them."""

    def __init__(
        self,
        planned: PlannedPlay,
        hosts: Sequence[Host],
        scopes: Callable[[], PlayScope],
        shared: Shared,
    ) -> None:
        self._planned = planned
        self._hosts = hosts
        self._by_name = {host.name: host for host in hosts}
        self._scopes = scopes
        self._conductor = shared.conductor
        self._performer = shared.performer
        self._ledger = shared.ledger
        self._results = shared.results
        self._begun = shared.begun
        self._lost_before = set(self._ledger.lost)
        self._notified: dict[int, set[str]] = {
            at: set() for at in range(len(planned.play.handlers))
        }

    async def run(self) -> Stop | None:
        """All steps. Returns why the play ends here, if so. Raises FleetpushError as a performer does."""
        for step in self._planned.steps:
            stop = await (self._flush() if isinstance(step, Flush) else self._task(step))
            if stop is not None:
                return stop
        return self._batch_failed()

    def _active(self) -> list[Host]:
        return [host for host in self._hosts if host.name not in self._ledger.lost]

    def _lost_here(self) -> list[str]:
        lost = self._ledger.lost
        return [h.name for h in self._hosts if h.name in lost and h.name not in self._lost_before]

    async def _flush(self) -> Stop | None:
        """Each notified handler once, in the order in which the handlers stand."""
        for at, handler in enumerate(self._planned.play.handlers):
            hosts = [host for host in self._active() if host.name in self._notified[at]]
            if hosts:
                self._notified[at].clear()
                stop = await self._task(handler, hosts)
                if stop is not None:
                    return stop
        return None

    async def _task(self, task: Task, hosts: Sequence[Host] | None = None) -> Stop | None:
        halted = self._conductor.halted()
        if halted is not None:
            return halted
        hosts = self._active() if hosts is None else hosts
        if not hosts:
            return self._batch_failed()
        run = TaskRun(task, self._scopes(), check=self._conductor.check)
        title = run.title(hosts[0])
        fatal, once, refused = self._planned.any_errors_fatal, False, None
        try:
            once = run.is_once(hosts[0])
            fatal = run.is_fatal(hosts[0], by_play=fatal)
        except ValueError as error:
            refused = failure("template", str(error))
        asked = hosts[:1] if once else hosts
        self._announce(task, title, asked)
        if refused is None:
            verdicts = await self._verdicts(run, task, title, asked)
        else:
            verdicts = {host.name: refused for host in asked}
        await self._enter(run, title, verdicts, hosts if once else asked)
        return self._stop(verdicts, title, fatal=fatal, once=once) or self._batch_failed()

    async def _verdicts(
        self, run: TaskRun, task: Task, title: str, hosts: Sequence[Host]
    ) -> Mapping[str, Verdict]:
        async def perform(calls: Mapping[str, Call], check: bool) -> Mapping[str, Outcome]:
            new = [self._by_name[name] for name in calls if name not in self._begun]
            failures = await self._performer.begin(new) if new else {}
            self._begun.update(host.name for host in new if host.name not in failures)
            ready = {name: call for name, call in calls.items() if name not in failures}
            outcomes = await self._performer.perform(task, ready, check) if ready else {}
            self._begun -= {n for n, outcome in outcomes.items() if outcome.status == "unreachable"}
            return {**failures, **outcomes}

        async def pause(seconds: float, names: Sequence[str], attempt: int, of: int) -> bool:
            now = self._conductor.now()
            self._conductor.tell(events.TaskRetried(now, title, tuple(names), attempt, of))
            return await self._conductor.pause(seconds)

        return await run.on(hosts, perform, pause)

    def _announce(self, task: Task, title: str, hosts: Sequence[Host]) -> None:
        names = tuple(host.name for host in hosts)
        now, is_handler = self._conductor.now(), isinstance(task, Handler)
        self._conductor.tell(
            events.TaskStarted(now, title, task.action, task.where, is_handler, names)
        )

    async def _enter(
        self, run: TaskRun, title: str, verdicts: Mapping[str, Verdict], sharers: Sequence[Host]
    ) -> None:
        """Counts, keeps and tells the results; what a task that ran once registers is for all ``sharers``."""
        for name, verdict in verdicts.items():
            noted = self._notify(run, self._by_name[name], verdict)
            self._ledger.enter(name, title, noted)
            self._tell(title, name, noted)
            if run.task.register:
                keepers = sharers if len(verdicts) == 1 else [self._by_name[name]]
                for host in keepers:
                    self._results.keep(host.name, run.task.register, noted.result)
        self._conductor.tell(events.TaskFinished(self._conductor.now(), title))
        gone = [name for name in verdicts if name in self._ledger.lost and name in self._begun]
        self._begun.difference_update(gone)
        if gone:
            await self._performer.release(gone)

    def _tell(self, title: str, name: str, verdict: Verdict) -> None:
        self._conductor.tell(
            events.TaskResult(
                self._conductor.now(),
                title,
                name,
                verdict.status,
                verdict.slug,
                verdict.message,
                verdict.ignored,
            )
        )

    def _notify(self, run: TaskRun, host: Host, verdict: Verdict) -> Verdict:
        """Notes which handlers a change calls for. A name that no handler has is the host's failure."""
        if verdict.status != "changed" or not run.task.notify:
            return verdict
        handlers = self._planned.play.handlers
        try:
            names = run.notified(host)
        except ValueError as error:
            return failure("template", str(error))
        for name in names:
            called = [
                at for at, one in enumerate(handlers) if name == one.name or name in one.listen
            ]
            if not called:
                return failure(
                    "no_handler", f"{run.task.where}: 'notify': there is no handler {name!r}"
                )
            for at in called:
                self._notified[at].add(host.name)
        return verdict

    # -- the rules

    def _stop(
        self, verdicts: Mapping[str, Verdict], title: str, *, fatal: bool, once: bool
    ) -> Stop | None:
        lost = [name for name in verdicts if name in self._ledger.lost]
        if lost and fatal:
            if once and not self._planned.any_errors_fatal:
                return Stop("run_once", f"{lost[0]} failed in {title!r}, which it did for all")
            return Stop("any_errors_fatal", f"{_count(len(lost))} failed in {title!r}")
        most = self._planned.max_fail_percentage
        here = len(self._lost_here())
        if most is not None and too_many(here, len(self._hosts), most):
            of = f"{here} of the batch's {_count(len(self._hosts))}"
            return Stop("max_fail_percentage", f"{of} failed, and {most:g}% may")
        return None

    def _batch_failed(self) -> Stop | None:
        """As Ansible has it: a batch of which nobody is left is the last."""
        if self._lost_here() and not self._active():
            count = "the only host" if len(self._hosts) == 1 else f"all {len(self._hosts)} hosts"
            return Stop("batch_failed", f"{count} of the batch failed")
        return None


def _count(number: int) -> str:
    return f"{number:,} host{'' if number == 1 else 's'}"
