"""Where figures come from: which command made them, when, on what machine, with which versions."""

from __future__ import annotations

import os
import platform
import shlex
import ssl
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import fleetpush
from tests.benchmarks import setup

OURS = ("asyncssh", "cryptography")
"""Of what fleetpush depends on, that which costs time."""


def made() -> dict[str, Any]:
    """To be kept beside the figures of this process."""
    spec = sys.modules["__main__"].__spec__
    module = spec.name.removesuffix(".__main__") if spec else Path(sys.argv[0]).stem
    return {
        "benchmark": module.rpartition(".")[2],
        "command": shlex.join([".venv/bin/python", "-m", module, *_words(sys.argv[1:])]),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": _machine(),
        "versions": _versions(),
    }


def _words(given: list[str]) -> list[str]:
    """But for where the figures go."""
    kept: list[str] = []
    words = iter(given)
    for word in words:
        if word == "--json":
            follows = next(words, "")
            if follows.startswith("-"):  # a benchmark that prints them: it takes no file
                kept.append(follows)
        elif not word.startswith("--json="):
            kept.append(word)
    return kept


def _machine() -> dict[str, str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processors": f"{os.cpu_count()} of {_processor()}",
        "memory": f"{memory:.0f} GiB",
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        "kernel": platform.release(),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _versions() -> dict[str, str]:
    found = {
        "fleetpush": f"{fleetpush.__version__} ({_said('git', 'describe', '--always', '--dirty')})"
    }
    found |= {"Python": platform.python_version(), "OpenSSL": ssl.OPENSSL_VERSION}
    found["OpenSSH"] = _said("ssh", "-V").partition(",")[0]
    found |= {name: version(name) for name in OURS}
    return found | {thing.name: thing.version for thing in setup.check() if thing.version}


def _said(*words: str) -> str:
    """The first line that a command says, "" where there is none."""
    try:
        done = subprocess.run(words, check=False, capture_output=True, text=True)
    except OSError:
        return ""
    return next(iter((done.stdout or done.stderr).splitlines()), "")
