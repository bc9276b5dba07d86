"""Hosts as network namespaces: real routes and real silence between them, on one machine, as root.

Every host is a namespace with one interface on a bridge that lives in a namespace of its own, so nothing
outside is touched, and a folder for its files. Names begin with ``fp-<pid>-``: what a killed run left
behind is removed by the next.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

PREFIX = "fp-"
MASK, MASK_6 = 16, 64
DEVICE = "eth0"
PEER_PORTS = "47600-47699"
BRIDGE = "br0"
_NAMES = Path("/run/netns")


def missing() -> str | None:
    """Why this machine can have no namespaces, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "no ip here (Debian: apt install iproute2)"
    probe = f"{PREFIX}{os.getpid()}-probe"
    try:
        _ip("netns", "add", probe)
        _ip("netns", "del", probe)
    except RuntimeError as error:
        return f"no network namespaces here: {error}"
    return None


class Host:
    """One namespace. ``inside`` is what a command line begins with to run there, ``folder`` is for its
    files alone: on the same disk as every other host's, and gone with the lab."""

    def __init__(self, lab: Lab, name: str, addresses: tuple[str, ...], bridge: str) -> None:
        self.name = name
        self.address = addresses[0]
        self.namespace = lab.namespace(name)
        self.inside = ["ip", "netns", "exec", self.namespace]
        self.folder = lab.root / name / "data"
        self.folder.mkdir(parents=True)
        self._blocked = 0
        self.port = lab.plug_in(self, bridge)
        """The bridge's end of its cable, in the lab's ``bridges``."""
        for address in addresses:
            six = ":" in address
            # Usable at once: nobody else can have it.
            more = ["nodad"] if six else []
            self.ip("addr", "add", f"{address}/{MASK_6 if six else MASK}", "dev", DEVICE, *more)
        # Outgoing connections must not take a source port that a filter for peer ports would match.
        self.set("ipv4/ip_local_port_range", "50000 60999")
        # The rule that finds our own addresses moves back, so that filters can come before it.
        for family in ("-4", "-6"):
            self.ip(family, "rule", "add", "pref", "1000", "lookup", "local")
            self.ip(family, "rule", "del", "pref", "0")

    def ip(self, *words: str) -> None:
        _ip("-n", self.namespace, *words)

    def popen(self, argv: Sequence[str], **more: Any) -> subprocess.Popen[bytes]:
        """Starts a process here; ``more`` is for Popen. The lab kills what still runs at its end."""
        return subprocess.Popen([*self.inside, *argv], **more)

    def processes(self) -> list[int]:
        """The ids of all that runs here."""
        return list(map(int, _ip("netns", "pids", self.namespace).split()))

    def set(self, name: str, value: str) -> None:
        """A sysctl below ``net``."""
        write = f"echo {value} > /proc/sys/net/{name}"
        subprocess.run([*self.inside, "sh", "-c", write], check=True)

    def link_address(self) -> str:
        (link,) = json.loads(_ip("-n", self.namespace, "-j", "link", "show", DEVICE))
        return str(link["address"])

    def knows(self, link_addresses: Mapping[str, str]) -> None:
        """Where on the link these addresses are: nobody is asked for them any more."""
        lines = [
            f"neigh replace {address} lladdr {at} dev {DEVICE} nud permanent\n"
            for address, at in link_addresses.items()
        ]
        batch = ["ip", "-n", self.namespace, "-batch", "-"]
        subprocess.run(batch, input="".join(lines), text=True, check=True)

    def has_setting(self, name: str) -> bool:
        """Whether this kernel has a sysctl of that name for each namespace."""
        look = [*self.inside, "test", "-e", f"/proc/sys/net/{name}"]
        return subprocess.run(look, check=False).returncode == 0

    def drops(self, source: str = "all", ports: str = "", *, answers: bool = False) -> None:
        """Answers nothing to what comes in from ``source``, for TCP to ``ports`` (A-B) if given, or from them
        (``answers``).

        As a firewall that drops: whoever calls hears nothing, and connections that stand fall silent.
        """
        self._blocked += 1
        words = ["pref", str(self._blocked), "iif", DEVICE, "from", source]
        words += ["ipproto", "tcp", "sport" if answers else "dport", ports] if ports else []
        self.ip("-6" if ":" in source else "-4", "rule", "add", *words, "blackhole")

    def hears_all(self) -> None:
        """Nothing is dropped any more."""
        for number in range(1, self._blocked + 1):
            self.ip("rule", "del", "pref", str(number))
        self._blocked = 0

    def cannot_route_to(self, network: str) -> None:
        """Connections to ``network`` fail at once."""
        self.ip("route", "add", "unreachable", network)


class Lab:
    """``with Lab() as lab``: a bridge, and hosts on it. Skips the test where there can be none."""

    def __init__(self) -> None:
        reason = missing()
        if reason:
            pytest.skip(reason)
        _remove_stale()
        self._prefix = f"{PREFIX}{os.getpid()}-"
        self.bridges = self.namespace("bridge")
        """The namespace of all bridges."""
        self._ports = 0
        self.root = Path(tempfile.mkdtemp(prefix=self._prefix))
        self.root.chmod(0o755)

    def __enter__(self) -> Self:
        try:
            _ip("netns", "add", self.bridges)
            self.add_bridge(BRIDGE)
            self._spare_firewall()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def host(self, name: str, *addresses: str, bridge: str = BRIDGE) -> Host:
        """A host with these addresses, all in one network with every other host's /16, or /64."""
        return Host(self, name, addresses, bridge)

    def namespace(self, name: str) -> str:
        return f"{self._prefix}{name}"

    def _spare_firewall(self) -> None:
        """A switch has none: where this kernel shows it what the bridges carry, that costs every packet."""
        for name in ("iptables", "ip6tables", "arptables"):
            write = f"echo 0 > /proc/sys/net/bridge/bridge-nf-call-{name}"
            subprocess.run(
                ["ip", "netns", "exec", self.bridges, "sh", "-c", write],
                check=False,  # no br_netfilter, nothing to spare
                stderr=subprocess.DEVNULL,
            )

    def add_bridge(self, name: str) -> None:
        _ip("-n", self.bridges, "link", "add", "name", name, "type", "bridge")
        _ip("-n", self.bridges, "link", "set", name, "up")

    def join_bridges(self, one: str, other: str) -> tuple[str, str]:
        """A cable between two bridges; returns its ends."""
        ends = f"{one}-{other}", f"{other}-{one}"
        _ip("-n", self.bridges, "link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for end, bridge in zip(ends, (one, other), strict=True):
            _ip("-n", self.bridges, "link", "set", end, "master", bridge, "up")
        return ends

    def plug_in(self, host: Host, bridge: str) -> str:
        """Makes the host's namespace and its interface on the bridge; returns the bridge's end."""
        self._ports += 1
        port = f"port{self._ports}"
        _ip("netns", "add", host.namespace)
        cable = ["type", "veth", "peer", "name", DEVICE, "netns", host.namespace]
        _ip("-n", self.bridges, "link", "add", "name", port, *cable)
        _ip("-n", self.bridges, "link", "set", port, "master", bridge, "up")
        host.ip("link", "set", "lo", "up")
        host.ip("link", "set", DEVICE, "up")
        return port

    def set_link(self, host: Host, state: str) -> None:
        """``up`` or ``down``: its cable, unplugged at the bridge; nobody is told."""
        _ip("-n", self.bridges, "link", "set", host.port, state)

    def move(self, host: Host, bridge: str) -> None:
        """Plugs its cable into another bridge."""
        _ip("-n", self.bridges, "link", "set", host.port, "master", bridge)

    def close(self) -> None:
        """Ends what runs in the namespaces and removes them, and all files."""
        for name in _existing():
            if name.startswith(self._prefix):
                _remove(name)
        shutil.rmtree(self.root, ignore_errors=True)


def _ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def _existing() -> list[str]:
    return [path.name for path in _NAMES.iterdir()] if _NAMES.is_dir() else []


def _remove_stale() -> None:
    """Namespaces and files of runs that are no more."""
    for name in filter(_is_stale, _existing()):
        _remove(name)
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if _is_stale(path.name):
            shutil.rmtree(path, ignore_errors=True)


def _is_stale(name: str) -> bool:
    owner = name.removeprefix(PREFIX).split("-")[0]
    return name.startswith(PREFIX) and owner.isdecimal() and not Path("/proc", owner).exists()


def _remove(name: str) -> None:
    """Whatever still runs in it is ours: nobody else enters these namespaces."""
    with suppress(RuntimeError):
        for pid in _ip("netns", "pids", name).split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        _ip("netns", "del", name)
