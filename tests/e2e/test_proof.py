"""A disk that does not keep what it was given is found before anything is switched to it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.hosts import partials, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.desk import Desk

pytestmark = pytest.mark.sshd

MIB = 1024 * 1024
BAD = "node0002"
OTHERS = ["node0001", "node0003"]


def flip_a_byte_of_what_is_there(home: Path, content: bytes) -> bool:
    """Of a block that this host's partial holds, verified; False while there is none."""
    for partial in partials(home):
        held = partial.read_bytes()
        for at in range(0, len(content), 64 * 1024):
            if held[at : at + 64 * 1024] == content[at : at + 64 * 1024]:
                with partial.open("r+b") as file:
                    file.seek(at)
                    file.write(bytes([content[at] ^ 1]))
                return True
    return False


def test_a_byte_that_flips_on_a_hosts_disk_before_activation_is_caught(desk: Desk) -> None:
    source, inventory = desk.source(6 * MIB), desk.inventory(3)
    content = source.read_bytes()
    receipt = desk.root / "receipt.json"
    # A star: what one host holds goes to no other.
    flags = ("--topology", "star", "--verify", "full", "--bwlimit", "6M")
    run = desk.start(source, inventory, *flags, "--receipt", str(receipt))
    home = desk.home(BAD)
    wait_until(lambda: flip_a_byte_of_what_is_there(home, content), 30, "a block on the host")
    assert not (home / source.name).exists(), "it was to be flipped before activation"
    done = run.outcome()
    assert (done.exit, done.slugs()) == (3, {BAD: "verify_failed"}), done.stderr
    assert "1 of" in done.host(BAD)["reason"]["message"]
    assert done.good() == desk.copies(3, source) == OTHERS
    assert not (home / source.name).exists()
    proofs = {r["host"]: r["verified_by"] for r in done.document["results"]}
    assert proofs == {"node0001": "full", BAD: None, "node0003": "full"}
    verified = desk.run("runs", "verify", str(receipt)).outcome()
    assert verified.exit == 0
    assert "2 of 3 hosts verified (2 by full)" in verified.stdout
    hosts = {host["host"]: host for host in json.loads(receipt.read_text())["hosts"]}
    assert (hosts[BAD]["digest"], hosts[BAD]["bytes"]) == (None, 0)

    again = desk.deploy(source, inventory, "--verify", "full")
    assert again.exit == 0, again.stderr
    assert len(desk.copies(3, source)) == 3
    moved = again.host(BAD)["bytes_received"]
    assert 0 < moved < MIB, "only what was damaged moves again"


def test_the_receipt_is_what_ssh_keygen_reads(desk: Desk) -> None:
    key, allowed = desk.root / "sign", desk.root / "allowed"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    allowed.write_text(f"ops@example.com {key.with_suffix('.pub').read_text()}")
    source, receipt = desk.source(MIB), desk.root / "receipt.json"
    flags = ("--sign-key", str(key), "--receipt", str(receipt))
    done = desk.deploy(source, desk.inventory(2), *flags)
    assert done.exit == 0, done.stderr
    words = ["ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "ops@example.com"]
    words += ["-n", "fleetpush-receipt", "-s", f"{receipt}.sig"]
    with receipt.open() as text:
        subprocess.run(words, stdin=text, check=True, capture_output=True)
    flags = ("--allowed-signers", str(allowed), "--identity", "ops@example.com")
    verified = desk.run("runs", "verify", str(receipt), *flags).outcome()
    assert (verified.exit, verified.stdout.split(":")[0]) == (
        0,
        "intact, signed by ops@example.com",
    )
    receipt.write_text(receipt.read_text().replace("node0001", "node0009"))
    assert desk.run("runs", "verify", str(receipt), *flags).outcome().exit == 3
