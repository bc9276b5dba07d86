"""What it costs to have an agent on every host, beside what else reaches many hosts over SSH.

    .venv/bin/python -m tests.benchmarks.fanout [--hosts 200] [--runs 3] [--forks N] [--only deploy,clush]
        [--json FILE]

deploy: ``fleetpush deploy`` of a file of 4 KiB. clush: ``clush -f 64 true``. ansible: ``ansible -f 64 -m
ping`` as it comes, from the ``.benchmarks`` venv of ``python -m tests.benchmarks.setup``. The hosts are
addresses of this machine behind one real sshd; the commands take turns, and the deployed files are deleted
in between.

wall: the whole command. ready: when the last host's agent had greeted and was ready to trade (deploy only).
cli ms: processor time of the command and of the ssh clients that it started, per host. machine ms: busy
time of all processors meanwhile, sshd and what runs on the hosts included, per host. Ratios are of medians,
ours to theirs. Needs root and openssh-server; a command that is not installed is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.benchmarks import table
from tests.benchmarks.machine import TICK, machine
from tests.benchmarks.setup import AGAIN, PYTHON
from tests.fleet import sshd
from tests.lab.arguments import SKIPPED, end_by_exception

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.fleet.sshd import SshdFleet

COMMANDS = ("deploy", "clush", "ansible")
FORKS = "64"
HEAD = ("", "wall", "ready", "cli ms", "machine ms", "good")
SFTP = Path("/usr/lib/openssh/sftp-server")
"""Debian's; ansible copies its module with it."""

ANSIBLE = PYTHON.with_name("ansible")


class Desk:
    """The operator's side: one fleet, and a folder for what the commands want."""

    def __init__(self, fleet: SshdFleet, work: Path, forks: int | None) -> None:
        self._fleet = fleet
        self._work = work
        self._forks = [] if forks is None else ["--forks", str(forks)]
        self._inventory = fleet.inventory(work / "fleet.yaml")
        self._config = work / "ssh_config"
        self._config.write_text(f"Host *\n  UserKnownHostsFile {fleet.known_hosts}\n")
        self._source = work / "motd"
        self._source.write_bytes(os.urandom(4096))
        self._output = work / "output"

    def missing(self, name: str) -> str:
        """Why a command cannot run, or ""."""
        there = {"deploy": True, "clush": shutil.which("clush"), "ansible": ANSIBLE.exists()}
        return "" if there[name] else f"not installed ({AGAIN})"

    def run(self, name: str) -> dict[str, float]:
        """One command on all hosts: its figures."""
        runs: dict[str, Callable[[], dict[str, float]]]
        runs = {"deploy": self._deploy, "clush": self._clush, "ansible": self._ansible}
        return runs[name]()

    def _deploy(self) -> dict[str, float]:
        words = [sys.executable, "-m", "fleetpush", "deploy", str(self._source), *self._forks]
        words += ["-i", str(self._inventory), "--ssh-config", str(self._config)]
        figures = self._timed([*words, "-o", "json", "--progress", "quiet"])
        report = json.loads(self._output.read_text())
        wanted = self._source.read_bytes()
        copies = [home / self._source.name for home in self._homes()]
        good = sum(copy.exists() and copy.read_bytes() == wanted for copy in copies)
        for copy in copies:
            copy.unlink(missing_ok=True)
        timing = report["timing"]
        return figures | {
            "ready_s": timing["bootstrap_s"] or 0.0,
            "connect_s": timing["connect_s"] or 0.0,
            "good": good,
        }

    def _clush(self) -> dict[str, float]:
        fleet = self._fleet
        names = self._work / "hosts"
        names.write_text("\n".join(fleet.addresses) + "\n")
        options = f"-F {self._config} -p {fleet.port} -i {fleet.key}"
        words = ["clush", "-S", "-f", FORKS, "-l", fleet.user, "-o", options]
        figures = self._timed([*words, "--hostfile", str(names), "true"])
        complaints = self._output.read_text().count("exited with exit code")
        return figures | {"good": len(fleet.addresses) - complaints}

    def _ansible(self) -> dict[str, float]:
        """Its ssh clients wait for a minute for more work: their time counts too, and they are ended here."""
        with tempfile.TemporaryDirectory(prefix="cp-", dir="/tmp") as sockets:
            env = {"ANSIBLE_SSH_CONTROL_PATH_DIR": sockets, "HOME": str(self._work)}
            env |= {"ANSIBLE_SSH_COMMON_ARGS": f"-F {self._config}", "ANSIBLE_NOCOLOR": "1"}
            # A home of its own is a host's only by its environment: all share the user's entry.
            env |= {"ANSIBLE_REMOTE_TMP": "$HOME/.ansible/tmp"}
            words = [str(ANSIBLE), "all", "-i", str(self._inventory), "-f", FORKS, "-m", "ping"]
            figures = self._timed(words, env)
            waiting = _end_processes(sockets.encode())
        figures["cli_ms_a_host"] += waiting * 1000 / len(self._fleet.addresses)
        for home in self._homes():
            shutil.rmtree(home / ".ansible", ignore_errors=True)
        return figures | {"good": self._output.read_text().count("| SUCCESS")}

    def _timed(self, words: Sequence[str], env: dict[str, str] | None = None) -> dict[str, float]:
        usual = {"PATH": os.environ["PATH"], "HOME": str(self._work), "PYTHONPATH": str(Path.cwd())}
        with self._output.open("wb") as out:
            before, began = machine(), time.monotonic()
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=usual | (env or {})
            )
            try:
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            finally:
                if process.returncode is None:
                    process.terminate()
                    process.wait()
            wall = time.monotonic() - began
        hosts = len(self._fleet.addresses)
        return {
            "wall_s": wall,
            "cli_ms_a_host": (usage.ru_utime + usage.ru_stime) * 1000 / hosts,
            "machine_ms_a_host": (machine() - before).busy * 1000 / hosts,
            "exit": process.returncode,
        }

    def _homes(self) -> list[Path]:
        return [self._fleet.home(index) for index in range(len(self._fleet.addresses))]


def main() -> int:
    options = _arguments()
    if problem := sshd.missing():
        print(f"skipped: {problem}", file=sys.stderr)
        return SKIPPED
    end_by_exception()
    config = f"Subsystem sftp {SFTP}" if SFTP.exists() else ""
    with (
        sshd.sshd_fleet(options.hosts, config=config) as fleet,
        tempfile.TemporaryDirectory() as folder,
    ):
        desk = Desk(fleet, Path(folder), options.forks)
        names = []
        for name in options.only:
            if reason := desk.missing(name):
                print(f"without {name}: {reason}")
            else:
                names.append(name)
        print(f"{options.hosts} hosts, load {os.getloadavg()[0]:.1f}")
        runs = _take_turns(desk, names, options.runs)
    medians = _medians(runs)
    if options.json:
        ratios = _ratios(medians)
        document = {"hosts": options.hosts, "medians": medians, "ratios": ratios, "runs": runs}
        table.save(options.json, document)
    good = all(run["good"] == options.hosts for own in runs.values() for run in own)
    return 0 if good else 1


def _take_turns(desk: Desk, names: Sequence[str], rounds: int) -> dict[str, list[dict[str, float]]]:
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    print(_row(HEAD))
    for _ in range(rounds):
        for name in names:
            figures = desk.run(name)
            found[name].append(figures)
            print(_row(_cells(name, figures)), flush=True)
    return found


def _medians(runs: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, float]]:
    found = {}
    for name, own in runs.items():
        found[name] = {key: median(run[key] for run in own) for key in own[0]}
        print(_row(_cells(name, found[name])), f"median of {len(own)}")
    for name, ratios in _ratios(found).items():
        words = (f"{key} {ratio:.2f}" for key, ratio in ratios.items())
        print(f"deploy of {name}: {', '.join(words)}")
    return found


def _ratios(medians: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Ours over each other's."""
    if "deploy" not in medians:
        return {}
    ours = medians["deploy"]
    keys = ("wall_s", "cli_ms_a_host", "machine_ms_a_host")
    others = {name: figures for name, figures in medians.items() if name != "deploy"}
    return {name: {key: ours[key] / theirs[key] for key in keys} for name, theirs in others.items()}


def _end_processes(mark: bytes) -> float:
    """Ends those with ``mark`` in their command line, and returns the processor seconds that they used."""
    spent = 0.0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            if mark in (entry / "cmdline").read_bytes():
                fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
                spent += sum(map(int, fields[11:13])) * TICK
                os.kill(int(entry.name), signal.SIGTERM)
        except OSError:  # it has ended
            continue
    return spent


def _cells(name: str, figures: dict[str, Any]) -> tuple[str, ...]:
    return (
        name,
        f"{figures['wall_s']:.2f} s",
        f"{figures['ready_s']:.2f} s" if "ready_s" in figures else "",
        f"{figures['cli_ms_a_host']:.1f}",
        f"{figures['machine_ms_a_host']:.1f}",
        f"{figures['good']:.0f}",
    )


def _row(cells: tuple[str, ...]) -> str:
    return f"{cells[0]:14}" + "".join(f"{cell:>12}" for cell in cells[1:])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.fanout",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--forks", type=int, help="for the deploy (default: its own)")
    parser.add_argument("--only", type=_names, default=list(COMMANDS), metavar="NAME[,NAME]")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in COMMANDS]:
        raise argparse.ArgumentTypeError(f"not {', '.join(unknown)}: {', '.join(COMMANDS)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
