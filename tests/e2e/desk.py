"""An operator at work: a home, an inventory, and the real command line as a process of its own."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.e2e.hosts import agents, contents, wait_until, written

if TYPE_CHECKING:
    import signal

    from tests.fleet.sshd import SshdFleet

COMMAND = (sys.executable, "-m", "fleetpush")
PATIENCE = 100.0
"""Seconds after which a command counts as hung."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended. ``document`` is what ``-o json`` printed, {} where that was not asked for."""

    exit: int
    document: dict[str, Any]
    stdout: str
    stderr: str

    def host(self, name: str) -> dict[str, Any]:
        """One host's result."""
        return next(r for r in self.document["results"] if r["host"] == name)

    def slugs(self) -> dict[str, str]:
        """Why each host that failed did."""
        return {r["host"]: r["reason"]["slug"] for r in self.document["results"] if r["reason"]}

    def good(self) -> list[str]:
        good = ("verified", "already_present")
        return [r["host"] for r in self.document["results"] if r["status"] in good]


class Command:
    """A ``fleetpush`` that runs. What it prints goes to files: no pipe can fill up."""

    def __init__(
        self, folder: Path, words: list[str], env: dict[str, str], *, before: tuple[str, ...] = ()
    ) -> None:
        """``before`` is what runs it, such as ``setpriv`` with its flags."""
        self._out, self._err = folder / "stdout", folder / "stderr"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [*before, *COMMAND, *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=folder,
                env=env,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def stderr(self) -> str:
        return self._err.read_text()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def outcome(self, within: float = PATIENCE) -> Outcome:
        """Waits for the end."""
        try:
            code = self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"still running after {within:.0f} s:\n{self.stderr}") from None
        text = self._out.read_text()
        document = json.loads(text) if text.startswith("{") else {}
        return Outcome(code, document, text, self.stderr)


@dataclass
class Desk:
    """``fleet`` seen from an operator whose files lie below ``root``; node0001 is host 0."""

    fleet: SshdFleet
    root: Path
    commands: list[Command] = field(default_factory=list)

    @property
    def ports(self) -> range:
        """Where peers listen unless a test says otherwise: nobody else on this machine, and no process of
        another worker's tests, has these."""
        worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
        first = 20_000 + 100 * int(worker)
        return range(first, first + 100)

    @property
    def env(self) -> dict[str, str]:
        keep = {"PATH", "LANG", "LC_ALL", "PYTHONPATH", "VIRTUAL_ENV"}
        inherited = {name: value for name, value in os.environ.items() if name in keep}
        ports = {"FLEETPUSH_PORT_RANGE": f"{self.ports[0]}-{self.ports[-1]}"}
        return {**inherited, **ports, "HOME": str(self.root), "PYTHONPATH": str(Path.cwd())}

    def source(self, size: int, name: str = "model.pt") -> Path:
        path = self.root / name
        path.write_bytes(os.urandom(size))
        return path

    def inventory(self, hosts: int, **special: dict[str, Any]) -> Path:
        """The first ``hosts`` hosts; ``special`` by name is what one of them has more."""
        usual = {
            "ansible_port": self.fleet.port,
            "ansible_user": self.fleet.user,
            "ansible_ssh_private_key_file": str(self.fleet.key),
        }
        each = {
            name(i): {"ansible_host": self.fleet.addresses[i], **special.get(name(i), {})}
            for i in range(hosts)
        }
        path = self.root / "fleet.yaml"
        path.write_text(json.dumps({"all": {"vars": usual, "hosts": each}}))  # JSON is YAML
        return path

    def known_hosts(self, text: str | None = None) -> Path:
        """An ssh_config that knows the fleet's host keys, or what ``text`` says instead."""
        known = self.root / "known_hosts"
        known.write_text(self.fleet.known_hosts.read_text() if text is None else text)
        config = self.root / "ssh_config"
        config.write_text(f"Host *\n  UserKnownHostsFile {known}\n")
        return config

    def script(self, name: str, text: str) -> str:
        """A shell script that every user may run; returns its path."""
        path = self.root / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    def run(self, *words: str, env: dict[str, str] | None = None, **more: Any) -> Command:
        """Any ``fleetpush`` command; ``more`` is for the process."""
        folder = self.root / f"command{len(self.commands)}"
        folder.mkdir()
        command = Command(folder, list(words), self.env | (env or {}), **more)
        self.commands.append(command)
        return command

    def start(
        self, source: Path | str | list[Path], inventory: Path, *flags: str, **more: Any
    ) -> Command:
        """``fleetpush deploy``, underway."""
        sources = source if isinstance(source, list) else [source]
        config = self.root / "ssh_config"
        if not config.exists():
            self.known_hosts()
        words = ["deploy", *map(str, sources), "-i", str(inventory), "--ssh-config", str(config)]
        return self.run(*words, "--progress", "plain", "-o", "json", *flags, **more)

    def deploy(
        self, source: Path | str | list[Path], inventory: Path, *flags: str, **more: Any
    ) -> Outcome:
        """``fleetpush deploy``, to its end."""
        return self.start(source, inventory, *flags, **more).outcome()

    def home(self, host: str | int) -> Path:
        return self.fleet.home(int(host[4:]) - 1 if isinstance(host, str) else host)

    def homes(self, hosts: int) -> list[Path]:
        return [self.home(i) for i in range(hosts)]

    def own(self, home: Path) -> None:
        """Gives what a test put into ``home`` to the fleet's user."""
        user = pwd.getpwnam(self.fleet.user)
        for path in (home, *home.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)

    # -- what the hosts hold

    def copies(self, hosts: int, wanted: Path, where: str | None = None) -> list[str]:
        """The hosts whose copy is ``wanted``'s, byte for byte."""
        content = wanted.read_bytes()
        paths = {name(i): self.home(i) / (where or wanted.name) for i in range(hosts)}
        return [n for n, p in paths.items() if p.exists() and p.read_bytes() == content]

    def taken_in(self) -> int:
        """Bytes that the agents now living on the hosts have written to their disks and to each other:
        about twice the content that they hold.

        (A partial's size and blocks say nothing: its room is reserved at once.)
        """
        return sum(written(pid) for pid, home in self.agents().items() if home != self.root)

    def agents(self) -> dict[int, Path]:
        """All agents of this operator's commands: on the hosts and, in ``root``, the origin's."""
        return agents(self.fleet.root / "homes", self.root)

    def no_agent_is_left(self, within: float = 3.0) -> None:
        wait_until(lambda: not self.agents(), within, f"no agent left; {self.agents()}")

    def nothing_but(self, hosts: int, *names: str) -> None:
        """Every home holds exactly ``names``, and no agent lives."""
        self.no_agent_is_left()
        for i in range(hosts):
            assert contents(self.home(i)) == sorted(names), name(i)


def name(index: int) -> str:
    """What the inventory calls host ``index``, counted from 0."""
    return f"node{index + 1:04d}"
