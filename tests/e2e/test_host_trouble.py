"""One host is in trouble: it fails by name and for the right reason, and all others get their copy."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.hosts import contents, send, wait_until
from tests.fleet.sshd import sshd_fleet

if TYPE_CHECKING:
    from tests.e2e.desk import Desk, Outcome

pytestmark = pytest.mark.sshd

MIB = 1024 * 1024
PYENV = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
BAD = "node0002"
OTHERS = ["node0001", "node0003"]


def only_the_bad_one_failed(
    desk: Desk, done: Outcome, source: Path, slug: str, *, unreachable: bool = False
) -> None:
    assert done.exit == (4 if unreachable else 3), done.stderr
    assert done.slugs() == {BAD: slug}
    assert done.host(BAD)["status"] == ("unreachable" if unreachable else "failed")
    assert done.host(BAD)["digest"] is None
    assert len(done.host(BAD)["reason"]["message"]) > 20
    assert "Traceback" not in done.stderr
    assert done.good() == desk.copies(3, source) == OTHERS
    desk.no_agent_is_left()


def test_no_sshd_there(desk: Desk) -> None:
    with socket.create_server((desk.fleet.addresses[1], 0)) as closed:
        port = closed.getsockname()[1]
    source = desk.source(MIB)
    done = desk.deploy(source, desk.inventory(3, node0002={"ansible_port": port}))
    only_the_bad_one_failed(desk, done, source, "connection_refused", unreachable=True)


def test_a_key_that_it_does_not_take(desk: Desk) -> None:
    key = desk.root / "other_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    source = desk.source(MIB)
    special = {"ansible_ssh_private_key_file": str(key)}
    done = desk.deploy(source, desk.inventory(3, node0002=special))
    only_the_bad_one_failed(desk, done, source, "auth_failed", unreachable=True)


def test_a_key_that_is_not_there(desk: Desk) -> None:
    source = desk.source(MIB)
    special = {"ansible_ssh_private_key_file": str(desk.root / "no-such-key")}
    done = desk.deploy(source, desk.inventory(3, node0002=special))
    only_the_bad_one_failed(desk, done, source, "private_key_unusable", unreachable=True)


@pytest.mark.parametrize("slug", ["host_key_unknown", "host_key_changed"])
def test_a_host_key_that_is_not_the_known_one(desk: Desk, slug: str) -> None:
    lines = desk.fleet.known_hosts.read_text().splitlines()
    bad = f"[{desk.fleet.addresses[1]}]"
    known = [line for line in lines if not line.startswith(bad)]
    if slug == "host_key_changed":
        other = Path(f"{desk.fleet.key}.pub").read_text().split()[:2]
        known.append(f"{bad}:{desk.fleet.port} {' '.join(other)}")
    desk.known_hosts("\n".join(known) + "\n")
    source = desk.source(MIB)
    done = desk.deploy(source, desk.inventory(3))
    only_the_bad_one_failed(desk, done, source, slug, unreachable=True)


@pytest.mark.parametrize(
    "behaviour",
    [
        "exit 1",
        "echo 'python: cannot load libpython' >&2; exit 127",
        "echo hello; exit 0",
        "echo 'illegal instruction' >&2; kill -ILL $$",
    ],
)
def test_a_python_that_is_broken(desk: Desk, behaviour: str) -> None:
    source = desk.source(MIB)
    special = {"ansible_python_interpreter": desk.script("python", behaviour)}
    done = desk.deploy(source, desk.inventory(3, node0002=special))
    only_the_bad_one_failed(desk, done, source, "bootstrap_failed")
    if ">&2" in behaviour:
        assert behaviour.split("'")[1] in done.host(BAD)["reason"]["message"]


def test_no_python(desk: Desk) -> None:
    source = desk.source(MIB)
    special = {"ansible_python_interpreter": "/opt/nowhere/bin/python3"}
    done = desk.deploy(source, desk.inventory(3, node0002=special))
    only_the_bad_one_failed(desk, done, source, "no_python")


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.8"])
def test_a_python_that_is_too_old(desk: Desk, version: str) -> None:
    found = sorted(PYENV.glob(f"{version}.*/bin/python"))
    if not found:
        pytest.skip(f"no Python {version} of pyenv's on this machine")
    # Of this user alone, so it is this user who runs it.
    special = {"ansible_connection": "local", "ansible_python_interpreter": str(found[0])}
    source = desk.source(MIB)
    done = desk.deploy(source, desk.inventory(3, node0002=special), "--dest", "here.pt")
    assert done.slugs() == {BAD: "old_python"}
    assert f"ython {version[:1]}" in done.host(BAD)["reason"]["message"]
    assert (done.exit, desk.copies(3, source, "here.pt")) == (3, OTHERS)


def test_a_directory_that_takes_no_file(desk: Desk) -> None:
    source, inventory = desk.source(MIB), desk.inventory(3)
    for index in range(3):
        (desk.home(index) / "data").mkdir(mode=0o777)
        (desk.home(index) / "data").chmod(0o555 if index == 1 else 0o777)
    done = desk.deploy(source, inventory, "--dest", "data/model.pt")
    assert (done.exit, done.slugs()) == (3, {BAD: "not_writable"}), done.stderr
    assert desk.fleet.user in done.host(BAD)["reason"]["message"]
    assert desk.copies(3, source, "data/model.pt") == OTHERS


def test_a_destination_that_is_a_directory(desk: Desk) -> None:
    source, inventory = desk.source(MIB), desk.inventory(3)
    (desk.home(1) / source.name).mkdir()
    done = desk.deploy(source, inventory)
    assert (done.exit, done.slugs()) == (3, {BAD: "dest_is_directory"}), done.stderr
    assert contents(desk.home(1)) == [source.name]
    (desk.home(1) / source.name).rmdir()
    assert desk.copies(3, source) == OTHERS


def test_a_full_disk(desk: Desk) -> None:
    home = desk.home(1)
    mount = ["mount", "-t", "tmpfs", "-o", "size=1M,mode=777", "tmpfs", str(home)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no filesystem can be mounted here")
    try:
        source = desk.source(4 * MIB)
        done = desk.deploy(source, desk.inventory(3))
        only_the_bad_one_failed(desk, done, source, "disk_full")
        assert contents(home) == []
    finally:
        subprocess.run(["umount", str(home)], check=True)


def test_no_port_left_for_its_peers(desk: Desk) -> None:
    source = desk.source(MIB)
    with ExitStack() as taken:
        for port in (47810, 47811):
            taken.enter_context(socket.create_server((desk.fleet.addresses[1], port)))
        done = desk.deploy(source, desk.inventory(3), "--port-range", "47810-47811")
    only_the_bad_one_failed(desk, done, source, "no_peer_port")
    assert "47810 to 47811" in done.host(BAD)["reason"]["message"]


@pytest.mark.parametrize("same", [True, False], ids=["same content", "other content"])
def test_a_second_run_to_the_same_place_is_told_so_and_harms_nobody(desk: Desk, same: bool) -> None:
    source, inventory = desk.source(6 * MIB), desk.inventory(3)
    other = source if same else desk.source(6 * MIB, "other.pt")
    first = desk.start(source, inventory, "--bwlimit", "4M")
    wait_until(lambda: desk.taken_in() > MIB, 30, "content on the hosts")
    # It is under way all the time: what it sends waits meanwhile.
    origin = [pid for pid, home in desk.agents().items() if home == desk.root]
    send(signal.SIGSTOP, origin)
    try:
        second = desk.deploy(other, inventory, "--dest", source.name)
        assert first.running
    finally:
        send(signal.SIGCONT, origin)
    assert second.exit == 3, second.stderr
    assert set(second.slugs().values()) == {"dest_busy"}
    assert len(second.slugs()) == 3
    done = first.outcome()
    assert done.exit == 0, done.stderr
    assert len(desk.copies(3, source)) == 3
    desk.nothing_but(3, source.name)


def test_login_shells_that_talk(desk: Desk) -> None:
    source = desk.source(MIB)
    with sshd_fleet(3, noisy=True) as noisy:
        desk.fleet = noisy
        done = desk.deploy(source, desk.inventory(3))
        assert done.exit == 0, done.stderr
        assert len(desk.copies(3, source)) == 3
        desk.nothing_but(3, source.name)


def test_a_host_that_is_late_holds_nobody_up_and_is_served(desk: Desk) -> None:
    source = desk.source(4 * MIB)
    awake = desk.root / "awake"
    python = shutil.which("python3", path="/usr/bin:/bin:/usr/local/bin") or "python3"
    slow = desk.script("slow", f'while [ ! -e {awake} ]; do sleep 0.1; done\nexec {python} "$@"')
    inventory = desk.inventory(3, node0002={"ansible_python_interpreter": slow})
    run = desk.start(source, inventory)
    wait_until(lambda: desk.copies(3, source) == OTHERS, 40, "copies on the others")
    assert run.running
    awake.touch()
    done = run.outcome()
    assert done.exit == 0, done.stderr
    assert len(desk.copies(3, source)) == 3
    last = done.host(BAD)["verified_at_s"]
    assert all(done.host(name)["verified_at_s"] < last for name in OTHERS)
    desk.nothing_but(3, source.name)
