"""What cannot be deployed is refused in one sentence before a host is touched, never with a traceback."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.desk import Desk

pytestmark = pytest.mark.sshd

GOOD = "all: {hosts: {node0001: {ansible_host: 127.1.0.1}, node0002: {ansible_host: 127.1.0.2}}}"


class Bad(NamedTuple):
    """One thing that is wrong, what the command says to it, and its exit code and slug."""

    says: str
    exit: int = 5
    slug: str = "bad_input"
    source: Callable[[Path], object] = lambda path: path.write_bytes(b"content")
    inventory: str = GOOD
    flags: tuple[str, ...] = ()


CASES = {
    "missing source": Bad("model.pt: No such file or directory", source=lambda path: None),
    "directory to a file": Bad(
        "a directory goes into a directory, end it in '/'",
        source=Path.mkdir,
        flags=("--dest", "model.pt"),
    ),
    "pipe": Bad(
        "model.pt is a device, pipe or socket", source=lambda path: __import__("os").mkfifo(path)
    ),
    "broken YAML": Bad("fleet.yaml:4:", inventory="all:\n  hosts:\n    a: [\n"),
    "no mapping": Bad("fleet.yaml:2:", inventory="all:\n  hosts: 7\n"),
    "no inventory": Bad("nowhere.yaml", flags=("-i", "nowhere.yaml")),
    "no host matches": Bad("'web*' matches no host", slug="no_hosts", flags=("-l", "web*")),
    "no hosts": Bad("no hosts", inventory="all: {}"),
    "twins": Bad(
        "node0001 and again are the same machine",
        slug="duplicate_address",
        inventory="all: {hosts: {node0001: {ansible_host: 127.1.0.1},"
        " again: {ansible_host: 127.1.0.1}}}",
    ),
    "unknown variable": Bad("'nowhere'", flags=("--dest", "/srv/{{ nowhere }}/x")),
    "broken template": Bad("bad template", flags=("--dest", "/srv/{{ x")),
    "bad host port": Bad(
        "node0001: ansible_port must be",
        inventory="all: {hosts: {node0001: {ansible_port: 99999}}}",
    ),
    "bad peer port": Bad(
        "node0001: fleetpush_port must be",
        inventory="all: {hosts: {node0001: {fleetpush_port: x}}}",
    ),
    "unknown connection": Bad(
        "node0001: ansible_connection must be",
        inventory="all: {hosts: {node0001: {ansible_connection: winrm}}}",
    ),
    "bad port range": Bad("port range", 2, "usage", flags=("--port-range", "9-x")),
    "port range upside down": Bad("lower one first", 2, "usage", flags=("--port-range", "90-80")),
    "bad rate": Bad("is not a rate", 2, "usage", flags=("--bwlimit", "fast")),
    "bad chunk size": Bad("multiple of 64K", 2, "usage", flags=("--chunk-size", "100K")),
    "fanout of a star": Bad(
        "--tree-fanout needs a tree", 2, "usage", flags=("--topology", "star", "--tree-fanout", "3")
    ),
    "unknown flag": Bad("--nonsense", 2, "usage", flags=("--nonsense",)),
    "bad extra variable": Bad("write name=value", flags=("-e", "nonsense")),
    "missing ssh config": Bad("no-such-config", flags=("--ssh-config", "no-such-config")),
}


@pytest.mark.parametrize("bad", CASES.values(), ids=CASES)
def test_is_refused_in_a_sentence(desk: Desk, bad: Bad) -> None:
    source = desk.root / "model.pt"
    bad.source(source)
    inventory = desk.root / "fleet.yaml"
    inventory.write_text(bad.inventory)
    done = desk.deploy(source, inventory, *bad.flags)
    assert done.exit == done.document["exit_code"] == bad.exit, done.stderr
    assert done.document["slug"] == bad.slug
    assert bad.says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    if bad.exit == 5:
        complaint = done.stderr.splitlines()[-1]
        assert complaint == f"error: {done.document['error']}"
    desk.nothing_but(2)


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv (util-linux)")
def test_a_source_that_we_may_not_read(desk: Desk) -> None:
    source, inventory = desk.source(100), desk.inventory(2)
    source.chmod(0)
    unprivileged = ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all")
    done = desk.deploy(source, inventory, before=unprivileged)
    assert (done.exit, done.document["slug"]) == (5, "bad_input")
    assert done.document["error"].endswith("model.pt: Permission denied")
    assert "Traceback" not in done.stderr
    desk.nothing_but(2)
