"""Pushes whose hosts find each other: plays that have one are shipped what that takes, and no others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from fleetpush.deploy.play.options import PlayOptions
from fleetpush.deploy.play.program import load_program
from fleetpush.deploy.play.run import PlayRun

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("n1", "n2", "n3")
PUSH = """\
- hosts: all
  tasks:
  - command: "true"
  - push: {{src: {src}, dest: {dest}, discovery: {how}}}
"""


class Deaf:
    def handle(self, event: object) -> None:
        """Nobody listens."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lines = [
        f"{n} ansible_connection=local ansible_host=127.0.0.{i}\n" for i, n in enumerate(NAMES, 1)
    ]
    (tmp_path / "hosts.ini").write_text("".join(lines))
    (tmp_path / "model.pt").write_bytes(os.urandom(300_000))
    return tmp_path


def options(folder: Path, how: str) -> PlayOptions:
    dest = f"'{folder}/{{{{ inventory_hostname }}}}/model.pt'"
    for name in NAMES:
        (folder / name).mkdir(exist_ok=True)
    book = folder / "release.yaml"
    book.write_text(PUSH.format(src=folder / "model.pt", dest=dest, how=how))
    state = folder / "state"
    return PlayOptions(
        playbooks=(str(book),), inventories=(str(folder / "hosts.ini"),), state_dir=state
    )


async def test_a_play_pushes_to_hosts_that_find_each_other(folder: Path) -> None:
    report = await PlayRun(options(folder, "gossip"), Deaf()).execute()
    assert report.exit_code == 0
    wanted = (folder / "model.pt").read_bytes()
    assert [(folder / name / "model.pt").read_bytes() == wanted for name in NAMES] == [True] * 3


@pytest.mark.parametrize(
    ("how", "may"), [("tracker", False), ("gossip", True), ("'{{ how }}'", True)]
)
def test_only_a_play_that_may_gossip_is_shipped_what_that_takes(
    folder: Path, how: str, may: bool
) -> None:
    assert load_program(options(folder, how), lambda text: None).may_gossip() is may
