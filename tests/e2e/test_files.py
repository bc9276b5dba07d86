"""What becomes of the files on a host: where they go, whose they are, when they are switched to."""

from __future__ import annotations

import pwd
import stat
from typing import TYPE_CHECKING

import pytest

from tests.e2e.hosts import contents, partials

if TYPE_CHECKING:
    from tests.e2e.desk import Desk

pytestmark = pytest.mark.sshd

MIB = 1024 * 1024
HOSTS = 3


def test_what_was_preheated_is_activated_without_moving_a_byte(desk: Desk) -> None:
    source, inventory = desk.source(4 * MIB), desk.inventory(HOSTS)
    (desk.home(0) / source.name).write_bytes(b"the old one")
    preheat = desk.deploy(source, inventory, "--activate", "none")
    assert preheat.exit == 0, preheat.stderr
    assert preheat.document["hosts"]["verified"] == HOSTS
    assert preheat.document["hosts"]["activated"] == 0
    assert (desk.home(0) / source.name).read_bytes() == b"the old one"
    assert [len(partials(home)) for home in desk.homes(HOSTS)] == [1] * HOSTS
    desk.no_agent_is_left()

    switch = desk.deploy(source, inventory)
    assert switch.exit == 0, switch.stderr
    assert switch.document["hosts"]["activated"] == HOSTS
    moved = switch.document["traffic"]
    assert moved["origin_bytes_sent"] + moved["peer_bytes_sent"] < 64 * 1024
    assert len(desk.copies(HOSTS, source)) == HOSTS
    desk.nothing_but(HOSTS, source.name)


def test_verify_full_reads_back(desk: Desk) -> None:
    source = desk.source(4 * MIB)
    done = desk.deploy(source, desk.inventory(HOSTS), "--verify", "full")
    assert done.exit == 0, done.stderr
    assert len(desk.copies(HOSTS, source)) == HOSTS
    desk.nothing_but(HOSTS, source.name)


def test_mode_and_owner_are_what_was_asked_for(desk: Desk) -> None:
    source, inventory = desk.source(MIB), desk.inventory(HOSTS)
    user = pwd.getpwnam(desk.fleet.user)
    flags = ("--mode", "0640", "--owner", user.pw_name, "--group", str(user.pw_gid))
    done = desk.deploy(source, inventory, *flags)
    assert done.exit == 0, done.stderr
    for home in desk.homes(HOSTS):
        found = (home / source.name).stat()
        assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o640, user.pw_uid)


def test_an_owner_that_only_root_can_give_fails_by_name_before_anything_moves(desk: Desk) -> None:
    source = desk.source(MIB)
    done = desk.deploy(source, desk.inventory(HOSTS), "--owner", "root")
    assert done.exit == 3
    assert set(done.slugs().values()) == {"bad_owner"}
    desk.nothing_but(HOSTS)


def test_root_may_give_the_file_away(desk: Desk) -> None:
    """The ``local`` connection: this test is root."""
    source = desk.source(MIB)
    target = desk.root / "there" / "model.pt"
    inventory = desk.root / "local.yaml"
    inventory.write_text("all: {hosts: {here: {ansible_connection: local}}}")
    user = pwd.getpwnam(desk.fleet.user)
    flags = ("--dest", str(target), "--owner", user.pw_name, "--group", "root", "--mode", "600")
    done = desk.deploy(source, inventory, *flags)
    assert done.exit == 0, done.stderr
    found = target.stat()
    assert (found.st_uid, found.st_gid) == (user.pw_uid, 0)
    assert stat.S_IMODE(found.st_mode) == 0o600
    assert target.read_bytes() == source.read_bytes()


@pytest.mark.parametrize(
    ("dest", "lands"),
    [
        ("models/{{ inventory_hostname }}/m.bin", "models/{host}/m.bin"),
        ("~/deep/er/", "deep/er/model.pt"),
        ("{{ ansible_user }}.bin", "fleetpush-test.bin"),
    ],
)
def test_the_destination(desk: Desk, dest: str, lands: str) -> None:
    source = desk.source(MIB)
    done = desk.deploy(source, desk.inventory(2), "--dest", dest)
    assert done.exit == 0, done.stderr
    for host in ("node0001", "node0002"):
        there = lands.format(host=host)
        assert (desk.home(host) / there).read_bytes() == source.read_bytes()
        files = [n for n in contents(desk.home(host)) if (desk.home(host) / n).is_file()]
        assert files == [there]


def test_several_sources_go_into_one_directory(desk: Desk) -> None:
    sources = [desk.source(MIB + 7, "a.bin"), desk.source(0, "empty"), desk.source(99, "b.txt")]
    done = desk.deploy(sources, desk.inventory(HOSTS), "--dest", "data/")
    assert done.exit == 0, done.stderr
    assert [f["path"] for f in done.document["manifest"]["files"]] == ["a.bin", "empty", "b.txt"]
    for source in sources:
        assert len(desk.copies(HOSTS, source, f"data/{source.name}")) == HOSTS
    desk.nothing_but(HOSTS, "data", "data/a.bin", "data/b.txt", "data/empty")


def test_an_empty_file_deploys_fine(desk: Desk) -> None:
    source = desk.source(0)
    done = desk.deploy(source, desk.inventory(HOSTS))
    assert done.exit == 0, done.stderr
    assert len(desk.copies(HOSTS, source)) == HOSTS
    desk.nothing_but(HOSTS, source.name)
