"""The stores run under every Python that a host may have."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYENV = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")


def interpreter(version: str) -> str | None:
    """An interpreter of ``version``: our own, on the PATH, or kept by pyenv."""
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return sys.executable
    for path in sorted(PYENV.glob(f"{version}.*/bin/python")):
        return str(path)
    found = shutil.which(f"python{version}")
    # A version manager's shim is on the PATH whether or not there is something behind it.
    works = (
        found
        and subprocess.run([found, "-c", ""], check=False, capture_output=True).returncode == 0
    )
    return found if works else None


@pytest.mark.parametrize("version", VERSIONS)
def test_the_stores_under_python(version: str, tmp_path: Path) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} on this machine")
    check = Path(__file__).with_name("store_selfcheck.py")
    done = subprocess.run(
        [python, "-I", "-B", "-W", "error", str(check), str(ROOT), str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("the stores work\n", "")
