"""What hosts hold of an older version is not sent again: on real sshd, by the bytes that they received."""

from __future__ import annotations

import os
import random
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.e2e.hosts import contents

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.desk import Desk, Outcome

HOSTS = 3
SIZE = 12 << 20
CHUNK = ("--chunk-size", "1M")
RUN = 80_000
"""Bytes that change together."""

OLD = random.Random(5).randbytes(SIZE)


def in_place(old: bytes) -> bytes:
    """5 % of it are others, here and there."""
    new, rng = bytearray(old), random.Random(6)
    for slot in rng.sample(range(len(old) // RUN), len(old) // RUN // 20):
        new[slot * RUN : (slot + 1) * RUN] = rng.randbytes(RUN)
    return bytes(new)


def at_the_front(old: bytes) -> bytes:
    return random.Random(7).randbytes(12_345) + old


def moved(old: bytes) -> bytes:
    third = len(old) // 3
    return old[third:] + b"between" + old[:third]


def put(desk: Desk, where: str, data: bytes = OLD) -> None:
    for home in desk.homes(HOSTS):
        path = home / where
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        desk.own(home)


def share(found: Outcome, size: int) -> float:
    """Of the content, what the host that received most did, everything on its links included."""
    assert found.exit == 0, found.stderr
    return max(r["bytes_received"] for r in found.document["results"]) / size


def model(desk: Desk, data: bytes) -> Path:
    path = desk.root / "model.pt"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("edit", "flags"),
    [
        (in_place, ["--topology", "mesh"]),
        (at_the_front, ["--topology", "mesh"]),
        (moved, ["--discovery", "gossip"]),
    ],
    ids=["in place", "front", "moved, gossip"],
)
def test_an_edit_is_most_of_what_is_sent(
    edit: Callable[[bytes], bytes], flags: list[str], desk: Desk
) -> None:
    put(desk, "model.pt")
    new = model(desk, edit(OLD))
    found = desk.deploy(new, desk.inventory(HOSTS), *CHUNK, *flags)
    assert share(found, SIZE) <= 0.1
    assert desk.copies(HOSTS, new) == [r["host"] for r in found.document["results"]]
    assert all(r["bytes_reused"] >= 0.9 * SIZE for r in found.document["results"])
    assert found.document["traffic"]["origin_bytes_sent"] <= 0.15 * SIZE
    for home in desk.homes(HOSTS):
        assert contents(home) == ["model.pt"]


def test_hosts_with_different_versions_and_with_none_help_each_other(desk: Desk) -> None:
    new = model(desk, in_place(OLD))
    one, two, _ = desk.homes(HOSTS)
    (one / "model.pt").write_bytes(OLD)
    (two / "model.pt").write_bytes(at_the_front(OLD))
    desk.own(one)
    desk.own(two)
    found = desk.deploy(new, desk.inventory(HOSTS), *CHUNK)
    received = [r["bytes_received"] / SIZE for r in found.document["results"]]
    assert received[0] <= 0.1
    assert received[1] <= 0.1
    assert received[2] >= 1
    assert len(desk.copies(HOSTS, new)) == HOSTS


def test_a_named_file_is_reused_and_what_is_none_is_said(desk: Desk) -> None:
    put(desk, "node0001/v1.pt")
    (desk.home(1) / "node0002").mkdir()
    desk.own(desk.home(1))
    shutil.copy(desk.home(1) / "node0001/v1.pt", desk.home(1) / "node0002/v1.pt")
    os.mkfifo(desk.home(2) / "node0003")
    new = model(desk, at_the_front(OLD))
    named = ("--reuse", "{{ inventory_hostname }}/v1.pt", "--reuse", "node0003")
    found = desk.deploy(new, desk.inventory(HOSTS), *named)
    received = [r["bytes_received"] / SIZE for r in found.document["results"]]
    assert received[0] <= 0.1
    assert received[1] <= 0.1
    assert received[2] >= 1
    assert "node0003 is no file on this host" in found.stderr
    assert (desk.home(0) / "node0001/v1.pt").read_bytes() == OLD


def test_the_release_before_is_reused(desk: Desk) -> None:
    inventory = desk.inventory(HOSTS)
    first = desk.deploy(model(desk, OLD), inventory, "--release-dir", "model")
    assert share(first, SIZE) >= 1
    new = model(desk, in_place(OLD))
    assert share(desk.deploy(new, inventory, "--release-dir", "model"), SIZE) <= 0.1
    assert len(desk.copies(HOSTS, new, "model/current/model.pt")) == HOSTS


def test_a_changed_file_of_a_tree_is_reused(desk: Desk) -> None:
    source = desk.root / "site"
    (source / "sub").mkdir(parents=True)
    for number in range(20):
        (source / f"sub/{number}").write_bytes(os.urandom(5000))
    (source / "model.pt").write_bytes(OLD)
    inventory = desk.inventory(HOSTS)
    assert share(desk.deploy(f"{source}/", inventory, "--dest", "site/"), SIZE) >= 1
    (source / "model.pt").write_bytes(at_the_front(OLD))
    (source / "sub/3").write_bytes(os.urandom(6000))
    found = desk.deploy(f"{source}/", inventory, "--dest", "site/")
    assert share(found, SIZE) <= 0.1
    assert len(desk.copies(HOSTS, source / "model.pt", "site/model.pt")) == HOSTS
    assert len(desk.copies(HOSTS, source / "sub/3", "site/sub/3")) == HOSTS


def test_nothing_is_reused_where_it_is_not_to_be(desk: Desk) -> None:
    put(desk, "model.pt")
    new = model(desk, in_place(OLD))
    assert share(desk.deploy(new, desk.inventory(HOSTS), "--no-reuse"), SIZE) >= 1
    assert len(desk.copies(HOSTS, new)) == HOSTS
    found = desk.deploy(new, desk.inventory(HOSTS), "--no-reuse", "--reuse", "x")
    assert found.exit == 2
    assert "--no-reuse" in found.stderr
