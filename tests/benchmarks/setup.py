"""Installs what the benchmarks compare fleetpush with, and shows what of it is there.

    .venv/bin/python -m tests.benchmarks.setup            # as root, on Debian; again does no harm
    .venv/bin/python -m tests.benchmarks.setup --check    # only lists; exit 1 if something is missing

Debian's packages go where Debian puts them; Python packages into a venv of their own, ``.benchmarks/venv``
at the repository's root, never among the project's dependencies.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parents[2] / ".benchmarks"
PYTHON = FOLDER / "venv/bin/python"
AGAIN = "run: python -m tests.benchmarks.setup"

DEBIAN = {  # package: a program of it
    "aria2": "aria2c",
    "clustershell": "clush",
    "iperf3": "iperf3",
    "iproute2": "ip",
    "opentracker": "opentracker",
    "rsync": "rsync",
    "udpcast": "udp-sender",
}
PYPI = {
    "libtorrent": "libtorrent>=2.0,<3",
    "ansible-core": "ansible-core>=2.15",
}  # name: what to ask for
_VERSION = "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))"


class SetupError(Exception):
    """What could not be installed, and what to do about it."""


class Found(NamedTuple):
    """One thing that the benchmarks need; ``version`` is None where it is missing."""

    name: str
    kind: str
    version: str | None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.setup", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--check", action="store_true", help="install nothing, list what is there")
    options = parser.parse_args(arguments)
    try:
        if not options.check:
            install()
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    found = check()
    for thing in found:
        print(f"{thing.name:14} {thing.kind:8} {thing.version or 'missing'}")
    if all(thing.version for thing in found):
        return 0
    print(AGAIN, file=sys.stderr)
    return 1


def check() -> list[Found]:
    """All that the benchmarks need, with the versions that are there."""
    debian = [Found(name, "debian", _debian_version(name)) for name in DEBIAN]
    return debian + [Found(name, "pypi", _pypi_version(name)) for name in PYPI]


def missing_program(program: str) -> str | None:
    """Why a Debian program cannot be run, or None."""
    return None if shutil.which(program) else f"no {program} here ({AGAIN})"


def missing_module(name: str) -> str | None:
    """Why a PyPI package of ``.benchmarks`` cannot be used, or None."""
    return None if _pypi_version(name) else f"no {name} in {FOLDER.name}/ ({AGAIN})"


def install() -> None:
    """Installs what is missing. Raises SetupError."""
    packages = [name for name in DEBIAN if _debian_version(name) is None]
    if packages:
        _install_debian(packages)
    modules = [wanted for name, wanted in PYPI.items() if _pypi_version(name) is None]
    if modules:
        _install_pypi(modules)


def _install_debian(packages: list[str]) -> None:
    names = " ".join(packages)
    if shutil.which("apt-get") is None:
        raise SetupError(f"this is no Debian (no apt-get): install what provides {names} yourself")
    if os.geteuid() != 0:
        raise SetupError(
            f"installing {names} needs root: sudo {sys.executable} -m tests.benchmarks.setup"
        )
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run(
        ["apt-get", "update", "-qq"],
        "apt's package lists cannot be had: is the network there?",
        quiet,
    )
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    _run(command, f"apt-get could not install {names}", quiet)
    if "opentracker" in packages and Path("/run/systemd/system").exists():
        # Its package starts a tracker for everybody; the benchmarks start one of their own.
        problem = "the opentracker service could not be stopped"
        _run(["systemctl", "disable", "--now", "opentracker"], problem, quiet)


def _install_pypi(modules: list[str]) -> None:
    names = " ".join(modules)
    if not PYTHON.exists():
        problem = "no venv could be made (Debian: apt install python3-venv)"
        _run([sys.executable, "-m", "venv", str(PYTHON.parents[1])], problem)
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # A wheel or nothing: building libtorrent takes boost and half an hour.
    problem = f"pip could not install {names} for Python {sys.version.split()[0]} on this machine"
    _run([*command, "--only-binary", "libtorrent", *modules], problem)


def _run(command: list[str], problem: str, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=env)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()[-5:]
        raise SetupError("\n  ".join([problem, *said]))


def _debian_version(package: str) -> str | None:
    if shutil.which(DEBIAN[package]) is None:
        return None
    if shutil.which("dpkg-query") is None:
        return "of unknown version"
    command = ["dpkg-query", "-W", "-f=${Version}", package]
    return _said(command) or "of unknown version"  # there, but not from a package


def _pypi_version(name: str) -> str | None:
    return _said([str(PYTHON), "-c", _VERSION, name]) if PYTHON.exists() else None


def _said(command: list[str]) -> str | None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout.strip() or None if done.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main())
