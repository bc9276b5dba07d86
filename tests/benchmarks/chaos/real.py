"""A round of chaos on real processes: a deploy to hosts behind a real sshd, and what became of each."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from contextlib import ExitStack, suppress
from subprocess import CalledProcessError
from typing import TYPE_CHECKING, Any

from tests.benchmarks.chaos.faults import PHASES, SHELLS, Draw, Fault, draw
from tests.benchmarks.chaos.verdict import SMALL_DISK, judge
from tests.e2e.desk import Desk, name
from tests.e2e.hosts import partials, send
from tests.e2e.watching import EventLog, look, settled
from tests.fleet import faults
from tests.fleet.sshd import homes_of_processes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.desk import Command, Outcome

PORTS = range(48600, 48700)
"""Of no other run on this machine."""

PATIENCE = 100.0
LEASE = 32.0
"""Seconds after which nothing of a command that was killed lives."""

STALL = "8s"


class Round:
    """``play`` once; ``wrongs`` are what should not have been."""

    def __init__(self, desk: Desk, seed: str, hosts: int) -> None:
        self.rng = random.Random(seed)
        self.desk = desk
        self.hosts = hosts
        self.draw: Draw = draw(self.rng, hosts)
        self.struck: set[Fault] = set()
        self._stack = ExitStack()
        self._stopped: list[int] = []
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._second: Command | None = None

    def play(self) -> list[str]:
        with self._stack:
            self._lay_out()
            before = look(self.desk.fleet, PORTS)
            command = self.desk.start(self.source, self._inventory(), *self._flags())
            self._log = EventLog(command)
            try:
                self._strike_until_it_ends(command)
            except TimeoutError:
                return [f"hung for {PATIENCE:.0f} s; see {command.stderr[-2000:]}"]
            outcome = command.outcome(1.0)
            self._let_go()
            after = settled(self.desk.fleet, PORTS, before, LEASE)
            wrongs = judge(self, outcome, before, after)
        return wrongs or (self._mended() if self.draw.mends else [])

    def home(self, host: int) -> Path:
        return self.desk.home(host)

    # -- before

    def _lay_out(self) -> None:
        self.source = self.desk.root / "model.pt"
        self.content = self.rng.randbytes(self.draw.size)
        self.source.write_bytes(self.content)
        self.old = {i: b"what was there before %d" % i for i in self.draw.old}
        for fault in self.draw.faults:
            if not fault.phase:
                self._prepare(fault)
        for host, content in self.old.items():
            (self.home(host) / self.source.name).write_bytes(content)
            self.desk.own(self.home(host))
        for fault in self.draw.faults:
            if fault.kind == "fixed" and not fault.phase:
                self._fix(self.home(fault.host or 0))

    def _prepare(self, fault: Fault) -> None:
        assert fault.host is not None
        home = self.home(fault.host)
        if fault.kind == "full":
            with suppress(CalledProcessError):
                self._stack.enter_context(faults.small_disk(home, str(SMALL_DISK)))
        elif fault.kind == "closed":
            self.old.pop(fault.host, None)
            home.chmod(0o555)
            os.chown(home, 0, 0)

    def _inventory(self) -> Path:
        special: dict[str, dict[str, Any]] = {}
        for fault in self.draw.faults:
            host = fault.host
            if host is None or fault.phase:
                continue
            if fault.kind == "no_python":
                special[name(host)] = {"ansible_python_interpreter": "/opt/nowhere/python3"}
            elif fault.kind in SHELLS:
                script = self.desk.script(fault.kind, SHELLS[fault.kind])
                special[name(host)] = {"ansible_python_interpreter": script}
        return self.desk.inventory(self.hosts, **special)

    def _flags(self) -> list[str]:
        ports = f"{PORTS[0]}-{PORTS[-1]}"
        return ["--progress", "json", "--port-range", ports, "--stall", STALL, *self.draw.flags]

    # -- during

    def _strike_until_it_ends(self, command: Command) -> None:
        """Raises TimeoutError."""
        to_come = [fault for fault in self.draw.faults if fault.phase]
        give_up = time.monotonic() + PATIENCE
        while command.running:
            now = time.monotonic()
            if now > give_up:
                raise TimeoutError
            if to_come:
                entered = _entered(self._log)
                for fault in [f for f in to_come if _reached(f, entered)]:
                    to_come.remove(fault)
                    self._at(now + fault.delay, fault, command)
            for entry in [e for e in self._later if e[0] <= now]:
                self._later.remove(entry)
                entry[1]()
            time.sleep(0.01)

    def _at(self, when: float, fault: Fault, command: Command) -> None:
        def strike() -> None:
            self.struck.add(fault)
            if fault.host is None:
                self._strike_run(fault.kind, command)
            else:
                self._strike_host(fault, self.home(fault.host))

        self._later.append((when, strike))

    def _strike_host(self, fault: Fault, home: Path) -> None:
        kind = fault.kind
        if kind == "fixed":
            self._fix(home)
        elif kind == "flip" and not self._will_be_read(home):
            pass
        elif kind in ("unlink", "flip"):
            for partial in partials(home):
                if kind == "flip":
                    faults.flip(partial, self.rng)
                else:
                    partial.unlink(missing_ok=True)
        else:
            self._strike_processes(fault, home)

    def _will_be_read(self, home: Path) -> bool:
        """What flips once a host has proved its content is not promised to be found."""
        host = next(i for i in range(self.hosts) if self.home(i) == home)
        return "full" in self.draw.flags and self._log.phase(name(host)) == "exchanging"

    def _strike_processes(self, fault: Fault, home: Path) -> None:
        pids = [p for p, at in homes_of_processes(self.desk.fleet.root).items() if at == home]
        if fault.kind == "kill":
            send(signal.SIGKILL, pids)
        elif fault.kind == "cut":
            for pid in pids:
                faults.cut_off(pid)
        else:
            send(signal.SIGSTOP, pids)
            self._stopped += pids
            if fault.kind == "pause":
                when = time.monotonic() + fault.long
                self._later.append((when, lambda: send(signal.SIGCONT, pids)))

    def _strike_run(self, kind: str, command: Command) -> None:
        if kind in ("interrupt", "abort"):
            command.send(signal.SIGINT)
            if kind == "abort":
                again = time.monotonic() + 0.2
                self._later.append((again, lambda: command.send(signal.SIGINT)))
        elif kind == "terminate":
            command.send(signal.SIGTERM)
        elif kind == "kill_command":
            command.send(signal.SIGKILL)
        elif kind == "truncate_source":
            os.truncate(self.source, len(self.content) // 2)
        elif kind == "overwrite_source":
            with self.source.open("r+b") as file:
                file.write(os.urandom(len(self.content)))
        elif kind == "restart_sshd":
            self.desk.fleet.restart()
        else:
            other = self.desk.source(60_000, "other.pt")
            inventory = self.desk.root / "fleet.yaml"
            where = ["--dest", self.source.name, "-l", f"{name(0)}:{name(1)}:{name(2)}"]
            where += ["--port-range", f"{PORTS[0]}-{PORTS[-1]}"]
            self.other = other.read_bytes()
            self._second = self.desk.start(other, inventory, *where)

    other: bytes | None = None
    """What a second run to the same place brings."""

    def _fix(self, home: Path) -> None:
        if faults.fix_directory(home, True):
            self._stack.callback(faults.fix_directory, home, False)

    # -- after

    def _let_go(self) -> None:
        send(signal.SIGCONT, self._stopped)
        if self._second is not None:
            self._second.outcome(PATIENCE)

    def _mended(self) -> list[str]:
        """All faults are over, some partials have gone bad: the next run makes everything good."""
        self.source.write_bytes(self.content)
        for host in range(self.hosts):
            home = self.home(host)
            self.desk.own(home)
            home.chmod(0o755)
            for partial in partials(home):
                if self.rng.random() < 0.5:
                    faults.flip(partial, self.rng)
        # With chunks of another size its partials would not be what is left of this run.
        chunks = self.draw.flags[self.draw.flags.index("--chunk-size") :]
        ports = ["--port-range", f"{PORTS[0]}-{PORTS[-1]}", *chunks]
        try:
            again: Outcome = self.desk.deploy(
                self.source, self.desk.inventory(self.hosts), "--progress", "json", *ports
            )
        except AssertionError as error:
            return [f"the run afterwards: {str(error)[:2000]}"]
        wrongs = [] if again.exit == 0 else [f"the run afterwards: {again.exit}, {again.slugs()}"]
        copies = self.desk.copies(self.hosts, self.source)
        if len(copies) != self.hosts:
            wrongs.append(f"the run afterwards left {len(copies)} good copies")
        for host in range(self.hosts):
            if sorted(os.listdir(self.home(host))) != [self.source.name]:
                wrongs.append(f"the run afterwards: {name(host)}: {os.listdir(self.home(host))}")
        return wrongs


def empty(desk: Desk, hosts: int) -> None:
    """As a round wants to find it."""
    for host in range(hosts):
        home = desk.home(host)
        faults.fix_directory(home, False)
        shutil.rmtree(home)
        home.mkdir()
        desk.own(home)
    for number in range(len(desk.commands)):
        shutil.rmtree(desk.root / f"command{number}")
    desk.commands.clear()


def _entered(log: EventLog) -> dict[str, int]:
    """How far each host has come, as an index into PHASES."""
    found: dict[str, int] = {}
    for event in log.events():
        host = event.get("host")
        if host and event["event"] == "host_phase_changed":
            found[host] = max(found.get(host, 0), PHASES.index(event["phase"]))
        elif host and event["event"] == "host_finished":
            found[host] = PHASES.index("done")
    return found


def _reached(fault: Fault, entered: dict[str, int]) -> bool:
    far = max(entered.values(), default=-1)
    if fault.host is not None:
        far = entered.get(name(fault.host), -1)
    return far >= PHASES.index(fault.phase)
