"""What the command tells hosts that find each other by gossip."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from fleetpush.deploy.contacts import ContactList
from fleetpush.deploy.member import ORIGIN
from fleetpush.swarm.plan.contacts import CONTACTS, ORIGIN_CONTACTS

if TYPE_CHECKING:
    from fleetpush.swarm.manifest import Manifest

MANIFEST = cast("Manifest", SimpleNamespace(chunks=8))


def member(peer: str, have: int = 0) -> Any:
    """As much of a member as is looked at, and what it was told."""
    said: list[dict[str, Any]] = []
    return SimpleNamespace(
        peer=peer,
        have=have,
        caller="" if peer == ORIGIN else "198.51.100.7",
        address=("", 40000) if peer == ORIGIN else ("192.0.2.1", 47600),
        channel=SimpleNamespace(say=said.append),
        said=said,
    )


def contacts(one: Any) -> dict[str, tuple[str, bool]]:
    """Whom it was told of last, where, and whether it is to dial."""
    return {
        c["peer"]: (c["address"], c["dial"])
        for message in one.said
        if message["do"] == "contacts"
        for c in message["contacts"]
    }


async def joined(members: list[Any]) -> ContactList:
    handed = ContactList(asyncio.get_running_loop(), MANIFEST)
    for one in members:
        handed.join(one)
        await asyncio.sleep(0)
    return handed


async def test_each_host_is_given_four_and_where_it_reaches_the_origin() -> None:
    origin, hosts = member(ORIGIN), [member(f"h{i}") for i in range(30)]
    await joined([*hosts[:3], origin, *hosts[3:]])
    for host in hosts:
        told = contacts(host)
        assert told.pop(ORIGIN) == ("198.51.100.7:40000", False)
        assert sum(dial for _, dial in told.values()) in range(CONTACTS + 1)
    dialling = [sum(dial for _, dial in contacts(host).values()) for host in hosts]
    assert dialling[ORIGIN_CONTACTS:] == [CONTACTS] * (30 - ORIGIN_CONTACTS)
    # The origin dials the first ones, those that came before it, too; it may not be reached from outside.
    first = {f"h{i}": ("192.0.2.1:47600", True) for i in range(ORIGIN_CONTACTS)}
    assert contacts(origin) == first


async def test_who_is_dialled_expects_it() -> None:
    hosts = [member(f"h{i}") for i in range(12)]
    await joined(hosts)
    told = {host.peer: contacts(host) for host in hosts}
    for peer, named in told.items():
        for other, (address, dial) in named.items():
            assert address == "192.0.2.1:47600"
            assert told[other][peer][1] is not dial


async def test_the_origin_hears_what_hosts_hold_already() -> None:
    origin = member(ORIGIN)
    await joined([member("h0", have=0b11), origin, member("h1"), member("h2", have=0b100)])
    held = [message["mask"] for message in origin.said if message["do"] == "held"]
    assert held == ["03", "07"]


async def test_who_has_left_is_named_to_nobody() -> None:
    hosts = [member(f"h{i}") for i in range(5)]
    handed = await joined(hosts)
    handed.leave(hosts[2])
    late = [member(f"late{i}") for i in range(10)]
    for one in late:
        handed.join(one)
    await asyncio.sleep(0)
    assert all("h2" not in contacts(one) for one in late)
    assert handed.members.keys() == {h.peer for h in [*hosts, *late]} - {"h2"}
