"""Who is asked for what when, what stops a roll-out, and how a run of plays ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from fleetpush.deploy.play import events
from fleetpush.deploy.play.options import PlayOptions
from fleetpush.deploy.play.performer import Call, Outcome
from fleetpush.deploy.play.run import PlayRun
from fleetpush.errors import InputError
from fleetpush.playbook.model import Become
from tests.deploy.play.local import Scripted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fleetpush.deploy.play.report import PlayReport

OK, CHANGED = Outcome("ok"), Outcome("changed")
FAILED = Outcome("failed", "command_failed", "it ended with 1", {"rc": 1})
GONE = Outcome("unreachable", "connection_lost", "the connection broke")


class Rig:
    """A folder with a playbook; a performer that plays a script; what was told."""

    def __init__(self, says: Callable[[str, Call], Outcome]) -> None:
        self.performer = Scripted(says)
        self.told: list[events.PlayEvent] = []
        self.runs: list[PlayRun] = []

    def handle(self, event: events.PlayEvent) -> None:
        self.told.append(event)

    async def play(self, *books: str, hosts: str = "n1,n2,n3,n4", **options: Any) -> PlayReport:
        run = PlayRun(
            PlayOptions(playbooks=books or ("x.yaml",), inventories=(hosts,), **options),
            self,
            lambda *_: self.performer,
        )
        self.runs.append(run)
        return await run.execute()

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.told if isinstance(event, kind)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rig(folder: Path, text: str, says: Callable[[str, Call], Outcome] = lambda *_: OK) -> Rig:
    (folder / "x.yaml").write_text(text)
    return Rig(says)


def fails(command: str, *hosts: str, outcome: Outcome = FAILED) -> Callable[[str, Call], Outcome]:
    """An outcome for those hosts in that command, and all well elsewhere."""

    def says(host: str, call: Call) -> Outcome:
        return outcome if host in hosts and call.arguments.get("cmd") == command else CHANGED

    return says


CANARY = """\
- hosts: all
  serial: [1, 2]
  tasks: [{name: t1, command: one}, {name: t2, command: two}]
"""


async def test_hosts_are_connected_batch_by_batch_and_released_when_the_play_ends(folder) -> None:
    it = rig(folder, CANARY)
    report = await it.play()
    assert it.performer.begun == [["n1"], ["n2", "n3"], ["n4"]]
    assert [names for _, names, _ in it.performer.asked] == [
        *[("n1",)] * 2,
        *[("n2", "n3")] * 2,
        *[("n4",)] * 2,
    ]
    assert it.performer.released == [["n1", "n2", "n3", "n4"]]
    assert it.performer.closed == 1
    assert (report.exit_code, report.named("done")) == (0, ["n1", "n2", "n3", "n4"])


async def test_a_failing_canary_leaves_the_rest_untouched(folder) -> None:
    it = rig(folder, CANARY, fails("two", "n1"))
    report = await it.play()
    assert report.exit_code == 8
    assert it.performer.begun == [["n1"]]
    assert it.performer.released == [["n1"]]
    assert report.named("failed") == ["n1"]
    assert report.named("untouched") == ["n2", "n3", "n4"]
    (stopped,) = it.of(events.PlayStopped)
    assert (stopped.reason, stopped.untouched) == ("batch_failed", ("n2", "n3", "n4"))
    (play,) = report.plays
    assert (play.batches_done, play.stop.reason) == (0, "batch_failed")
    assert report.as_json()["hosts"] == {
        "total": 4, "done": 0, "failed": 1, "unreachable": 0, "stopped": 0, "untouched": 3, "changed": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("keywords", "outcome", "hosts", "code", "reason"),
    [
        ("", FAILED, ["n2"], 3, None),
        ("", GONE, ["n2"], 4, None),
        ("", FAILED, ["n1", "n2", "n3", "n4"], 3, "batch_failed"),
        ("", GONE, ["n1", "n2", "n3", "n4"], 4, "batch_failed"),
        ("serial: 2", GONE, ["n1", "n2"], 8, "batch_failed"),
        ("serial: 2", FAILED, ["n3", "n4"], 3, "batch_failed"),
        ("max_fail_percentage: 25", FAILED, ["n1"], 3, None),
        ("max_fail_percentage: 25", FAILED, ["n1", "n2"], 8, "max_fail_percentage"),
        ("max_fail_percentage: 25", GONE, ["n1", "n2"], 8, "max_fail_percentage"),
        ("any_errors_fatal: yes", FAILED, ["n4"], 8, "any_errors_fatal"),
        ("any_errors_fatal: yes", GONE, ["n4"], 8, "any_errors_fatal"),
    ],
)
async def test_the_exit_code_says_what_ended_it(
    folder, keywords, outcome, hosts, code, reason
) -> None:
    text = f"- {{hosts: all, tasks: [{{command: one}}, {{command: two}}], {keywords}}}\n"
    it = rig(folder, text, fails("one", *hosts, outcome=outcome))
    report = await it.play()
    assert report.exit_code == code
    assert (report.stop.reason if report.stop else None) == reason
    kind = "unreachable" if outcome is GONE else "failed"
    assert report.named(kind) == hosts
    lost = next(result for result in report.results if result.host == hosts[0])
    assert (lost.task, lost.slug, lost.message) == ("command", outcome.slug, outcome.message)


async def test_what_one_host_failed_at_for_all_holds_the_others_back(folder) -> None:
    text = "- {hosts: all, tasks: [{command: one, run_once: yes}, {command: two}]}\n"
    report = await rig(folder, text, fails("one", "n1")).play()
    assert (report.exit_code, report.stop.reason) == (8, "run_once")
    assert report.named("untouched") == ["n2", "n3", "n4"]
    report = await rig(folder, text, fails("one", "n1")).play(hosts="n1,")
    assert report.exit_code == 3


async def test_a_canary_play_that_fails_stops_the_plays_behind_it(folder) -> None:
    text = "- {hosts: n1, tasks: [{command: one}]}\n- {hosts: all, tasks: [{command: two}]}\n"
    it = rig(folder, text, fails("one", "n1"))
    report = await it.play()
    assert (report.exit_code, report.named("untouched")) == (8, ["n2", "n3", "n4"])
    assert len(it.performer.asked) == 1


async def test_hosts_that_a_later_play_wants_are_kept(folder) -> None:
    text = "- {hosts: all, tasks: [{command: one}]}\n- {hosts: 'n1,n2', tasks: [{command: two}]}\n"
    it = rig(folder, text, fails("one", "n2"))
    report = await it.play()
    assert it.performer.released == [["n2"], ["n3", "n4"], ["n1"]]
    assert it.performer.begun == [["n1", "n2", "n3", "n4"]]
    assert report.exit_code == 3


async def test_the_next_playbook_is_not_begun_after_a_failure(folder) -> None:
    it = rig(folder, "- {hosts: all, tasks: [{command: one}]}\n", fails("one", "n2"))
    (folder / "y.yaml").write_text("- {hosts: all, tasks: [{command: two}]}\n")
    report = await it.play("x.yaml", "y.yaml")
    assert len(it.performer.asked) == 1
    assert report.playbooks == ("x.yaml", "y.yaml")
    assert any("y.yaml is not begun" in notice.message for notice in it.of(events.Notice))
    assert report.exit_code == 3
    assert report.named("stopped") == ["n1", "n3", "n4"]


async def test_only_who_has_something_to_do_is_connected(folder) -> None:
    text = """\
- hosts: all
  tasks:
    - {command: one, run_once: yes}
    - {command: two, when: "inventory_hostname in ['n1', 'n3']"}
"""
    it = rig(folder, text)
    report = await it.play()
    assert it.performer.begun == [["n1"], ["n3"]]
    assert report.exit_code == 0


async def test_a_play_that_tags_leave_nothing_of_asks_nobody(folder) -> None:
    it = rig(folder, CANARY)
    report = await it.play(tags=("nothing",))
    assert (it.performer.begun, it.performer.asked, report.exit_code) == ([], [], 0)
    assert it.performer.closed == 1


async def test_calls_carry_typed_arguments_of_each_host(folder) -> None:
    text = """\
- hosts: n1,n2
  become: yes
  become_user: "{{ owner | default(omit) }}"
  vars: {size: 4M, dir: "/srv/{{ inventory_hostname }}"}
  tasks:
    - push:
        src: model.pt
        dest: "{{ dir }}/"
        chunk_size: "{{ size }}"
        owner: "{{ nobody | default(omit) }}"
      become_method: doas
      check_mode: "{{ inventory_hostname == 'n2' }}"
"""
    it = rig(folder, text)
    await it.play()
    assert [(names, check) for _, names, check in it.performer.asked] == [
        (("n1",), False),
        (("n2",), True),
    ]
    call = it.performer.calls[0]["n1"]
    assert call.action == "push"
    assert call.arguments == {"src": ("model.pt",), "dest": "/srv/n1/", "chunk_size": 4 << 20}
    assert call.become == Become(become=True, user=None, method="doas")
    assert it.performer.calls[1]["n2"].arguments["dest"] == "/srv/n2/"


@pytest.mark.parametrize(
    ("task", "says"),
    [
        ("{push: {src: m, mode: '{{ 644 }}'}}", "x.yaml:3: 'mode': must be octal in quotes"),
        ("{push: {src: m, chunk_size: '{{ 5 }}'}}", "x.yaml:3: 'chunk_size': '5' is not between"),
        ("{push: {src: '{{ nowhere }}'}}", "x.yaml:3: 'src': 'nowhere' is undefined"),
        ("{push: {src: '{{ x | default(omit) }}'}}", "x.yaml:3: push needs 'src'"),
        ("{command: 'a{{ omit }}'}", "omit leaves out a whole value"),
        ("{command: x, when: nmae == 1, vars: {name: 2}}", "'nmae' is undefined; did you mean 'name'?"),
        ("{command: x, when: inventory_hostname}", "x.yaml:3: 'when': it gives text, which is neither"),
        ("{command: x, run_once: '{{ 7 }}'}", "x.yaml:3: 'run_once': 7 is neither true nor false"),
        ("{command: x, become: '{{ nowhere }}'}", "x.yaml:3: 'become': 'nowhere' is undefined"),
        ("{command: x, changed_when: nowhere}", "x.yaml:3: 'changed_when': 'nowhere' is undefined"),
        ("{command: x, retries: '{{ -1 }}'}", "x.yaml:3: 'retries': must be a whole number from 0 up"),
        ("{command: x, notify: '{{ inventory_hostname }}'}", "x.yaml:3: 'notify': there is no handler 'n1'"),
    ],
)  # fmt: skip
async def test_what_a_template_comes_to_is_checked_and_is_the_hosts_failure(
    folder, task, says
) -> None:
    it = rig(folder, f"- hosts: n1\n  tasks:\n    - {task}\n", lambda *_: CHANGED)
    report = await it.play()
    assert report.exit_code == 3
    (result,) = [result for result in report.results if result.host == "n1"]
    assert says in result.message
    assert result.slug in ("template", "no_handler")


async def test_what_is_wrong_before_any_host_is_touched_ends_the_run(folder) -> None:
    it = rig(folder, "- {hosts: wbe, tasks: [{command: x}]}\n")
    with pytest.raises(InputError, match="no play has a host: nothing matches wbe"):
        await it.play()
    it = rig(folder, "- {hosts: all, serial: '{{ n }}', tasks: [{command: x}]}\n")
    with pytest.raises(InputError, match=r"x\.yaml:1: 'serial': 'n' is undefined"):
        await it.play()
    with pytest.raises(InputError, match="'ten' is no batch size"):
        await it.play(extra_vars=("n=ten",))
    with pytest.raises(InputError, match=r"no task is called 'tow'; did you mean 'two'\?"):
        await rig(folder, "- {hosts: all, tasks: [{name: two, command: x}]}\n").play(
            start_at_task="tow"
        )
    assert it.performer.closed == 0


async def test_no_log_hides_why(folder) -> None:
    secret = Outcome("failed", "command_failed", "password hunter2 is wrong")
    text = "- {hosts: n1, tasks: [{command: x, no_log: yes, ignore_errors: yes}, {command: y}]}\n"
    it = rig(folder, text, fails("x", "n1", outcome=secret))
    report = await it.play()
    assert "hunter2" not in repr([it.told, report])
    assert it.of(events.TaskResult)[0].message == "the reason is hidden by 'no_log'"


async def test_attempts_are_told_and_only_who_needs_it_tries_again(folder) -> None:
    left = {"n1": 0, "n2": 2, "n3": 9}

    def says(host: str, call: Call) -> Outcome:
        left[host] -= 1
        return OK if left[host] < 0 else FAILED

    it = rig(folder, "- {hosts: 'n1,n2,n3', tasks: [{command: x, retries: 3, delay: 0}]}\n", says)
    report = await it.play()
    assert [names for _, names, _ in it.performer.asked] == [
        ("n1", "n2", "n3"), ("n2", "n3"), ("n2", "n3"), ("n3",),
    ]  # fmt: skip
    retried = [(one.hosts, one.attempt, one.of) for one in it.of(events.TaskRetried)]
    assert retried == [(("n2", "n3"), 1, 4), (("n2", "n3"), 2, 4), (("n3",), 3, 4)]
    assert report.named("failed") == ["n3"]
    assert [one.host for one in it.of(events.TaskResult)] == ["n1", "n2", "n3"]


async def test_an_error_of_the_run_as_a_whole_still_has_a_report(folder) -> None:
    def says(host: str, call: Call) -> Outcome:
        raise InputError("model.pt: No such file or directory")

    it = rig(folder, "- {hosts: all, tasks: [{push: model.pt}]}\n", says)
    report = await it.play()
    assert (report.exit_code, report.error) == (5, "model.pt: No such file or directory")
    assert report.named("untouched") == ["n1", "n2", "n3", "n4"]
    assert it.performer.closed == 1
    assert isinstance(it.told[-1], events.PlaybooksFinished)


class Slow(Scripted):
    """Every call waits for ``go``."""

    def __init__(self) -> None:
        super().__init__(lambda *_: OK)
        self.started, self.go = asyncio.Event(), asyncio.Event()

    async def one(self, host: str, call: Call, check: bool) -> Outcome:
        self.started.set()
        await self.go.wait()
        return OK


async def test_the_first_signal_lets_the_task_end_and_begins_no_other(folder) -> None:
    it = rig(folder, CANARY)
    it.performer = slow = Slow()
    playing = asyncio.create_task(it.play())
    await slow.started.wait()
    it.runs[0].interrupt(130)
    slow.go.set()
    report = await playing
    assert (report.exit_code, report.stop.reason) == (130, "interrupted")
    assert [result.count("ok") for result in report.results] == [1, 0, 0, 0]
    assert report.named("stopped") == ["n1"]
    assert report.named("untouched") == ["n2", "n3", "n4"]


async def test_the_second_signal_cuts_it_off(folder) -> None:
    it = rig(folder, CANARY)
    it.performer = slow = Slow()
    playing = asyncio.create_task(it.play())
    await slow.started.wait()
    it.runs[0].interrupt(143)
    it.runs[0].interrupt(143)
    report = await playing
    assert report.exit_code == 143
    assert report.named("untouched") == ["n1", "n2", "n3", "n4"]
    assert slow.closed == 1


async def test_a_signal_ends_the_wait_between_attempts(folder) -> None:
    it = rig(
        folder, "- {hosts: n1, tasks: [{command: x, retries: 9, delay: 1h}]}\n", lambda *_: FAILED
    )
    playing = asyncio.create_task(it.play())
    while not it.of(events.TaskRetried):
        await asyncio.sleep(0)
    it.runs[0].interrupt(130)
    report = await playing
    assert (report.exit_code, report.named("failed")) == (130, ["n1"])


async def test_the_deadline_cuts_it_off(folder) -> None:
    it = rig(folder, CANARY)
    it.performer = Slow()
    report = await it.play(deadline=0.01)
    assert (report.exit_code, report.stop.reason) == (124, "deadline")


async def test_cancelling_whoever_waits_closes_the_performer(folder) -> None:
    it = rig(folder, CANARY)
    it.performer = slow = Slow()
    playing = asyncio.create_task(it.play())
    await slow.started.wait()
    playing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await playing
    assert slow.closed == 1


async def test_events_come_in_order_and_end_with_the_report(folder) -> None:
    it = rig(folder, CANARY)
    report = await it.play(hosts="n1,n2")
    kinds = [type(event).__name__ for event in it.told]
    batch = ["BatchStarted", *["TaskStarted", "TaskResult", "TaskFinished"] * 2]
    assert kinds == [
        "PlaybooksStarted",
        "PlayStarted",
        *batch,
        *batch,
        "PlayFinished",
        "PlaybooksFinished",
    ]
    assert it.told[-1].report is report
    assert [event.at for event in it.told] == sorted(event.at for event in it.told)
