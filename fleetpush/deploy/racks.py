"""Which rack a host is in where its variable does not say: by its groups or its address (``--rack-by``)."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, NamedTuple

from fleetpush.errors import InputError, UsageError
from fleetpush.inventory.nodeset import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fleetpush.inventory.model import Host

SUBNET = "subnet"
BITS = {4: 24, 6: 64}
"""Of a network, where ``subnet`` names no length: an Ethernet segment's, as most sites have them."""


class RackRule(NamedTuple):
    """``prefix`` of the names of groups, or networks (``bits`` None: as usual for each kind of address)."""

    prefix: str
    bits: int | None = None

    @classmethod
    def of(cls, text: str | None) -> RackRule | None:
        """What ``--rack-by`` says. Raises UsageError."""
        if text is None:
            return None
        word, slash, length = text.partition("/")
        if word == SUBNET:
            if not slash:
                return cls("")
            if length.isdecimal() and 0 < int(length) < 128:
                return cls("", int(length))
            raise UsageError(f"--rack-by {text}: give a length such as subnet/22")
        if not text.strip():
            raise UsageError(
                "--rack-by: give 'subnet', or what the names of the racks' groups begin with"
            )
        return cls(text)

    def rack_of(self, host: Host, address: str) -> str:
        """``address``: where its peers reach it. "" if no group says. Raises InputError naming the host."""
        return self._by_group(host) if self.prefix else self._by_network(host, address)

    def _by_group(self, host: Host) -> str:
        found = [
            name for name in host.groups if name.startswith(self.prefix) and name != self.prefix
        ]
        if len(found) > 1:
            raise InputError(
                f"{host.name}: in {' and '.join(found)}, and a host is in one rack: set "
                "fleetpush_rack for it, or give --rack-by a longer beginning"
            )
        return found[0][len(self.prefix) :] if found else ""

    def _by_network(self, host: Host, address: str) -> str:
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            raise InputError(
                f"{host.name}: --rack-by subnet goes by addresses in numbers, and {address!r} is none: "
                "set fleetpush_address or fleetpush_rack for it, or go by groups"
            ) from None
        bits = BITS[found.version] if self.bits is None else self.bits
        if bits > found.max_prefixlen:
            raise InputError(f"{host.name}: {address} has no network of {bits} bits (--rack-by)")
        return str(ipaddress.ip_network((found, bits), strict=False))


def check_racks(
    rule: RackRule, racks: Sequence[tuple[str, str]], warn: Callable[[str], None]
) -> None:
    """``racks``: each host's name and its rack. Raises InputError where none is in any."""
    without = [name for name, rack in racks if not rack]
    if not without:
        return
    what = f"no group that begins with {rule.prefix!r}"
    if len(without) == len(racks):
        raise InputError(f"--rack-by {rule.prefix}: the hosts are in {what}")
    warn(f"{fold(without)} in {what}: without a rack they count as one")
