"""An agent as it is shipped starts without the parts of the standard library that would double its start."""

from __future__ import annotations

import re
import subprocess

import pytest

from fleetpush.remote import bootstrap
from tests.agent.test_interpreters import VERSIONS, interpreter

COSTLY = {
    "__future__",
    "bisect",
    "collections",
    "contextlib",
    "enum",
    "functools",
    "hashlib",
    "heapq",
    "json",
    "os",
    "queue",
    "re",
    "selectors",
    "socket",
    "ssl",
    "struct",
    "threading",
    "typing",
}


def imported(python: str) -> tuple[set[str], str]:
    """What an agent imports that ``python`` runs, until it finds that it is told nothing; what it says."""
    line = bootstrap.command(python).replace(" -I -S -c ", " -I -S -X importtime -c ")
    payload = b"".join(bootstrap.archive(bootstrap.AGENT))
    done = subprocess.run(["/bin/sh", "-c", line], input=payload, capture_output=True, check=False)
    said = done.stderr.decode()
    return set(re.findall(r"import time:.*\| +(\S+)$", said, re.MULTILINE)), said


@pytest.mark.parametrize("version", VERSIONS)
def test_an_agent_imports_nothing_costly_under_python(version: str) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} on this machine")
    loaded, said = imported(python)
    assert "the connection ended during the bootstrap" in said
    assert "fleetpush.agent.exchange" in loaded
    if version != "3.14":  # its C modules are not known: the public ones are used
        assert COSTLY.isdisjoint(loaded)
