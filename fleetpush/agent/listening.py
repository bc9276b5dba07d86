"""Where an agent listens for its peers."""

from __future__ import annotations

from fleetpush.errors import HostError
from fleetpush.lean.sockets import socket
from fleetpush.lean.system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from fleetpush.net.node import Node


def listen(node: Node, config: dict[str, Any]) -> tuple[str, str, int]:
    """Binds where peers will call: the announced address if it is one of ours, else every address.

    Returns the announced address, the one to call from this host itself, and the port. Raises OSError, and
    HostError as ``announced``.
    """
    address, ports = announced(config), tuple(config["ports"])
    try:
        return address, address, node.edges.listen(address, ports)[1]
    except OSError:
        return address, "127.0.0.1", node.edges.listen("", ports)[1]


def announced(config: dict[str, Any]) -> str:
    """Where peers are told to call, as a number; "" for wherever they see this host.

    A name is looked up here: the names of a network for data are known on it, and not always to the operator.
    Raises HostError for what peers could not call.
    """
    wanted, own = config["address"], ssh_connection(config)[1]
    if not wanted and not _is_link_local(own):
        return own
    if _is_link_local(wanted or own):
        raise HostError(
            "link_local",
            f"{wanted or own} is link-local, which means nothing to another host: set"
            " fleetpush_address to another address of this one",
        )
    return wanted if _is_number(wanted) else _looked_up(wanted, near=not own or _is_loopback(own))


def ssh_connection(config: dict[str, Any]) -> tuple[str, str]:
    """The CLI's address and this host's own, as the SSH server saw them ("" where there is none)."""
    words = os.environ.get("SSH_CONNECTION", "").split()
    if not config["ssh"] or len(words) != 4:
        return "", ""
    return words[0], words[2]


def _looked_up(name: str, *, near: bool) -> str:
    """``near``: all are on one machine, and loopback will do."""
    try:
        # As bytes: of text, Python would load its tables of international names first.
        found = socket.getaddrinfo(name.encode(), None, 0, socket.SOCK_STREAM)
    except OSError as error:
        problem = f"this host knows no such name ({error.strerror})"
    else:
        numbers = [str(place[0]) for *_, place in found]
        for number in numbers:
            if not _is_link_local(number) and (near or not _is_loopback(number)):
                return number
        problem = f"to this host it is {', '.join(numbers)}, which no other host can call"
    raise HostError("bad_address", f"fleetpush_address {name}: {problem}; set it to a number")


def _is_number(address: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, address)
        except (OSError, ValueError):
            continue
        return True
    return False


def _is_link_local(address: str) -> bool:
    return ":" in address and address[:3].lower() in ("fe8", "fe9", "fea", "feb")


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"
