"""One deploy, hosts of every Python version that this machine has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.agent.test_interpreters import VERSIONS, interpreter

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.desk import Desk

pytestmark = pytest.mark.sshd

MIB = 1024 * 1024


def test_agents_of_all_versions_trade_with_each_other(desk: Desk) -> None:
    """Hosts behind the sshd run the system's Python; the others are ``local``, as they are root's."""
    pythons = {version: interpreter(version) for version in VERSIONS}
    here = {f"python{v}": path for v, path in pythons.items() if path is not None}
    inventory = desk.inventory(2)
    local = desk.root / "local.yaml"
    lines = [
        f"    {name}: {{ansible_connection: local, ansible_python_interpreter: {path}}}\n"
        for name, path in here.items()
    ]
    local.write_text("all:\n  hosts:\n" + "".join(lines))
    source = desk.source(8 * MIB + 1)
    flags = ("-i", str(local), "--dest", "got/{{ inventory_hostname }}")
    done = desk.deploy(source, inventory, *flags)
    assert done.exit == 0, done.stderr
    assert len(done.good()) == 2 + len(here)
    places: list[Path] = [desk.root / "got" / name for name in here]
    places += [desk.home(i) / "got" / f"node000{i + 1}" for i in range(2)]
    assert {place.read_bytes() for place in places} == {source.read_bytes()}
    # Not only from the origin: whatever the version, they serve each other.
    assert done.document["traffic"]["origin_bytes_sent"] < 2 * source.stat().st_size
