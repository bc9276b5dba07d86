"""Releases on real hosts: switched, kept, gone back to; together or not at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.e2e.desk import name

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.desk import Desk, Outcome

HOSTS = 4


def release(desk: Desk, source: Path, inventory: Path, *flags: str) -> Outcome:
    return desk.deploy(source, inventory, "--release-dir", "app", *flags)


def roll_back(desk: Desk, inventory: Path, *flags: str) -> Outcome:
    config = str(desk.root / "ssh_config")
    words = ("rollback", "-i", str(inventory), "--ssh-config", config, "--release-dir", "app")
    return desk.run(*words, *flags).outcome()


def active(desk: Desk, hosts: int = HOSTS) -> list[bytes]:
    """What whoever opens the active release sees, host by host; b"" where there is none."""
    files = [home / "app/current/model.pt" for home in desk.homes(hosts)]
    return [file.read_bytes() if file.exists() else b"" for file in files]


def releases(home: Path) -> list[str]:
    """What is there, the oldest first: of two that were made in one second only the log tells which."""
    log = (home / "app/releases.log").read_text().split()
    return sorted((path.name for path in (home / "app/releases").iterdir()), key=log.index)


def test_released_again_and_back(desk: Desk) -> None:
    inventory = desk.inventory(HOSTS)
    versions = []
    for _ in range(3):
        source = desk.source(300_000)
        versions.append(source.read_bytes())
        found = release(desk, source, inventory, "--keep-releases", "2")
        assert found.exit == 0
        assert active(desk) == [versions[-1]] * HOSTS
    for home in desk.homes(HOSTS):
        assert len(releases(home)) == 2
        assert sorted(path.name for path in (home / "app").iterdir()) == [
            "current",
            "releases",
            "releases.log",
        ]
    assert len({tuple(releases(home)) for home in desk.homes(HOSTS)}) == 1

    first, second = releases(desk.home(0))
    would = roll_back(desk, inventory, "-C")
    assert would.exit == 0
    assert f"would go back from {second} to {first}: node[0001-0004] (4)" in would.stdout
    assert active(desk) == [versions[2]] * HOSTS
    document = roll_back(desk, inventory, "-o", "json").document
    assert document["hosts"] == {"total": 4, "ok": 4, "failed": 0, "unreachable": 0}
    assert {(r["was"], r["now"]) for r in document["results"]} == {(second, first)}
    assert active(desk) == [versions[1]] * HOSTS
    again = roll_back(desk, inventory)
    assert again.exit == 3
    assert "no_release_before" in again.stdout
    assert roll_back(desk, inventory, "--to", second[-12:]).exit == 0
    assert active(desk) == [versions[2]] * HOSTS
    desk.no_agent_is_left()


def test_going_back_names_who_cannot_and_takes_the_others_along(desk: Desk) -> None:
    inventory = desk.inventory(HOSTS)
    versions = []
    for _ in range(2):
        source = desk.source(100_000)
        versions.append(source.read_bytes())
        assert release(desk, source, inventory).exit == 0
    for path in (desk.home(1) / "app").iterdir():
        path.rename(path.with_name(path.name + ".gone"))
    away = desk.inventory(HOSTS, **{name(2): {"ansible_port": 1}})
    found = roll_back(desk, away, "-o", "json")
    assert found.exit == 3
    assert found.slugs() == {name(1): "no_release_before", name(2): "connection_refused"}
    assert found.host(name(2))["status"] == "unreachable"
    assert active(desk) == [versions[0], b"", versions[1], versions[0]]


def test_together_all_switch_and_nothing_is_left(desk: Desk) -> None:
    many = 30  # more than stay with a mesh when nobody needs them
    source = desk.source(200_000)
    found = desk.deploy(source, desk.inventory(many), "--activate", "together")
    assert found.exit == 0
    assert found.document["hosts"]["activated"] == many
    assert 0 <= found.document["timing"]["activation_spread_s"] < 30
    desk.nothing_but(many, "model.pt")
    source = desk.source(200_000)
    assert release(desk, source, desk.inventory(HOSTS), "--activate", "together").exit == 0
    assert active(desk) == [source.read_bytes()] * HOSTS


def test_together_one_that_fails_keeps_all_as_they_were(desk: Desk) -> None:
    before = desk.source(100_000)
    inventory = desk.inventory(HOSTS)
    assert desk.deploy(before, inventory, "--dest", "model.pt").exit == 0
    old = before.read_bytes()
    after = desk.source(100_000)
    (desk.home(3) / "model.pt").unlink()
    (desk.home(3) / "model.pt").mkdir()
    found = desk.deploy(after, inventory, "--dest", "model.pt", "--activate", "together")
    assert found.exit == 8
    assert found.slugs() == {name(3): "dest_is_directory"}
    assert found.document["hosts"]["activated"] == 0
    assert "4 of 4 had to verify first" in found.document["error"]
    for number in (0, 1, 2):
        assert (desk.home(number) / "model.pt").read_bytes() == old
    # Enough is enough: three of four are 75 %. Nothing moves again.
    flags = ("--dest", "model.pt", "--activate", "together", "--min-success", "75%")
    enough = desk.deploy(after, inventory, *flags)
    assert enough.exit == 0
    assert enough.document["hosts"]["activated"] == 3
    assert enough.document["traffic"]["peer_bytes_sent"] < 50_000
    (desk.home(3) / "model.pt").rmdir()
    assert len(desk.copies(HOSTS, after)) == 3


def test_preheated_a_release_is_switched_later_without_moving_a_byte(desk: Desk) -> None:
    inventory = desk.inventory(HOSTS)
    source = desk.source(400_000)
    found = release(desk, source, inventory, "--activate", "none")
    assert found.exit == 0
    assert active(desk) == [b""] * HOSTS
    found = release(desk, source, inventory)
    assert found.document["traffic"]["origin_bytes_sent"] < 50_000
    assert active(desk) == [source.read_bytes()] * HOSTS
    assert json.dumps(found.document).count('"activated": true') == HOSTS
