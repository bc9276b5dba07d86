"""The playbooks of the repository on real hosts, and one host made to fail in each kind of task."""

from __future__ import annotations

import http.server
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.desk import name
from tests.e2e.hosts import digest, partials, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.desk import Desk, Outcome

HOSTS = 20
PLAYBOOKS = Path("playbooks").absolute()


class Health(http.server.ThreadingHTTPServer):
    """What every host's model server would answer; ``sick`` are addresses."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("0.0.0.0", 0), _Answer)
        self.sick: set[str] = set()


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Health)
        address = self.request.getsockname()[0]
        self.send_response(503 if address in self.server.sick else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def health() -> Iterator[Health]:
    with Health() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def play(desk: Desk, playbook: Path | str, inventory: Path, *flags: str) -> Outcome:
    config = str(desk.root / "ssh_config")
    if not Path(config).exists():
        desk.known_hosts()
    words = ("play", str(playbook), "-i", str(inventory), "--ssh-config", config)
    return desk.run(*words, "--progress", "plain", "-o", "json", *flags).outcome()


def ends(found: Outcome) -> dict[str, int]:
    """How many hosts ended how."""
    wanted = ("done", "failed", "unreachable", "stopped", "untouched")
    return {end: found.document["hosts"][end] for end in wanted if found.document["hosts"][end]}


def active(desk: Desk) -> list[bytes]:
    files = [home / "model/current/model.pt" for home in desk.homes(HOSTS)]
    return [file.read_bytes() if file.exists() else b"" for file in files]


def test_a_model_release_its_sick_canary_and_the_way_back(desk: Desk, health: Health) -> None:
    inventory = desk.inventory(HOSTS)
    values = {
        "target": "all",
        "release_dir": "model",
        "health": f"http://{{{{ ansible_host }}}}:{health.server_port}/health",
        "restart": "/bin/sh -c 'echo again >> restarts'",
        "restart_as_root": "false",
        "patience": "2s",
    }
    said = [flag for key, value in values.items() for flag in ("-e", f'{{"{key}": "{value}"}}')]

    def release(source: Path, *flags: str) -> Outcome:
        more = ("-e", f"model={source}", *said, *flags)
        return play(desk, PLAYBOOKS / "release-model.yaml", inventory, *more)

    (desk.root / "next").mkdir()
    first, second = desk.source(200_000), desk.source(300_000, "next/model.pt")
    would = release(first, "--check")
    assert (would.exit, ends(would), active(desk)) == (0, {"done": HOSTS}, [b""] * HOSTS)
    found = release(first)
    assert (found.exit, ends(found)) == (0, {"done": HOSTS}), found.stderr
    assert [len(b) for b in found.document["plays"][0]["batches"]] == [1, 2, 17]
    assert active(desk) == [first.read_bytes()] * HOSTS

    health.sick = {desk.fleet.addresses[0]}
    found = release(second)
    assert found.exit == 8, found.stderr
    assert ends(found) == {"failed": 1, "untouched": HOSTS - 1}
    assert active(desk) == [first.read_bytes()] * HOSTS  # the canary has gone back
    assert len((desk.home(0) / "restarts").read_text().splitlines()) == 3

    health.sick = set()
    found = release(second)
    assert (found.exit, ends(found)) == (0, {"done": HOSTS}), found.stderr
    assert active(desk) == [second.read_bytes()] * HOSTS
    back = play(desk, PLAYBOOKS / "release-model.yaml", inventory, *said, "-t", "rollback")
    assert (back.exit, ends(back)) == (0, {"done": HOSTS}), back.stderr
    assert active(desk) == [first.read_bytes()] * HOSTS
    desk.no_agent_is_left()


def test_nights_of_footage(desk: Desk) -> None:
    spool = desk.root / "spool/2026-01-05"
    spool.mkdir(parents=True)
    cameras = ("gate", "yard", "dock")
    for camera in cameras:
        (spool / f"{camera}.mp4").write_bytes(os.urandom(150_000))
    values = ("-e", f"target=all spool={spool.parent} day=2026-01-05 room=0")
    flags = (*values, "-e", '{"archive": "{{ place | default(\'.\') }}"}')
    inventory = desk.inventory(HOSTS, **{name(3): {"place": "/proc/no"}})
    found = play(desk, PLAYBOOKS / "nightly-footage.yaml", inventory, *flags)
    assert found.exit == 3, found.stderr
    assert ends(found) == {"done": HOSTS - 1, "failed": 1}
    assert found.document["results"][3]["reason"]["task"] == "Is there room?"
    for i in (0, 1, HOSTS - 1):
        folder = desk.home(i) / "2026-01-05"
        sums = (folder / "SHA256SUMS").read_text().splitlines()
        assert sorted(line.split()[0] for line in sums) == sorted(
            digest(spool / f"{camera}.mp4") for camera in cameras
        )
    again = play(desk, PLAYBOOKS / "nightly-footage.yaml", inventory, *flags, "-l", "!node0004")
    assert again.exit == 0, again.stderr
    assert again.document["hosts"]["changed"] == 0


def test_a_pipeline_stops_at_staging_or_goes_through(desk: Desk, health: Health) -> None:
    inventory = desk.inventory(HOSTS)
    build = desk.source(100_000, "server.tar")
    values = {
        "staging": name(0),
        "production": f"all:!{name(0)}",
        "build": str(build),
        "restart": "true",
        "restart_as_root": "false",
        "port": str(health.server_port),
        "release_dir": "server",
        "probe": "test ! -e {{ inventory_hostname }}.broken",
    }
    said = [flag for key, value in values.items() for flag in ("-e", f'{{"{key}": "{value}"}}')]
    (desk.home(0) / f"{name(0)}.broken").touch()
    junit = desk.root / "report.xml"
    flags = (*said, "--junit", str(junit))
    broken = play(desk, PLAYBOOKS / "pipeline.yaml", inventory, *flags)
    assert broken.exit == 8, broken.stderr
    assert ends(broken) == {"failed": 1, "untouched": HOSTS - 1}
    assert 'failures="1"' in junit.read_text()
    assert not (desk.home(1) / "server").exists()
    (desk.home(0) / f"{name(0)}.broken").unlink()
    whole = play(desk, PLAYBOOKS / "pipeline.yaml", inventory, *flags)
    assert (whole.exit, ends(whole)) == (0, {"done": HOSTS}), whole.stderr
    assert 'failures="0"' in junit.read_text()
    assert len(desk.copies(HOSTS, build, "server/current/server.tar")) == HOSTS


EACH = """
- name: Two releases, so that there is a way back
  hosts: all:!node0006
  tasks:
    - push: {src: first.pt, release_dir: app}
- name: One of each
  hosts: all
  tasks:
    - name: a command
      command: test {{ inventory_hostname }} != node0001
    - name: a line for the shell
      shell: test {{ inventory_hostname }} != node0002 && echo "$HOME"
    - name: a wait
      wait_for:
        host: "{{ ansible_host }}"
        port: "{{ 1 if inventory_hostname == 'node0003' else port }}"
        timeout: 3s
    - name: a push
      push: {src: first.pt, dest: blocked.pt}
    - name: what comes first
      push: {src: first.pt, dest: staged.pt, activate: none}
    - name: something comes between
      command: mkdir staged.pt
      when: inventory_hostname == 'node0005'
    - name: an activation
      activate:
    - name: the second release
      push: {src: second.pt, release_dir: app}
    - name: a way back
      rollback: app
    - name: in a moment
      command: "true"
      register: last
    - name: by all that are left
      shell: echo {{ last.rc }} > end
"""


def test_one_host_fails_in_each_kind_of_task_and_the_others_go_on(
    desk: Desk, health: Health
) -> None:
    first, second = desk.source(100_000, "first.pt"), desk.source(100_000, "second.pt")
    playbook = desk.root / "each.yaml"
    playbook.write_text(EACH.replace("first.pt,", f"{first},").replace("second.pt,", f"{second},"))
    (desk.home(3) / "blocked.pt").mkdir()
    away = {"ansible_port": 1}
    inventory = desk.inventory(HOSTS, **{name(6): away})
    found = play(desk, playbook, inventory, "-e", f"port={health.server_port}")
    assert found.exit == 3, found.stderr
    reasons = {
        r["host"]: (r["reason"]["task"], r["reason"]["slug"])
        for r in found.document["results"]
        if r["reason"]
    }
    assert reasons == {
        name(0): ("a command", "command_failed"),
        name(1): ("a line for the shell", "command_failed"),
        name(2): ("a wait", "wait_timeout"),
        name(3): ("a push", "dest_is_directory"),
        name(4): ("an activation", "dest_is_directory"),
        name(5): ("a way back", "no_release_before"),
        name(6): ("push", "connection_refused"),
    }
    assert ends(found) == {"done": HOSTS - 7, "failed": 6, "unreachable": 1}
    for i in range(7, HOSTS):
        home = desk.home(i)
        assert (home / "end").read_text() == "0\n"
        assert (home / "app/current/first.pt").read_bytes() == first.read_bytes()
        assert (home / "staged.pt").read_bytes() == first.read_bytes()
    desk.no_agent_is_left()


def test_one_connection_and_one_agent_a_host_for_all_tasks(desk: Desk) -> None:
    source = desk.source(100_000)
    playbook = desk.root / "three.yaml"
    playbook.write_text(f"""
- hosts: all
  tasks:
    - shell: echo "$PPID" >> agents; echo "$SSH_CONNECTION" >> connections
    - push: {source}
    - shell: echo "$PPID" >> agents; echo "$SSH_CONNECTION" >> connections
    - push: {{src: {source}, dest: other.pt}}
- hosts: all
  tasks:
    - shell: echo "$PPID" >> agents; echo "$SSH_CONNECTION" >> connections
""")
    found = play(desk, playbook, desk.inventory(4))
    assert found.exit == 0, found.stderr
    for home in desk.homes(4):
        assert len(set((home / "agents").read_text().split())) == 1
        assert len(set((home / "connections").read_text().splitlines())) == 1


AGAIN = """
- hosts: all
  tasks:
    - shell: kill -9 $PPID; sleep 1
      ignore_unreachable: yes
      ignore_errors: yes
    - shell: echo again > again
"""


def test_a_host_whose_agent_was_lost_gets_another_one_if_the_play_wants_it(desk: Desk) -> None:
    playbook = desk.root / "again.yaml"
    playbook.write_text(AGAIN)
    found = play(desk, playbook, desk.inventory(2))
    assert found.exit == 0, found.stderr
    assert [(home / "again").read_text() for home in desk.homes(2)] == ["again\n"] * 2


SLOW = """
- hosts: all
  tasks:
    - shell: echo $$ > pid; sleep 300
      when: inventory_hostname == 'node0001'
    - push: {src: model.pt, bwlimit: 100K}
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("at", ["command", "push"])
def test_a_play_that_is_cut_off_leaves_nothing_running(
    desk: Desk, how: signal.Signals, at: str
) -> None:
    source = desk.source(4_000_000)
    playbook = desk.root / "slow.yaml"
    playbook.write_text(SLOW.replace("model.pt", str(source)))
    inventory = desk.inventory(3)
    desk.known_hosts()
    words = ["play", str(playbook), "-i", str(inventory), "--progress", "plain"]
    limit = () if at == "command" else ("-l", "node0002,node0003")
    command = desk.run(*words, "--ssh-config", str(desk.root / "ssh_config"), *limit)
    pid = desk.home(0) / "pid"
    if at == "command":
        wait_until(lambda: pid.exists() and pid.read_text().strip(), 20, "the command runs")
    else:
        wait_until(lambda: len(partials(desk.home(1))) == 1, 20, "the push has begun")
    command.send(how)
    if how is signal.SIGTERM:
        time.sleep(0.3)
        command.send(how)  # the second cuts it off
        assert command.outcome().exit == 143
    else:
        command.process.wait()
    desk.no_agent_is_left(within=12)
    if at == "command":
        sleeper = int(pid.read_text())
        wait_until(lambda: not Path(f"/proc/{sleeper}/exe").exists(), 8, "the command ended")
    assert not (desk.home(1) / "model.pt").exists()
