"""A thousand hosts behind one real sshd on this machine: one ``fleetpush deploy``, beside ``clush true``.

    .venv/bin/python -m tests.benchmarks.thousand [--hosts 1000] [--size 4M] [--chunk-size 64K]
    .venv/bin/python -m tests.benchmarks.thousand --hosts 8 --size 5G --chunk-size auto --no-clush
    .venv/bin/python -m tests.benchmarks.thousand --hosts 200 --activate together --no-clush

Needs root, openssh-server and (for the comparison) clustershell. Prints a table, and JSON with ``--json``.
Times are of this run on this machine; what carries over is the ratio of the two.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from fleetpush.cli.values import size as parse_size
from tests.benchmarks import table
from tests.fleet.sshd import SshdFleet, missing, sshd_fleet

PAGE = os.sysconf("SC_PAGE_SIZE")


def main() -> int:
    options = _arguments()
    problem = missing()
    if problem:
        print(f"skipped: {problem}")
        return 0
    with sshd_fleet(options.hosts) as fleet, tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        source = work / "model.pt"
        _write_random(source, parse_size(options.size))
        figures = deploy(fleet, source, work, options)
        figures["copies_good"] = _good_copies(fleet, source, options.hosts)
        figures["left_behind"] = _left_behind(fleet, options.hosts)
        if shutil.which("clush") and not options.no_clush:
            figures["clush_true_s"] = clush(fleet, work, options.hosts)
            figures["ratio_to_clush"] = figures["wall_s"] / figures["clush_true_s"]
    _show(figures, as_json=options.json)
    good = figures["exit"] == 0 and figures["copies_good"] == options.hosts
    return 0 if good and not figures["left_behind"] else 1


def deploy(
    fleet: SshdFleet, source: Path, work: Path, options: argparse.Namespace
) -> dict[str, Any]:
    """One ``fleetpush deploy`` as a user would type it, watched from outside."""
    inventory = fleet.inventory(work / "fleet.yaml")
    config = _ssh_config(fleet, work)
    command = [
        *(sys.executable, "-m", "fleetpush", "deploy", str(source), "-i", str(inventory)),
        *(() if options.chunk_size == "auto" else ("--chunk-size", options.chunk_size)),
        *("--topology", options.topology, "--forks", str(options.forks)),
        *("--activate", options.activate, "--state-dir", str(work / "state")),
        *("--ssh-config", str(config), "--progress", "plain", "-o", "json"),
    ]
    result = work / "result.json"
    log = work / "progress.log"
    began = time.monotonic()
    with result.open("wb") as out, log.open("wb") as err:
        cli = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL)
        watch = Watch(cli.pid, fleet.root)
        watch.start()
        _, status, usage = os.wait4(cli.pid, 0)
        cli.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    watch.stop()
    if options.verbose:
        print(log.read_text()[-4000:])
    report = json.loads(result.read_text())
    cpu = usage.ru_utime + usage.ru_stime
    timing, traffic = report["timing"], report["traffic"]
    return {
        "hosts": options.hosts,
        "exit": cli.returncode,
        "verified": report["hosts"]["verified"],
        "connect_s": timing["connect_s"],
        "bootstrap_s": timing["bootstrap_s"],
        "makespan_s": timing["makespan_s"],
        "total_s": timing["total_s"],
        "activation_spread_s": timing["activation_spread_s"],
        "wall_s": wall,
        "origin_copies": traffic["origin_bytes_sent"] / source.stat().st_size,
        "control_share": traffic["control_bytes"] / max(1, traffic["peer_bytes_sent"]),
        "cli_cpu_ms_a_host": cpu * 1000 / options.hosts,
        "cli_peak_rss_mb": usage.ru_maxrss / 1024,
        "cli_rss_mb_over_time": watch.thirds(watch.cli_mb),
        "agent_rss_mb_over_time": watch.thirds(watch.agent_mb),
        "agent_private_mb": watch.private_mb,
        "machine_used_gib": watch.machine_gib,
    }


class Watch(threading.Thread):
    """Samples the machine's memory and some agents' private memory while the run goes on."""

    def __init__(self, cli: int, root: Path) -> None:
        super().__init__(daemon=True)
        self.private_mb = 0.0
        self.machine_gib = 0.0
        self.cli_mb: list[float] = []
        self.agent_mb: list[float] = []
        self._cli = cli
        self._root = root
        self._ended = threading.Event()
        self._before = _used_bytes()

    def thirds(self, samples: list[float]) -> list[float]:
        """The median of each third of the run: flat, or growing."""
        third = max(1, len(samples) // 3)
        parts = [samples[i * third : (i + 1) * third] for i in range(3)]
        return [round(sorted(part)[len(part) // 2], 1) for part in parts if part]

    def stop(self) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        while not self._ended.wait(2.0):
            self.machine_gib = max(self.machine_gib, (_used_bytes() - self._before) / 2**30)
            agents = _agents(self._root)
            self.cli_mb.append(_rss_mb(self._cli))
            if agents:
                self.agent_mb.append(max(_rss_mb(pid) for pid in agents))
            samples = sorted(_private_mb(pid) for pid in agents[:: max(1, len(agents) // 15)])
            if samples:
                self.private_mb = max(self.private_mb, samples[len(samples) // 2])


def clush(fleet: SshdFleet, work: Path, hosts: int) -> float:
    """Seconds that ``clush -f 64`` needs to run only ``true`` on the same hosts."""
    names = work / "hosts"
    names.write_text("\n".join(fleet.addresses[:hosts]) + "\n")
    options = f"-F {_ssh_config(fleet, work)} -p {fleet.port} -i {fleet.key}"
    began = time.monotonic()
    subprocess.run(
        ["clush", "-f", "64", "-l", fleet.user, "-o", options, "--hostfile", str(names), "true"],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    return time.monotonic() - began


def _ssh_config(fleet: SshdFleet, work: Path) -> Path:
    config = work / "ssh_config"
    config.write_text(f"Host *\n  UserKnownHostsFile {fleet.known_hosts}\n")
    return config


def _good_copies(fleet: SshdFleet, source: Path, hosts: int) -> int:
    wanted = _digest(source)
    copies = (fleet.home(i) / source.name for i in range(hosts))
    return sum(1 for copy in copies if copy.exists() and _digest(copy) == wanted)


def _left_behind(fleet: SshdFleet, hosts: int) -> list[str]:
    time.sleep(1.0)
    found = [
        str(path) for i in range(hosts) for path in fleet.home(i).iterdir() if path.name[0] == "."
    ]
    return found + [f"process {pid}" for pid in _agents(fleet.root)]


def _agents(root: Path) -> list[int]:
    """Processes at home below ``root`` whose command line is an agent's stub."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
                at_home = (entry / "cwd").readlink().is_relative_to(root)
            except OSError:
                continue
            if at_home and b"fleetpush.agent.main" in line and b"-I\0-S\0" in line:
                found.append(int(entry.name))
    return found


def _write_random(path: Path, size: int) -> None:
    with path.open("wb") as out:
        while size > 0:
            size -= out.write(os.urandom(min(size, 1 << 24)))


def _digest(path: Path) -> bytes:
    with path.open("rb") as copy:
        return hashlib.file_digest(copy, "sha256").digest()


def _rss_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * PAGE / 2**20


def _private_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def _used_bytes() -> int:
    fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return 1024 * (int(fields["MemTotal"].split()[0]) - int(fields["MemAvailable"].split()[0]))


def _show(figures: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(table.as_json(figures))
        return
    for name, value in figures.items():
        print(f"{name:20} {value:.3f}" if isinstance(value, float) else f"{name:20} {value}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--size", default="4M")
    parser.add_argument("--chunk-size", default="64K")
    parser.add_argument("--topology", default="mesh")
    parser.add_argument("--activate", default="each")
    # Handshakes at once. The default of 128 suits hosts with processors of their own; here all thousand
    # share those of this machine, and only take them from each other.
    parser.add_argument("--forks", type=int, default=8 * (os.cpu_count() or 1))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-clush", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
