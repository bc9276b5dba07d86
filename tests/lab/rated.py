"""A fleet whose every cable has a rate: some hosts may be slow, and racks share an uplink."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.lab import links
from tests.lab.fleet import LabFleet
from tests.lab.netns import BRIDGE

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from tests.lab.netns import Host


class Layout(NamedTuple):
    """Rates in bytes a second, each way. ``slow`` hosts have a ``factor``-th of it; a rack's uplink has what
    its hosts have together, divided by ``oversubscription``."""

    hosts: int
    rate: int
    slow: int = 0
    factor: float = 10.0
    racks: int = 0
    oversubscription: float = 4.0

    @property
    def names(self) -> list[str]:
        return [f"node{index + 1:03d}" for index in range(self.hosts)]

    @property
    def slow_names(self) -> list[str]:
        """Spread over the fleet, and so over its racks."""
        step = self.hosts / self.slow if self.slow else 0
        return [self.names[int(index * step)] for index in range(self.slow)]

    def rack(self, name: str) -> str:
        """Its name, "" where there are no racks. Neighbours by number share one."""
        index = self.names.index(name)
        return f"rack{index * self.racks // self.hosts + 1}" if self.racks else ""

    def rate_of(self, name: str) -> int:
        return round(self.rate / self.factor) if name in self.slow_names else self.rate


class RatedFleet(LabFleet):
    """``with RatedFleet(layout) as fleet``: up, limited and ready to be deployed to."""

    LOG = "INFO"

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout = layout
        self._uplinks: dict[str, str] = {}

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            self._bring_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: Any) -> None:
        with Undisturbed():
            super().__exit__(*error)

    def _bring_up(self) -> None:
        layout = self.layout
        self._limit(self.origin, layout.rate)
        for index, name in enumerate(layout.names):
            rack = layout.rack(name)
            if rack and rack not in self._uplinks:
                self._add_rack(rack)
            address = f"10.77.{index // 250 + 1}.{index % 250 + 1}"
            self._limit(self.add(name, address, bridge=rack or BRIDGE), layout.rate_of(name))
        self._introduce()

    def _introduce(self) -> None:
        """Tells everybody where everybody is. The kernel's table of neighbours is one for all namespaces:
        with sixty hosts it runs over, and who is looked up then gets no answer for seconds."""
        everybody = (self.origin, *self.hosts.values())
        cards = {host.address: host.link_address() for host in everybody}
        for host in everybody:
            host.knows({address: at for address, at in cards.items() if address != host.address})

    def _limit(self, host: Host, rate: int) -> None:
        links.tune(self.lab.bridges, host)
        links.limit_host(self.lab.bridges, host, rate)

    def _add_rack(self, rack: str) -> None:
        layout = self.layout
        members = [name for name in layout.names if layout.rack(name) == rack]
        rate = round(sum(map(layout.rate_of, members)) / layout.oversubscription)
        self.lab.add_bridge(rack)
        self._uplinks[rack], _ = ends = self.lab.join_bridges(rack, BRIDGE)
        for end in ends:
            links.set_mtu(self.lab.bridges, end)
            links.limit(self.lab.bridges, end, rate)

    def whole_inventory(self) -> Path:
        """All hosts, with their racks."""
        rack = self.layout.rack
        racks = {n: {"fleetpush_rack": rack(n)} for n in self.hosts} if self.layout.racks else {}
        return self.inventory(list(self.hosts), racks)

    def carried(self) -> dict[str, links.Carried]:
        """Bytes since the lab is up: of the origin, each host and each rack as a whole."""
        devices = links.carried(self.lab.bridges)
        # What a bridge's end of a cable receives was sent by the host.
        seen = {
            host.name: links.Carried(devices[host.port].sent, devices[host.port].received)
            for host in (self.origin, *self.hosts.values())
        }
        return seen | {rack: devices[end] for rack, end in self._uplinks.items()}


class Undisturbed:
    """Signals that ask this process to end wait until the block is done."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __enter__(self) -> None:
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, self.SIGNALS)

    def __exit__(self, *_error: object) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)
