"""A command that dies while its hosts switch together, and a host that dies with it."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from tests.e2e.desk import name
from tests.e2e.hosts import contents, partials, send, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.desk import Desk, Outcome

HOSTS = 4
LOST = 2
LATE = 3


def resume(desk: Desk, *flags: str) -> Outcome:
    return desk.run("runs", "resume", "last", "--progress", "plain", *flags).outcome()


def holds(desk: Desk, place: str, content: bytes) -> list[int]:
    """The hosts where whoever looks at ``place`` finds ``content``."""
    paths = [home / place for home in desk.homes(HOSTS)]
    return [i for i, path in enumerate(paths) if path.exists() and path.read_bytes() == content]


def agent_of(desk: Desk, host: int) -> int:
    return next(pid for pid, home in desk.agents().items() if home == desk.home(host))


def cut_off_between_two_switches(
    desk: Desk, where: tuple[str, str], place: str
) -> tuple[bytes, Path]:
    """What was there before, and the source: switched on all hosts but the lost one."""
    flags = (*where, "--activate", "together")
    old = desk.source(150_000)
    before = old.read_bytes()
    assert desk.deploy(old, desk.inventory(HOSTS), *flags).exit == 0
    source = desk.source(150_000)
    content = source.read_bytes()
    slow = desk.script("slow-python", 'sleep 2.5; exec python3 "$@"')
    inventory = desk.inventory(HOSTS, **{name(LATE): {"ansible_python_interpreter": slow}})
    command = desk.start(source, inventory, *flags)
    ready = [i for i in range(HOSTS) if i != LATE]

    def all_but_the_late_one_have_it() -> bool:
        found = [partial for i in ready for partial in desk.home(i).rglob(".model.pt.fleetpush-*")]
        return [p.read_bytes() == content for p in found] == [True] * len(ready)

    wait_until(all_but_the_late_one_have_it, 20, "verified and waiting")
    time.sleep(0.3)  # the last of them may still be saying so
    assert holds(desk, place, before) == list(range(HOSTS))
    lost = agent_of(desk, LOST)
    send(signal.SIGSTOP, [lost])
    others = [i for i in range(HOSTS) if i != LOST]
    wait_until(lambda: holds(desk, place, content) == others, 20, "the others have switched")
    command.send(signal.SIGKILL)
    command.process.wait()
    send(signal.SIGKILL, [lost])
    desk.no_agent_is_left()
    return before, source


def test_back_again_and_nothing_left(desk: Desk) -> None:
    before, _ = cut_off_between_two_switches(desk, ("--dest", "model.pt"), "model.pt")
    for i in range(HOSTS):
        kept = [path.read_bytes() for path in desk.home(i).glob(".*.previous")]
        assert kept == ([] if i == LOST else [before])
    assert "interrupted" in desk.run("runs", "show", "last").outcome().stdout
    found = resume(desk, "--revert", "-o", "json")
    assert found.exit == 0, found.stderr
    assert [r["host"] for r in found.document["results"] if not r["changed"]] == [name(LOST)]
    assert holds(desk, "model.pt", before) == list(range(HOSTS))
    again = resume(desk, "--revert")
    assert again.exit == 5
    assert "it is reverted already" in again.stderr
    assert resume(desk).exit == 5

    # What the lost host had verified is still there, until somebody takes it away.
    assert len(partials(desk.home(LOST))) == 1
    config = str(desk.root / "ssh_config")
    words = ("clean", "-i", str(desk.inventory(HOSTS)), "--ssh-config", config)
    look = desk.run(*words, "--check").outcome()
    assert look.exit == 0
    assert f"nothing to remove: node[0001-0002,{HOSTS:04}] ({HOSTS - 1})" in look.stdout
    assert f": {name(LOST)} (1)" in look.stdout
    assert len(partials(desk.home(LOST))) == 1
    assert desk.run(*words).outcome().exit == 0
    assert {tuple(contents(home)) for home in desk.homes(HOSTS)} == {("model.pt",)}


def test_forth_with_the_content_of_the_run_and_no_other(desk: Desk) -> None:
    place = "app/current/model.pt"
    _, source = cut_off_between_two_switches(desk, ("--release-dir", "app"), place)
    content = source.read_bytes()
    source.write_bytes(b"something else")
    other = resume(desk)
    assert other.exit == 5
    assert "not what that run deployed any more" in other.stderr
    source.write_bytes(content)
    found = resume(desk, "-o", "json")
    assert found.exit == 0, found.stderr
    assert found.document["hosts"]["already_present"] == HOSTS - 1
    assert found.document["traffic"]["origin_bytes_sent"] < 50_000
    assert holds(desk, place, content) == list(range(HOSTS))
    assert "complete" in resume(desk).stdout
    assert not list(desk.home(0).rglob(".*"))
