"""What went wrong on the way to a host, as a slug and a sentence that says what to do."""

from __future__ import annotations

import errno
import shlex
import socket
from typing import TYPE_CHECKING

from fleetpush.errors import HostError

if TYPE_CHECKING:
    from pathlib import Path

    from fleetpush.remote.route import Route

_NO_ROUTE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN)
_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE)


def unreachable(slug: str, message: str) -> HostError:
    return HostError(slug, message, unreachable=True)


def timed_out(route: Route, phase: str, seconds: float) -> HostError:
    """``phase`` is what was under way: connect, handshake or login."""
    what = {
        "connect": "did not accept a connection: is the host up, and does a firewall drop the port?",
        "handshake": "accepted the connection but sent no SSH handshake: is an sshd behind this port?",
        "login": "did not finish the login: is its DNS, PAM or home directory slow?",
    }[phase]
    return unreachable("unreachable_timeout", f"{route.place} {what} (waited {seconds:g} s)")


def of_socket(route: Route, error: OSError) -> HostError:
    """An error of name resolution or of the TCP connection."""
    if isinstance(error, socket.gaierror):
        return unreachable(
            "name_resolution",
            f"the name {route.host} does not resolve ({error.strerror}): "
            "check its spelling or set ansible_host",
        )
    if error.errno in _OUT_OF_FILES:
        return HostError(
            "too_many_open_files",
            "this machine is out of file descriptors: raise the limit (ulimit -n)",
        )
    if isinstance(error, ConnectionRefusedError):
        return unreachable(
            "connection_refused",
            f"{route.place} refuses connections: is sshd running, and is the port right?",
        )
    if error.errno in _NO_ROUTE:
        return unreachable(
            "no_route", f"no route to {route.place}: is the host up and the network right?"
        )
    return of_close(route, error)


def of_close(route: Route, error: Exception) -> HostError:
    """The other end hung up before the handshake was over."""
    return unreachable(
        "handshake_refused",
        f"{route.place} closes connections before the handshake is over ({text_of(error)}): "
        "sshd may be at its MaxStartups limit (lower --forks) or penalise this address",
    )


def key_unknown(route: Route, file: Path, shown: str) -> HostError:
    port = "" if route.port == 22 else f"-p {route.port} "
    if route.jump:
        jump = shlex.quote(",".join(route.jump))
        learn = f"ssh -J {jump} {port}{route.user}@{route.host} true"
    else:
        learn = f"ssh-keyscan {port}{route.host} >> {shlex.quote(str(file))}"
    return unreachable(
        "host_key_unknown",
        f"the host key of {route.place} ({shown}) is not in {file}: compare the "
        f"fingerprint, then run: {learn} (or use --host-key-checking accept-new)",
    )


def key_changed(route: Route, file: Path, name: str, shown: str) -> HostError:
    forget = f"ssh-keygen -R {shlex.quote(name)} -f {shlex.quote(str(file))}"
    return unreachable(
        "host_key_changed",
        f"the host key of {route.place} CHANGED to {shown}: somebody may be "
        f"intercepting. If the host was reinstalled, forget the old key: {forget}",
    )


def jump_failed(hop: str, error: HostError) -> HostError:
    return unreachable("jump_failed", f"jump host {hop}: {error}")


def no_session(place: str, why: str) -> HostError:
    """The connection is there, the channel for a command is not."""
    return HostError(
        "session_refused",
        f"{place} refuses to run a command ({why}): check ForceCommand, MaxSessions and "
        "the login shell",
    )


def no_forward(place: str, to: str, why: str, *, prohibited: bool) -> HostError:
    if prohibited:
        return HostError(
            "forwarding_prohibited", f"{place} forbids TCP forwarding: set AllowTcpForwarding yes"
        )
    return HostError("forward_refused", f"{place} cannot connect to {to}: {why}")


def behind_jump(route: Route, why: str, *, prohibited: bool) -> HostError:
    """The last jump host is there, but opens no way to the host."""
    hop = route.jump[-1] if route.jump else "the jump host"
    if prohibited:
        return unreachable(
            "jump_failed", f"jump host {hop} forbids TCP forwarding: set AllowTcpForwarding yes"
        )
    slug = "connection_refused" if "refused" in why.lower() else "unreachable_via_jump"
    return unreachable(slug, f"jump host {hop} cannot connect to {route.place}: {why}")


def key_invalid(route: Route, why: str) -> HostError:
    return unreachable(
        "host_key_invalid",
        f"{route.place} shows a host key that is revoked or not to be trusted ({why})",
    )


def no_common_algorithm(route: Route, why: str) -> HostError:
    return unreachable(
        "no_common_algorithm",
        f"{route.place} and fleetpush share no algorithm, update its sshd ({why})",
    )


def not_ssh(route: Route, why: str) -> HostError:
    return unreachable(
        "not_ssh",
        f"{route.place} does not speak SSH 2 as expected, is the port right? ({why})",
    )


def lost_in_login(route: Route, why: str) -> HostError:
    return unreachable(
        "connection_lost",
        f"{route.place} hung up during the login of {route.user} ({why}): see its sshd log",
    )


def lost(place: str, error: Exception | None) -> HostError:
    text = f" ({text_of(error)})" if error else ""
    return unreachable("connection_lost", f"the connection to {place} is gone{text}")


def refused(route: Route, tried: list[str], detail: str) -> HostError:
    offered = "; ".join(tried) or "no key and no password to offer"
    text = f" ({detail})" if detail else ""
    return unreachable(
        "auth_failed",
        f"{route.place} does not let {route.user} in{text}; tried: {offered}. Check the user, "
        "authorized_keys, or name a key with --private-key",
    )


def text_of(error: Exception) -> str:
    return str(error).strip() or type(error).__name__
