"""A fleet of hosts behind one real OpenSSH server: every 127.1.x.y is a host with a home of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SSHD = "/usr/sbin/sshd"
USER = "fleetpush-test"
LOCK = Path(tempfile.gettempdir()) / "fleetpush-test-user.lock"

LOGIN = """#!/bin/sh
rest=${{SSH_CONNECTION#* * }}
HOME={homes}/${{rest%% *}}
export HOME
cd "$HOME" || exit 96
{noise}
command=$SSH_ORIGINAL_COMMAND
unset SSH_ORIGINAL_COMMAND
exec /bin/sh -c "$command"
"""

NOISE = """echo 'Welcome to the fleet: unauthorised use is forbidden'
echo 'stty: standard input: Inappropriate ioctl for device' >&2"""


def missing() -> str | None:
    """Why no fleet can start on this machine, or None."""
    if os.geteuid() != 0:
        return "a real sshd with its own test user needs root"
    if not Path(SSHD).exists():
        return f"no {SSHD} here (Debian: apt install openssh-server)"
    if shutil.which("useradd") is None:
        return "no useradd here"
    return None


def address_of(index: int) -> str:
    """127.1.0.1 to 127.1.3.250 for the first thousand."""
    return f"127.1.{index // 250}.{index % 250 + 1}"


class SshdFleet:
    """One sshd on loopback that answers at ``hosts`` addresses; ``root`` must be reachable for everyone.

    ``noisy`` makes the login shell print to stdout and stderr before the command, as a chatty rc does.
    ``config`` is appended to sshd_config; sshd takes the first value, so it comes first there.
    ``namespace`` is a network namespace that has ``addresses``; the server then answers inside it only.
    Skips the test with the reason where the machine cannot have one.
    """

    def __init__(
        self,
        root: Path,
        hosts: int = 0,
        *,
        noisy: bool = False,
        config: str = "",
        port: int = 0,
        namespace: str = "",
        addresses: Sequence[str] = (),
    ) -> None:
        reason = missing()
        if reason:
            pytest.skip(reason)
        self.root = root
        self.user = USER
        self.addresses = list(addresses) or [address_of(i) for i in range(hosts)]
        self.namespace = namespace
        self.key = root / "id_ed25519"
        self.host_key = root / "host_ed25519"
        self.known_hosts = root / "known_hosts"
        self.port = port or _free_port()
        self._log = root / "sshd.log"
        self._user_lock = _hold_user()
        self._process: subprocess.Popen[bytes] | None = None
        self._orphans: list[int] = []
        """Sessions of servers before this one."""
        try:
            self._lay_out(noisy)
            self._write_config(config)
            self._start()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> SshdFleet:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def home(self, index: int) -> Path:
        return self.root / "homes" / self.addresses[index]

    def log(self) -> str:
        """All that the server has written so far."""
        return self._log.read_text(errors="replace")

    def inventory(self, path: Path) -> Path:
        """Writes a YAML inventory of the whole fleet to ``path``."""
        lines = [
            "all:",
            "  vars:",
            f"    ansible_port: {self.port}",
            f"    ansible_user: {self.user}",
        ]
        lines += [f"    ansible_ssh_private_key_file: {self.key}", "  hosts:"]
        for index, address in enumerate(self.addresses):
            lines += [f"    node{index + 1:04d}:", f"      ansible_host: {address}"]
        path.write_text("\n".join(lines) + "\n")
        return path

    def sessions(self) -> list[int]:
        """Process ids of the server's children: one a connection."""
        assert self._process is not None
        return _children(self._process.pid)

    def cut(self) -> None:
        """Kills the process that serves each connection, as a host that loses power."""
        for monitor in self.sessions():
            for pid in _children(monitor):
                if b"sshd" in _read(f"/proc/{pid}/comm"):
                    _kill(pid)

    def restart(self) -> None:
        """As ``systemctl restart ssh``: connections that stand live on, new ones are refused meanwhile."""
        assert self._process is not None
        self._orphans += self.sessions()
        self._process.terminate()
        self._process.wait()
        self._log.write_text("")
        self._start()

    def stop(self) -> None:
        """Ends the server, its sessions and what they left running; gives the user up."""
        if self._process is not None:
            monitors = self.sessions()
            for pid in reversed(_descendants(self._process.pid)):
                if pid not in monitors:
                    _kill(pid)
            # Each monitor buries its child and the server its monitors: no zombie is left to init.
            give_up = time.monotonic() + 5
            while self.sessions() and time.monotonic() < give_up:
                time.sleep(0.02)
            for pid in self.sessions():
                _kill(pid)
            self._process.terminate()
            self._process.wait()
            self._process = None
        for pid in self._orphans:
            if b"sshd" in _read(f"/proc/{pid}/comm"):
                _kill(pid)
        for pid in processes_at_home(self.root):
            _kill(pid)
        _release_user(self._user_lock)

    def _lay_out(self, noisy: bool) -> None:
        homes = self.root / "homes"
        entry = pwd.getpwnam(self.user)
        for address in self.addresses:
            home = homes / address
            home.mkdir(parents=True, exist_ok=True)
            os.chown(home, entry.pw_uid, entry.pw_gid)
        for key in (self.key, self.host_key):
            if not key.exists():
                subprocess.run(
                    ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "fleet", "-f", str(key)],
                    check=True,
                )
        shutil.copy(f"{self.key}.pub", self.root / "authorized_keys")
        (self.root / "authorized_keys").chmod(0o644)
        login = self.root / "login"
        login.write_text(LOGIN.format(homes=homes, noise=NOISE if noisy else ""))
        login.chmod(0o755)
        host_key = " ".join(Path(f"{self.host_key}.pub").read_text().split()[:2])
        self.known_hosts.write_text(
            "".join(f"[{address}]:{self.port} {host_key}\n" for address in self.addresses)
        )
        if not os.access(self.root, os.X_OK) or not _open_to_all(self.root):
            raise ValueError(
                f"{self.root} must be reachable for every user (chmod o+x its parents)"
            )

    def _write_config(self, extra: str) -> None:
        # "rdomain lo" binds the socket to the loopback device: all of 127/8, and nothing else.
        lines = [
            extra,
            f"ListenAddress 0.0.0.0:{self.port}" + ("" if self.namespace else " rdomain lo"),
            f"ListenAddress [::]:{self.port}" if self.namespace else "",
            f"HostKey {self.host_key}",
            f"AuthorizedKeysFile {self.root}/authorized_keys",
            f"ForceCommand exec {self.root}/login",
            f"AllowUsers {self.user}" + ("" if self.namespace else "@127.0.0.0/8"),
            f"PidFile {self.root}/sshd.pid",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "UseDNS no",
            "PrintMotd no",
            "PrintLastLog no",
            "MaxSessions 100",
            "LogLevel VERBOSE",
        ]
        if "MaxStartups" not in extra:  # the one keyword of which sshd takes the last value
            lines.append("MaxStartups 2000")
        if _accepts("PerSourcePenalties no", self.host_key):
            lines.append("PerSourcePenalties no")
        (self.root / "sshd_config").write_text("\n".join(lines) + "\n")

    def _start(self) -> None:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        # A test run that is killed takes its server along.
        tied = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        inside = ["ip", "netns", "exec", self.namespace] if self.namespace else []
        command = [
            *tied,
            *inside,
            SSHD,
            "-D",
            "-f",
            str(self.root / "sshd_config"),
            "-E",
            str(self._log),
        ]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        give_up = time.monotonic() + 20
        while time.monotonic() < give_up and self._process.poll() is None:
            if self._answers():
                return
            time.sleep(0.02)
        raise RuntimeError(f"sshd did not start:\n{self.log() if self._log.exists() else ''}")

    def _answers(self) -> bool:
        if self.namespace:  # closed to us
            return self._log.exists() and "Server listening on" in self.log()
        with (
            contextlib.suppress(OSError),
            socket.create_connection((self.addresses[0], self.port), timeout=1) as probe,
        ):
            return probe.recv(4) == b"SSH-"
        return False


@contextlib.contextmanager
def sshd_fleet(hosts: int, *, noisy: bool = False, config: str = "") -> Iterator[SshdFleet]:
    """A fleet in a directory of its own that everyone can reach and that goes away with it.

    (pytest's tmp_path is closed to the fleet's user.)
    """
    reason = missing()
    if reason:
        pytest.skip(reason)
    root = Path(tempfile.mkdtemp(prefix="fleet-"))
    root.chmod(0o755)
    try:
        with SshdFleet(root, hosts, noisy=noisy, config=config) as fleet:
            yield fleet
    finally:
        shutil.rmtree(root)


def _hold_user() -> int:
    """Makes sure the fleet's user exists; a shared lock keeps it while any test run needs it."""
    lock = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_SH)
    # "*" is no password at all; the "!" that useradd leaves makes sshd refuse keys as well.
    options = ["--no-create-home", "--home-dir", "/", "--shell", "/bin/sh", "--password", "*"]
    give_up = time.monotonic() + 20
    while not _user_exists():
        # Another run may be adding it at this moment: its lock on the password file makes ours fail.
        result = subprocess.run(
            ["useradd", *options, USER], check=False, capture_output=True, text=True
        )
        if result.returncode != 0 and time.monotonic() > give_up:
            raise RuntimeError(f"useradd: {result.stderr}")
        time.sleep(0 if result.returncode == 0 else 0.2)
    return lock


def _user_exists() -> bool:
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return False
    return True


def _release_user(lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass  # another run still needs the user
    else:
        subprocess.run(["userdel", USER], check=False, capture_output=True)
    finally:
        os.close(lock)


def _accepts(line: str, host_key: Path) -> bool:
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(f"HostKey {host_key}\n{line}\n")
        file.flush()
        test = subprocess.run([SSHD, "-t", "-f", file.name], check=False, capture_output=True)
        return test.returncode == 0


def _open_to_all(path: Path) -> bool:
    return all(each.stat().st_mode & 0o001 for each in [path, *path.parents])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _parents() -> dict[int, int]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            stat = _read(f"{entry}/stat").rpartition(b")")[2].split()
            if len(stat) > 1:
                found[int(entry.name)] = int(stat[1])
    return found


def _children(pid: int) -> list[int]:
    return [child for child, parent in _parents().items() if parent == pid]


def _descendants(pid: int) -> list[int]:
    parents = _parents()
    found, wave = [], [pid]
    while wave:
        wave = [child for child, parent in parents.items() if parent in wave]
        found += wave
    return found


def processes_at_home(root: Path) -> list[int]:
    """Processes that outlived their connection: of our user, with a home in this fleet."""
    return list(homes_of_processes(root))


def homes_of_processes(root: Path) -> dict[int, Path]:
    """By process id the home of each process of our user that has one in this fleet."""
    uid = pwd.getpwnam(USER).pw_uid if _user_exists() else -1
    mark = f"HOME={root}/homes/".encode()
    found = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            ours = entry.name.isdecimal() and entry.stat().st_uid == uid
            environment = _read(f"{entry}/environ") if ours else b""
            if mark in environment:
                home = environment.split(mark, 1)[1].split(b"\0", 1)[0]
                found[int(entry.name)] = root / "homes" / os.fsdecode(home)
    return found
