"""``deploy --check`` and ``play --check``: what would be done where, and nothing is."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from fleetpush.cli.main import app

if TYPE_CHECKING:
    from pathlib import Path


class Fleet:
    """Two hosts on this machine, each with a directory, and one that nobody answers at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inventory = folder / "fleet.yaml"
        self.inventory.write_text(
            "all: {children: {up: {hosts: {a: {ansible_connection: local}, b: {ansible_connection: local}}},"
            " down: {hosts: {c: {ansible_host: 127.0.0.1, ansible_port: 1}}}}}"
        )
        self.site = folder / "site"
        (self.site / "img").mkdir(parents=True)
        (self.site / "index").write_text("welcome")
        (self.site / "img" / "logo").write_bytes(b"x" * 2048)

    def run(self, verb: str, what: str, *flags: str) -> Any:
        words = [verb, what, "-i", str(self.inventory), "--progress", "plain", *flags]
        return CliRunner().invoke(app, words)

    def deploy(self, *flags: str) -> Any:
        return self.run("deploy", f"{self.site}/", "--dest", self.dest, *flags)

    def document(self, *flags: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.deploy("-o", "json", *flags).stdout)
        return found

    @property
    def dest(self) -> str:
        return f"{self.folder}/{{{{ inventory_hostname }}}}/www/"

    def there(self, host: str) -> list[str]:
        top = self.folder / host
        return sorted(path.relative_to(top).as_posix() for path in top.rglob("*"))


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Fleet(tmp_path)


def test_a_look_says_what_a_deploy_does_and_leaves_no_trace(fleet: Fleet) -> None:
    found = fleet.deploy("-l", "up", "--check")
    assert found.exit_code == 0, found.stderr
    assert found.stdout.splitlines()[0] == "site/: 2 files, 2.1 kB; nothing was changed"
    assert f"would be created at {fleet.folder}/a/www, 2.1 kB: a (1)" in found.stdout
    assert not fleet.there("a")
    assert not (fleet.folder / "state").exists()  # no run is recorded either

    assert fleet.deploy("-l", "up").exit_code == 0
    here = f"already there at {fleet.folder}/a/www: a (1)"
    assert here in fleet.deploy("-l", "up", "-C").stdout

    old = fleet.folder / "a" / "www" / "old"
    old.mkdir()
    for number in range(20):
        (old / f"{number:02}").touch()
    (fleet.site / "index").write_text("goodbye")
    found = fleet.deploy("-l", "up", "-C", "--delete")
    assert "brought up to date at" in found.stdout
    assert "    replaced: index (7 B now)" in found.stdout
    assert "    removed: old/, old/00, old/01" in found.stdout
    assert "and 13 more" in found.stdout
    assert len(fleet.there("a")) == 25

    document = fleet.document("-l", "up", "-C", "--delete")
    a, b = document["results"]
    assert (document["check"], document["exit_code"], a["status"]) == (True, 0, "ok")
    assert (a["would"], a["replaced"]) == ("update", [{"path": "index", "size": 7}])
    assert a["removed"] == ["old/", *(f"old/{number:02}" for number in range(20))]
    assert (b["removed"], b["adjusted"]) == ([], [])
    assert document["manifest"]["files"] == 2


def test_whoever_could_not_be_looked_at_is_named(fleet: Fleet) -> None:
    found = fleet.deploy("-l", "a,c", "-C")
    assert found.exit_code == 4
    assert "unreachable: connection_refused: c" in found.stdout
    assert "would be created at" in found.stdout
    (fleet.folder / "b" / "www" / "index").mkdir(parents=True)
    document = fleet.document("-C")
    assert document["exit_code"] == 3
    reasons = {r["host"]: r["reason"]["slug"] for r in document["results"] if r["reason"]}
    assert reasons == {"b": "dest_is_directory", "c": "connection_refused"}


def test_what_is_wrong_with_the_source_is_said_before_any_host_is_reached(fleet: Fleet) -> None:
    os.mkfifo(fleet.site / "pipe")
    found = fleet.deploy("-C")
    assert (found.exit_code, found.stdout) == (5, "")
    assert "pipe is a device, pipe or socket" in found.stderr


def test_a_playbook_under_check_lists_what_it_would_remove(fleet: Fleet) -> None:
    (fleet.folder / "a" / "www").mkdir(parents=True)
    (fleet.folder / "a" / "www" / "old").touch()
    book = fleet.folder / "site.yaml"
    task = {"push": {"src": f"{fleet.site}/", "dest": fleet.dest, "delete": True}}
    book.write_text(json.dumps([{"hosts": "up", "tasks": [task]}]))
    found = fleet.run("play", str(book), "-l", "up", "--check")
    assert found.exit_code == 0, found.stderr
    assert "a: would remove old" in found.stderr
    assert "changed: a,b (2)" in found.stderr or "changed: [a-b]" in found.stderr
    assert fleet.there("a") == ["www", "www/old"]


def test_a_source_on_a_host_is_refused_by_name(fleet: Fleet) -> None:
    found = fleet.run("deploy", "a:/srv/model.pt", "--check")
    assert found.exit_code == 2
    assert "a:/srv/model.pt: --check compares with files on this machine" in found.stderr
