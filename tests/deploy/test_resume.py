"""What a tree replaced cannot be put back, and nobody is told that it was."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from fleetpush.agent.place import StoreError
from fleetpush.agent.tasks.releasing import undo
from fleetpush.deploy.options import DeployOptions
from fleetpush.deploy.resume import after_switching
from fleetpush.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def revert(source: str, **more: Any) -> object:
    options = DeployOptions(sources=(source,), inventories=("a,",), dest="www/", **more)
    return after_switching("undo", options, "0" * 64, print)


def test_a_tree_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    with pytest.raises(InputError, match=r"^site/: what a tree replaced is not kept"):
        revert(f"{tmp_path}/site/")
    with pytest.raises(InputError, match=r"^site: what a tree replaced is not kept"):
        revert(f"{tmp_path}/site")
    assert revert(f"{tmp_path}/site.tar")


def test_a_host_refuses_where_the_command_cannot_know_any_more(tmp_path: Path) -> None:
    (tmp_path / "www" / "site").mkdir(parents=True)
    asked = {"dir": "", "dest": f"{tmp_path}/www/", "files": ["site"], "content": "0" * 12}
    with pytest.raises(StoreError, match="www/site is a directory: what a tree replaced"):
        undo(asked, threading.Event())
    assert undo({**asked, "files": ["model.pt"]}, threading.Event()) == {"changed": False}
