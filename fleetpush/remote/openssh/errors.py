"""What OpenSSH's client says on its stderr, as the failures that an operator is told."""

from __future__ import annotations

import base64
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fleetpush.remote import failures
from fleetpush.remote.hostkeys import USER_FILES
from fleetpush.remote.keyfiles import trouble_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleetpush.errors import HostError
    from fleetpush.remote.route import Route

_PHASES = (
    ("login", re.compile(r"SSH2_MSG_SERVICE_ACCEPT received|Authentications that can continue")),
    ("handshake", re.compile(r"debug1: Connection established|Remote protocol version")),
)
_NOISE = re.compile(r"debug\d: |OpenSSH_|\*\* |@{10}|Warning: Permanently added|Authenticated to ")
_SHOWN_KEY = re.compile(r"debug1: Server host key: \S+ (SHA256:\S+)")
_TRIED = re.compile(r"debug1: (?:Offering public key|Trying private key): (\S+)")
_CHANGED_IN = re.compile(r"Offending \S+ key in (.+):\d+")
_KNOWN_AS = re.compile(r"(?:Host key for|No \S+ host key is known for) (\S+)")
_NOT_KEPT = re.compile(r"Failed to add the host to the list of known hosts \((.+)\)")
_OPEN_FAILED = re.compile(r"channel \d+: open failed: (.+)")
_HUNG_UP = re.compile(
    r"kex_exchange_identification: (?:read: )?(?:Connection|client sent)|Connection (?:closed|reset) by"
    r"|kex_exchange_identification: .*(?:closed|reset)|Broken pipe|ssh_dispatch_run_fatal.*Connection"
)


class Said(NamedTuple):
    """``text`` is all that ssh -v has written; the properties are what can be learned from it."""

    text: str

    @property
    def phase(self) -> str:
        """connect, handshake or login, as ``failures.timed_out`` has them."""
        return next((name for name, sign in _PHASES if sign.search(self.text)), "connect")

    @property
    def complaints(self) -> list[str]:
        lines = [line.strip() for line in self.text.splitlines()]
        return [line for line in lines if line and not _NOISE.match(line)]

    @property
    def not_kept(self) -> str | None:
        """The known_hosts file that a new key could not be written to."""
        found = _NOT_KEPT.search(self.text)
        return found[1] if found else None

    @property
    def refused_channel(self) -> str:
        """Why the server last opened no channel, in its own words; "" if it did."""
        found = _OPEN_FAILED.findall(self.text)
        return str(found[-1]).strip() if found else ""

    def last(self) -> str:
        return self.complaints[-1] if self.complaints else "ssh gave no reason"


def is_prohibited(refusal: str) -> bool:
    return "administratively prohibited" in refusal


def is_refusal(said: Said) -> bool:
    return said.phase == "connect" and "Connection refused" in said.text


def is_hang_up(said: Said) -> bool:
    """Before the login, so that another try may do better."""
    return said.phase != "login" and any(_HUNG_UP.search(line) for line in said.complaints)


def failure(route: Route, said: Said, seconds: float, *, password_given: bool) -> HostError:
    """Why ssh ended; ``seconds`` is how long it may have waited for a connection."""
    text = "\n".join(said.complaints)
    if "Host key verification failed" in text or "host key is known for" in text:
        return _of_host_key(route, said, text)
    if said.phase == "login":
        return _of_login(route, said, text, password_given=password_given)
    for sign, answer in _ANSWERS:
        if re.search(sign, text):
            return answer(route, said.last(), seconds)
    if is_hang_up(said):
        return _closed(route, said.last())
    return failures.not_ssh(route, said.last())


def _of_host_key(route: Route, said: Said, text: str) -> HostError:
    found = _SHOWN_KEY.search(said.text)
    shown = found[1] if found else "of unknown fingerprint"
    known = route.config.known_hosts
    file = known[0] if known else USER_FILES[0].expanduser()
    if "REVOKED" in text.upper():
        return failures.key_invalid(route, "it is marked @revoked in known_hosts")
    if "IDENTIFICATION HAS CHANGED" in said.text:
        offending, name = _CHANGED_IN.search(text), _KNOWN_AS.search(text)
        usual = route.host if route.port == 22 else f"[{route.host}]:{route.port}"
        return failures.key_changed(
            route, Path(offending[1]) if offending else file, name[1] if name else usual, shown
        )
    return failures.key_unknown(route, file, shown)


def _of_login(route: Route, said: Said, text: str, *, password_given: bool) -> HostError:
    for path in route.keys:
        trouble = trouble_of_key(path.expanduser())
        if trouble and not _agent_has(said, path):
            return failures.unreachable("private_key_unusable", trouble)
    if "Permission denied" in text or "Too many authentication failures" in text:
        tried = list(dict.fromkeys(_TRIED.findall(said.text)))
        tried += ["the password"] if password_given else []
        detail = "" if "Permission denied" in said.last() else said.last()
        return failures.refused(route, tried, detail)
    return failures.lost_in_login(route, said.last())


def trouble_of_key(path: Path) -> str:
    """Why ssh cannot use a private key without asking anybody; "" if nothing is wrong with it."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        return trouble_of(path, error)
    if "PRIVATE KEY" not in text:
        return trouble_of(path, ValueError("it has no PRIVATE KEY in it"))
    if "ENCRYPTED" in text or _is_locked(text):
        return trouble_of(path, ValueError("encrypted"))
    return ""


def _is_locked(text: str) -> bool:
    """OpenSSH's own format: magic, then the name of a cipher."""
    lines = [line for line in text.splitlines() if not line.startswith("-----")]
    try:
        data = base64.b64decode("".join(lines))
    except ValueError:
        return False
    magic = b"openssh-key-v1\0"
    return data.startswith(magic) and not data.startswith(magic + b"\0\0\0\4none")


def _agent_has(said: Said, path: Path) -> bool:
    """ssh offers the public half of a locked key, too, before it finds that it cannot sign."""
    name = re.escape(str(path.expanduser()))
    return re.search(rf"Offering public key: {name} .*\bagent\b", said.text) is not None


def _gone(route: Route, line: str, _seconds: float) -> HostError:
    return failures.unreachable(
        "name_resolution",
        f"the name {route.host} does not resolve ({line}): check its spelling or set ansible_host",
    )


def _refuses(route: Route, _line: str, _seconds: float) -> HostError:
    return failures.of_socket(route, ConnectionRefusedError())


def _no_route(route: Route, _line: str, _seconds: float) -> HostError:
    return failures.unreachable(
        "no_route", f"no route to {route.place}: is the host up and the network right?"
    )


def _silent(route: Route, _line: str, seconds: float) -> HostError:
    return failures.timed_out(route, "connect", seconds)


def _dumb(route: Route, _line: str, seconds: float) -> HostError:
    return failures.timed_out(route, "handshake", seconds)


def _strange(route: Route, line: str, _seconds: float) -> HostError:
    return failures.no_common_algorithm(route, line)


def _other(route: Route, line: str, _seconds: float) -> HostError:
    return failures.not_ssh(route, line)


def _closed(route: Route, line: str) -> HostError:
    return failures.of_close(route, ConnectionError(line))


_ANSWERS: tuple[tuple[str, Callable[[Route, str, float], HostError]], ...] = (
    (r"Could not resolve hostname|hostname contains invalid characters", _gone),
    (r"Connection refused", _refuses),
    (r"during banner exchange", _dumb),
    (r"[Tt]imed out", _silent),
    (r"No route to host|Network is unreachable|Host is down", _no_route),
    (r"Unable to negotiate|no matching", _strange),
    (
        r"banner line|protocol version|Bad packet length|not (?:a )?valid|message authentication",
        _other,
    ),
)


def quoted(word: str) -> str:
    """For a shell that ssh expands a command for first."""
    return shlex.quote(word).replace("%", "%%")
