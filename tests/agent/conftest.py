"""Fixtures of the store's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fleetpush.agent.store import HostStore
from fleetpush.swarm.manifest import BLOCK
from tests.agent.content import CHUNK, Content, make_content, place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path


@pytest.fixture
def content() -> Content:
    """Five chunks, the last one shorter, its last block shorter still."""
    return make_content({"model.bin": 4 * CHUNK + BLOCK + 77})


@pytest.fixture
def new_store() -> Iterator[Callable[..., HostStore]]:
    """Makes stores and closes them in the end."""
    made: list[HostStore] = []

    def make(
        content: Content,
        dest: str | Path,
        *,
        verify_full: bool = False,
        known: Mapping[int, Sequence[int]] | None = None,
        **options: object,
    ) -> HostStore:
        where = place(dest, **options)
        made.append(HostStore(content.manifest, where, verify_full=verify_full, known=known))
        return made[-1]

    yield make
    for store in made:
        store.close()
