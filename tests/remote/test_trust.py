"""Host keys: who is believed, who is not, and what the operator is told to do."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.remote.talk import (
    advice,
    failure,
    new_key,
    says_hello,
    settings,
    target,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fleet.sshd import SshdFleet


pytestmark = [pytest.mark.sshd, pytest.mark.usefixtures("plugin")]


def test_an_unknown_host_key_is_refused_until_the_advice_is_followed(
    fleet: SshdFleet, tmp_path: Path
) -> None:
    chosen = settings(fleet, known_hosts=tmp_path / "mine")
    error = failure(chosen, target(fleet))
    assert error.slug == "host_key_unknown"
    assert "SHA256:" in str(error)
    command = advice(error, r"ssh-keyscan .* >> \S+")
    subprocess.run(command, shell=True, check=True, stderr=subprocess.DEVNULL)
    says_hello(chosen, target(fleet))
    assert failure(chosen, target(fleet, 1)).slug == "host_key_unknown"


@pytest.mark.parametrize("checking", ["strict", "accept-new"])
def test_a_changed_host_key_is_refused_until_the_old_one_is_forgotten(
    fleet: SshdFleet, tmp_path: Path, checking: str
) -> None:
    other = new_key(tmp_path / "other")
    mine = tmp_path / "mine"
    words = (tmp_path / "other.pub").read_text().split()
    mine.write_text(f"[{fleet.addresses[0]}]:{fleet.port} {words[0]} {words[1]}\n")
    assert other.exists()
    before = mine.read_text()
    error = failure(settings(fleet, known_hosts=mine, host_key_checking=checking), target(fleet))
    assert error.slug == "host_key_changed"
    assert mine.read_text() == before
    command = advice(error, r"ssh-keygen -R .*")
    subprocess.run(command, shell=True, check=True, capture_output=True)
    says_hello(settings(fleet, known_hosts=mine, host_key_checking="accept-new"), target(fleet))


def test_a_revoked_host_key_is_refused(fleet: SshdFleet, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text(re.sub("^", "@revoked ", fleet.known_hosts.read_text(), flags=re.MULTILINE))
    for checking in ("strict", "accept-new"):
        chosen = settings(fleet, known_hosts=mine, host_key_checking=checking)
        assert failure(chosen, target(fleet)).slug == "host_key_invalid"


def test_accept_new_keeps_each_new_key_once(fleet: SshdFleet, tmp_path: Path) -> None:
    mine = tmp_path / "dir" / "mine"
    chosen = settings(fleet, known_hosts=mine, host_key_checking="accept-new")
    hosts = [target(fleet, i % 5) for i in range(30)]
    says_hello(chosen, *hosts)
    lines = mine.read_text().splitlines()
    assert sorted(lines) == sorted(fleet.known_hosts.read_text().splitlines()[:5])
    says_hello(settings(fleet, known_hosts=mine), *hosts)


def test_accept_new_goes_on_and_warns_when_the_file_cannot_be_written(
    fleet: SshdFleet, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    mine = tmp_path / "file" / "known_hosts"
    chosen = settings(fleet, known_hosts=mine, host_key_checking="accept-new")
    warnings = says_hello(chosen, target(fleet), target(fleet, 1))
    assert len(warnings) == 1
    assert str(mine) in warnings[0]


def test_off_asks_for_no_host_key(fleet: SshdFleet, tmp_path: Path) -> None:
    chosen = settings(fleet, known_hosts=tmp_path / "none", host_key_checking="off")
    says_hello(chosen, target(fleet))
    assert not (tmp_path / "none").exists()
