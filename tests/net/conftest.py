"""A rig for each test, closed whatever happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.net.nodes import Rig

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for edges and between dials are short."""
    monkeypatch.setattr("fleetpush.net.edges.WAIT_FOR_EDGE", 0.2)
    monkeypatch.setattr("fleetpush.net.listener.SPEAK_WITHIN", 0.2)
    monkeypatch.setattr("fleetpush.net.edges.FIRST_RETRY", 0.01)
