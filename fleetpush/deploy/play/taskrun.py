"""One task on its hosts: conditions, templates, attempts, and what the results mean."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from fleetpush.deploy.play.performer import Call, Outcome
from fleetpush.deploy.play.variables import OMIT, settle
from fleetpush.deploy.play.verdict import Verdict, failure, skipped, verdict_of
from fleetpush.inventory import template
from fleetpush.playbook import keywords
from fleetpush.playbook.actions import ACTIONS
from fleetpush.playbook.model import Become, Template

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from fleetpush.deploy.play.variables import PlayScope
    from fleetpush.inventory.model import Host
    from fleetpush.playbook.model import Condition, Task

    Perform = Callable[[Mapping[str, Call], bool], Awaitable[Mapping[str, Outcome]]]
    """Calls and whether only to look; an outcome for every call."""
    Pause = Callable[[float, Sequence[str], int, int], Awaitable[bool]]
    """Seconds before the next attempt on these hosts, which was it, of how many; False: make none."""

RETRIES = 3
"""Attempts after the first where ``until`` is there and ``retries`` is not."""


class Prepared(NamedTuple):
    """One host that has something to do."""

    host: Host
    call: Call
    check: bool
    until: tuple[Condition, ...]
    attempts: int
    delay: float


class TaskRun:
    """Runs one task. Nothing that concerns one host raises: it becomes that host's verdict."""

    def __init__(self, task: Task, scopes: PlayScope, *, check: bool) -> None:
        self.task = task
        self._scopes = scopes
        self._check = check

    def title(self, host: Host) -> str:
        """The task's name as ``host`` sees it, or its action where it has none."""
        name = self.task.name
        if isinstance(name, Template):
            try:
                return (
                    settle(name, str, self._scopes.of(host, self.task), "name", "")
                    or self.task.action
                )
            except ValueError:
                return str(name.value)
        return name or self.task.action

    def is_once(self, host: Host) -> bool:
        """Whether ``host`` does it for all. Raises ValueError for a template that cannot be filled in."""
        return self._flag("run_once", host, default=False)

    def is_fatal(self, host: Host, *, by_play: bool) -> bool:
        """Whether a failure of one is a failure of all. Raises ValueError as ``is_once`` does."""
        if self._flag("ignore_errors", host, default=False):
            return False
        return self.is_once(host) or self._flag("any_errors_fatal", host, default=by_play)

    async def on(
        self, hosts: Sequence[Host], perform: Perform, pause: Pause
    ) -> Mapping[str, Verdict]:
        """A verdict for each of ``hosts``. Raises FleetpushError for what concerns the run as a whole."""
        verdicts: dict[str, Verdict] = {}
        waiting: dict[str, Prepared] = {}
        for host in hosts:
            found = self._prepare(host)
            if isinstance(found, Verdict):
                verdicts[host.name] = self._discreet(host, self._ignorable(host, found))
            else:
                waiting[host.name] = found
        attempt = 1
        while waiting:
            outcomes = await self._perform(waiting.values(), perform)
            again: dict[str, Prepared] = {}
            for name, one in waiting.items():
                verdict, satisfied = self._judge(one, outcomes[name], attempt)
                verdicts[name] = verdict
                if not satisfied and attempt < one.attempts:
                    again[name] = one
            if again:
                most = max(one.attempts for one in again.values())
                delay = max(one.delay for one in again.values())
                if not await pause(delay, list(again), attempt, most):
                    break
            waiting = again
            attempt += 1
        return {host.name: verdicts[host.name] for host in hosts}

    def notified(self, host: Host) -> tuple[str, ...]:
        """The names of handlers that a change on ``host`` notifies. Raises ValueError."""
        scope = self._scopes.of(host, self.task)
        return settle(self.task.notify, keywords.TASK["notify"].read, scope, "notify", ())

    # -- before

    def _prepare(self, host: Host) -> Prepared | Verdict:
        try:
            return self._prepare_or_raise(host)
        except ValueError as error:
            return failure("template", str(error))

    def _prepare_or_raise(self, host: Host) -> Prepared | Verdict:
        task, scope = self.task, self._scopes.of(host, self.task)
        refused = _first_false(task.when, scope, "when")
        if refused is not None:
            reason = "Conditional result was False"
            return skipped(reason, false_condition=refused.expression)
        check = self._setting("check_mode", scope, self._check)
        if check and task.action == "wait_for":
            return skipped("nothing is waited for in check mode")
        arguments = self._arguments(scope)
        if (
            check
            and task.action in ("command", "shell")
            and not {"creates", "removes"} & {*arguments}
        ):
            text = "Command would have run if not in check mode"
            return skipped(
                text, msg=text, rc=0, stdout="", stderr="", stdout_lines=[], stderr_lines=[]
            )
        retries = self._setting("retries", scope, None)
        if retries is None:
            retries = RETRIES if task.until else 0
        call = Call(task.action, arguments, self._become(scope))
        delay = self._setting("delay", scope, 5.0)
        return Prepared(host, call, check, task.until, 1 + retries, delay)

    def _arguments(self, scope: template.Scope) -> dict[str, object]:
        action = ACTIONS[self.task.action]
        found: dict[str, object] = {}
        late = False
        for name, value in self.task.arguments.items():
            if isinstance(value, Template):
                late = True
                typed = settle(value, action.arguments[name].read, scope, name, OMIT)
                if typed is OMIT:
                    continue
                found[name] = typed
            else:
                found[name] = value
        complaint = action.complaint(found) if late else ""
        if complaint:
            raise ValueError(f"{self.task.where}: {complaint}")
        return found

    def _become(self, scope: template.Scope) -> Become:
        said, read = self.task.become, keywords.BECOME
        return Become(
            become=settle(said.become, read["become"].read, scope, "become", None),
            user=settle(said.user, read["become_user"].read, scope, "become_user", None),
            method=settle(said.method, read["become_method"].read, scope, "become_method", None),
        )

    def _setting(self, key: str, scope: template.Scope, default: Any) -> Any:  # noqa: ANN401 - the keyword's type
        """What the task says of ``key``, which is one of ``keywords.TASK``. Raises ValueError."""
        value = getattr(self.task, key)
        found = settle(value, keywords.TASK[key].read, scope, key, None)
        return default if found is None else found

    def _flag(self, key: str, host: Host, *, default: bool) -> bool:
        return bool(self._setting(key, self._scopes.of(host, self.task), default))

    # -- during

    async def _perform(
        self, waiting: Iterable[Prepared], perform: Perform
    ) -> Mapping[str, Outcome]:
        outcomes: dict[str, Outcome] = {}
        for check in (False, True):
            calls = {one.host.name: one.call for one in waiting if one.check is check}
            if calls:
                outcomes.update(await perform(calls, check))
        return outcomes

    # -- after

    def _judge(self, one: Prepared, outcome: Outcome, attempt: int) -> tuple[Verdict, bool]:
        """The verdict on one attempt, and whether no other one is wanted."""
        verdict = verdict_of(outcome)
        if one.attempts > 1:
            verdict = replace(verdict, result={**verdict.result, "attempts": attempt})
        satisfied = True
        if outcome.status == "unreachable":
            verdict = self._ignorable(one.host, verdict)
        else:
            try:
                if outcome.status != "skipped":
                    verdict = self._by_conditions(one.host, verdict)
                satisfied = one.attempts == 1 or self._is_satisfied(one, verdict)
            except ValueError as error:
                verdict = _failed(verdict, "template", str(error))
            if not satisfied and attempt == one.attempts:
                verdict = self._gave_up(one, verdict)
            verdict = self._ignorable(one.host, verdict)
        return self._discreet(one.host, verdict), satisfied

    def _by_conditions(self, host: Host, verdict: Verdict) -> Verdict:
        task = self.task
        if task.changed_when:
            changed = self._all(task.changed_when, host, verdict, "changed_when")
            verdict = replace(
                verdict, changed=changed, result={**verdict.result, "changed": changed}
            )
        if task.failed_when:
            failed = self._all(task.failed_when, host, verdict, "failed_when")
            result = {**verdict.result, "failed": failed, "failed_when_result": failed}
            if failed and not verdict.failed:
                where = task.failed_when[0].where
                return Verdict(
                    "failed",
                    "failed_when",
                    f"{where}: 'failed_when' holds",
                    verdict.changed,
                    result=result,
                )
            if not failed:
                verdict = replace(verdict, status="ok", slug="", message="")
            verdict = replace(verdict, result=result)
        if verdict.status in ("ok", "changed"):
            verdict = replace(verdict, status="changed" if verdict.changed else "ok")
        return verdict

    def _is_satisfied(self, one: Prepared, verdict: Verdict) -> bool:
        if one.until:
            return self._all(one.until, one.host, verdict, "until")
        return not verdict.failed

    def _gave_up(self, one: Prepared, verdict: Verdict) -> Verdict:
        """As Ansible has it: what was never so is a failure, and the first attempt is none of the retries."""
        result = {**verdict.result, "attempts": one.attempts - 1}
        if verdict.failed:
            return replace(verdict, result=result)
        text = f"{one.until[0].where}: 'until' did not hold in {one.attempts} attempts"
        return _failed(replace(verdict, result=result), "until", text)

    def _all(
        self, conditions: tuple[Condition, ...], host: Host, verdict: Verdict, key: str
    ) -> bool:
        own = {self.task.register: verdict.result} if self.task.register else {}
        return _first_false(conditions, self._scopes.of(host, self.task, own), key) is None

    def _ignorable(self, host: Host, verdict: Verdict) -> Verdict:
        if verdict.status not in ("failed", "unreachable"):
            return verdict
        key = "ignore_errors" if verdict.failed else "ignore_unreachable"
        try:
            return replace(verdict, ignored=self._flag(key, host, default=False))
        except ValueError as error:
            return _failed(verdict, "template", str(error))

    def _discreet(self, host: Host, verdict: Verdict) -> Verdict:
        """``no_log``: what a failure says may be what nobody should see."""
        try:
            hidden = self._flag("no_log", host, default=False)
        except ValueError:
            hidden = True
        if hidden and verdict.message:
            return replace(verdict, message="the reason is hidden by 'no_log'")
        return verdict


def _failed(verdict: Verdict, slug: str, message: str) -> Verdict:
    result = {**verdict.result, "failed": True, "msg": message}
    return Verdict("failed", slug, message, verdict.changed, result=result)


def _first_false(
    conditions: tuple[Condition, ...], scope: template.Scope, key: str
) -> Condition | None:
    """The first condition that does not hold. Raises ValueError with file, line and reason."""
    for condition in conditions:
        try:
            if not template.holds(condition.expression, scope):
                return condition
        except ValueError as error:
            raise ValueError(f"{condition.where}: '{key}': {error}") from error
    return None
