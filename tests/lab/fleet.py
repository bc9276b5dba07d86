"""A fleet in a lab: an origin, hosts with a real sshd each, and ``fleetpush deploy`` run on the origin."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.e2e.desk import Command
from tests.fleet.sshd import SshdFleet
from tests.lab.netns import BRIDGE, Host, Lab

if TYPE_CHECKING:
    from typing import Self

    from tests.e2e.desk import Outcome

SSH_PORT = 2222
PATIENCE = 40.0
SOURCE = "model.bin"


class LabFleet:
    """``with LabFleet() as fleet``; everything it made is gone afterwards."""

    LOG = "DEBUG1"
    """What the sshds write down."""

    def __init__(self, origin: str = "10.77.0.1") -> None:
        self._at = origin
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with self._stack as stack:
            self.lab = stack.enter_context(Lab())
            self.root = self.lab.root
            self.origin = self.lab.host("origin", self._at)
            self.hosts: dict[str, Host] = {}
            self.servers: dict[str, SshdFleet] = {}
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.close()

    def add(self, name: str, *addresses: str, config: str = "", bridge: str = BRIDGE) -> Host:
        """A host with an sshd; ``config`` comes first in its sshd_config."""
        host = self.hosts[name] = self.lab.host(name, *addresses, bridge=bridge)
        root = self.root / name
        for other in list(self.servers.values())[:1]:  # one key opens every host
            shutil.copy(other.key, root)
            shutil.copy(f"{other.key}.pub", root)
        server = SshdFleet(
            root,
            config=f"LogLevel {self.LOG}\n{config}",
            port=SSH_PORT,
            namespace=host.namespace,
            addresses=addresses,
        )
        self.servers[name] = self._stack.enter_context(server)
        return host

    def login(self, name: str) -> str:
        """As a jump host is named."""
        return f"{self.servers[name].user}@{self.hosts[name].address}:{SSH_PORT}"

    def source(self, size: int) -> Path:
        path = self.root / SOURCE
        path.write_bytes(os.urandom(size))
        return path

    def deploy(
        self, names: list[str], *flags: str, variables: dict[str, dict[str, str]] | None = None
    ) -> Outcome:
        """Deploys the source to ``names``, from inside the origin's namespace."""
        done = self.start(names, *flags, variables=variables).outcome(PATIENCE)
        assert done.document, done.stderr
        return done

    def start(
        self, names: list[str], *flags: str, variables: dict[str, dict[str, str]] | None = None
    ) -> Command:
        """The same, underway."""
        folder = Path(tempfile.mkdtemp(prefix="command", dir=self.root))
        words = ["deploy", str(self.root / SOURCE)]
        words += ["-i", str(self.inventory(names, variables or {}, folder))]
        words += ["--ssh-config", str(self.ssh_config())]
        words += ["--chunk-size", "256K", "-o", "json", "--progress", "json", *flags]
        return self.run(*words, folder=folder)

    def run(self, *words: str, folder: Path) -> Command:
        """Any ``fleetpush`` command, on the origin, with its output in ``folder``."""
        env = {"PATH": os.environ["PATH"], "HOME": str(self.root), "PYTHONPATH": str(Path.cwd())}
        return Command(folder, list(words), env, before=tuple(self.origin.inside))

    def copies(self) -> list[str]:
        """The hosts that hold the source, byte for byte."""
        wanted = (self.root / SOURCE).read_bytes()
        found = []
        for name, server in self.servers.items():
            path = server.home(0) / SOURCE
            if path.exists() and path.read_bytes() == wanted:
                found.append(name)
        return found

    def cut_ssh(self, name: str) -> None:
        """From now on the packets of the host's SSH connection vanish, both ways, and nobody is told."""
        host = self.hosts[name]
        host.drops(self.origin.address, str(SSH_PORT))
        self.origin.drops(host.address, str(SSH_PORT), answers=True)

    def forwards(self, name: str) -> int:
        """TCP channels that were opened through the host's sshd."""
        return self.servers[name].log().count("server_request_direct_tcpip:")

    def connections(self, name: str) -> int:
        """Logins to the host's sshd."""
        return self.servers[name].log().count("Accepted publickey")

    def inventory(
        self,
        names: list[str],
        variables: dict[str, dict[str, str]],
        folder: Path | None = None,
    ) -> Path:
        """Of ``names``, with what some have more; in ``folder``, where several runs are to have their own."""
        server = self.servers[names[0]]
        usual = {
            "ansible_port": SSH_PORT,
            "ansible_user": server.user,
            "ansible_ssh_private_key_file": str(server.key),
        }
        hosts = {
            name: {"ansible_host": self.hosts[name].address, **variables.get(name, {})}
            for name in names
        }
        path = (folder or self.root) / "fleet.yaml"
        path.write_text(json.dumps({"all": {"vars": usual, "hosts": hosts}}))  # JSON is YAML
        return path

    def ssh_config(self) -> Path:
        """Knows every host's key, and the key that opens them all."""
        known = self.root / "known_hosts"
        known.write_text("".join(s.known_hosts.read_text() for s in self.servers.values()))
        config = self.root / "ssh_config"
        key = next(iter(self.servers.values())).key
        config.write_text(f"Host *\n  UserKnownHostsFile {known}\n  IdentityFile {key}\n")
        return config
