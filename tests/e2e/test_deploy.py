"""A deploy that goes well: every topology, every host the same bytes, nothing left behind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.e2e.hosts import digest

if TYPE_CHECKING:
    from tests.e2e.desk import Desk

pytestmark = pytest.mark.sshd

MIB = 1024 * 1024
TOP = (
    "schema run_id command exit_code status topology discovery encrypt"
    " manifest hosts timing traffic results"
)
PROMISED = {
    "manifest": "digest size chunk_size chunks files",
    "hosts": "total verified already_present failed unreachable activated",
    "timing": "connect_s bootstrap_s makespan_s bound_s ratio total_s",
    "traffic": "origin_bytes_sent peer_bytes_sent cross_rack_bytes control_bytes",
}
RESULT = "host status reason chunks_reused bytes_received bytes_sent verified_at_s digest"


@pytest.mark.parametrize(
    ("topology", "least", "most"), [("mesh", 0.999, 1.3), ("tree", 0.999, 1.3), ("star", 50, 55)]
)
def test_fifty_hosts_get_the_same_bytes_and_keep_nothing_else(
    desk: Desk, topology: str, least: float, most: float
) -> None:
    source = desk.source(64 * MIB)
    done = desk.deploy(source, desk.inventory(50), "--topology", topology)
    assert done.exit == 0, done.stderr
    assert {digest(home / source.name) for home in desk.homes(50)} == {digest(source)}
    desk.nothing_but(50, source.name)
    assert least <= done.document["traffic"]["origin_bytes_sent"] / (64 * MIB) < most
    assert done.document["hosts"]["verified"] == done.document["hosts"]["activated"] == 50
    assert done.document["topology"] == topology


@pytest.mark.parametrize("flags", [("--topology", "tree", "--tree-fanout", "3"), ("--no-encrypt",)])
def test_eight_hosts_with(desk: Desk, flags: tuple[str, ...]) -> None:
    source = desk.source(16 * MIB + 12345)
    done = desk.deploy(source, desk.inventory(8), *flags)
    assert done.exit == 0, done.stderr
    assert len(desk.copies(8, source)) == 8
    desk.nothing_but(8, source.name)
    assert done.document["encrypt"] is ("--no-encrypt" not in flags)


def test_the_document_holds_what_is_promised(desk: Desk) -> None:
    source = desk.source(3 * MIB + 1)
    document = desk.deploy(source, desk.inventory(3)).document
    assert set(TOP.split()) <= set(document)
    for section, keys in PROMISED.items():
        assert set(keys.split()) <= set(document[section]), section
    assert document["schema"] == 1
    assert document["command"] == "deploy"
    assert document["manifest"]["files"] == [
        {"path": "model.pt", "size": 3 * MIB + 1, "sha256": digest(source)}
    ]
    assert re.fullmatch("[0-9a-f]{64}", document["manifest"]["digest"])
    for result in document["results"]:
        assert set(RESULT.split()) <= set(result)
        assert result["status"] == "verified"
        assert result["reason"] is None
        assert result["digest"] == document["manifest"]["digest"]
        assert 0 < result["verified_at_s"] <= document["timing"]["total_s"]
        assert result["bytes_received"] >= 3 * MIB + 1


def test_a_second_deploy_moves_nothing(desk: Desk) -> None:
    source = desk.source(8 * MIB)
    inventory = desk.inventory(5)
    desk.deploy(source, inventory)
    before = [(h / source.name).stat().st_ino for h in desk.homes(5)]
    again = desk.deploy(source, inventory)
    assert again.exit == 0, again.stderr
    assert {r["status"] for r in again.document["results"]} == {"already_present"}
    assert again.document["hosts"]["already_present"] == again.document["hosts"]["verified"] == 5
    assert {r["digest"] for r in again.document["results"]} == {
        again.document["manifest"]["digest"]
    }
    moved = again.document["traffic"]
    assert moved["origin_bytes_sent"] + moved["peer_bytes_sent"] < 64 * 1024, "handshakes only"
    assert before == [(h / source.name).stat().st_ino for h in desk.homes(5)]
    desk.nothing_but(5, source.name)
