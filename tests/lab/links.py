"""What a cable of the lab lets through, and what went through it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from tests.lab.netns import DEVICE

if TYPE_CHECKING:
    from tests.lab.netns import Host

MTU = 9000
BURST = 128 * 1024
"""Bytes. A GSO packet of 64 KiB passes whole: with less, the kernel cuts each into pieces in software."""

QUEUE = 0.1
"""Seconds that a full queue takes to drain at the link's rate."""


class Carried(NamedTuple):
    """Bytes, headers included, that came out of a device and that went into it."""

    received: int
    sent: int


def limit(namespace: str, device: str, rate: int) -> None:
    """What ``device`` sends waits its turn: ``rate`` bytes a second."""
    burst = max(BURST, rate // 500)
    queue = max(burst, round(rate * QUEUE))
    words = ["rate", f"{rate * 8}bit", "burst", str(burst), "limit", str(queue)]
    _run("tc", "-n", namespace, "qdisc", "add", "dev", device, "root", "tbf", *words)


def trickle(bridges: str, host: Host, rate: int) -> None:
    """Both directions of a host's cable carry a few KB a second, ``rate`` bytes: what is short takes long."""
    for namespace, device in ((host.namespace, DEVICE), (bridges, host.port)):
        words = ["rate", f"{rate * 8}bit", "burst", "1600", "limit", "8000"]
        _run("tc", "-n", namespace, "qdisc", "add", "dev", device, "root", "tbf", *words)


def limit_host(bridges: str, host: Host, rate: int) -> None:
    """Both directions of a host's cable."""
    limit(host.namespace, DEVICE, rate)
    limit(bridges, host.port, rate)


def set_mtu(namespace: str, device: str) -> None:
    """Large packets: most of a slow lab's processor time goes by the packet."""
    _run("ip", "-n", namespace, "link", "set", device, "mtu", str(MTU))


def tune(bridges: str, host: Host) -> None:
    """The same TCP for every tool: large packets even at low rates, and cubic."""
    set_mtu(host.namespace, DEVICE)
    set_mtu(bridges, host.port)
    network = ".".join(host.address.split(".")[:2]) + ".0.0/16"
    host.ip("route", "change", network, "dev", DEVICE, "src", host.address, "congctl", "cubic")
    if host.has_setting("ipv4/tcp_min_tso_segs"):
        host.set("ipv4/tcp_min_tso_segs", "7")


def carried(namespace: str) -> dict[str, Carried]:
    """By device."""
    shown = json.loads(_run("ip", "-n", namespace, "-s", "-j", "link"))
    return {
        link["ifname"]: Carried(link["stats64"]["rx"]["bytes"], link["stats64"]["tx"]["bytes"])
        for link in shown
    }


def _run(*words: str) -> str:
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout
