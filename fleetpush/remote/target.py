"""From a host of the inventory to a target of the connection layer."""

from __future__ import annotations

import getpass
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from fleetpush.errors import InputError
from fleetpush.remote.become import METHODS
from fleetpush.remote.connection import Become, Target
from fleetpush.remote.sshconfig import split_keyword

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fleetpush.remote.settings import BecomeMethod, SshSettings

CONNECTIONS = {
    "asyncssh": "asyncssh",
    "ssh": "asyncssh",
    "smart": "asyncssh",
    "paramiko": "paramiko",
    "paramiko_ssh": "paramiko",
    "openssh": "openssh",
    "local": "local",
}
"""What ``ansible_connection`` may say, and the plugin that serves it."""

_WORDS = {"true": True, "yes": True, "on": True, "1": True} | {
    "false": False, "no": False, "off": False, "0": False
}  # fmt: skip
"""Truth as INI and -e write it; INI makes a number of 1."""

_INTERPRETER_DISCOVERY = ("auto", "auto_silent", "auto_legacy", "auto_legacy_silent")


class InventoryHost(Protocol):
    """The two things this module asks of a host of the inventory."""

    @property
    def name(self) -> str: ...

    def resolved(self, name: str, default: object = None) -> object:
        """The variable's value with its templates filled in."""


def target_of(
    host: InventoryHost, settings: SshSettings, warn: Callable[[str], None] | None = None
) -> Target:
    """How to reach ``host``: its variables win over ``settings``, as Ansible has it.

    ``warn`` is told once a call what was ignored; the text names no host, so equal ones can be folded.
    Raises InputError naming host and variable when a value has no use.
    """
    jump = _jump_of_args(host, warn or _nobody)
    python = _text(host, "ansible_python_interpreter")
    key = _text(host, "ansible_ssh_private_key_file", "ansible_private_key_file")
    return Target(
        name=host.name,
        address=_text(host, "ansible_host", "ansible_ssh_host") or host.name,
        port=_port(host),
        user=_text(host, "ansible_user", "ansible_ssh_user", numbers=True) or settings.user,
        password=_text(
            host, "ansible_password", "ansible_ssh_pass", "ansible_ssh_password", numbers=True
        )
        or settings.password,
        private_key=Path(key).expanduser() if key else settings.private_key,
        python=None if python in _INTERPRETER_DISCOVERY else python,
        connection=_connection(host, settings),
        jump=jump or settings.jump,
        become=_become(host, settings),
    )


def local_user() -> str:
    """Whom ssh would log in as when nobody says."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "root"


def _nobody(_message: str) -> None:
    pass


def _value(host: InventoryHost, names: tuple[str, ...]) -> tuple[str, object]:
    for name in names:
        value = host.resolved(name)
        if value is not None:
            return name, value
    return names[0], None


def _bad(host: InventoryHost, name: str, value: object, wanted: str) -> InputError:
    return InputError(f"{host.name}: {name} must be {wanted}, not {value!r}")


def _text(host: InventoryHost, *names: str, numbers: bool = False) -> str | None:
    """The first of ``names`` that is set. ``numbers``: YAML reads some user names as integers."""
    name, value = _value(host, names)
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if "password" in name or "pass" in name:
        if numbers and isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        # The value is a secret: the message must not repeat it.
        raise InputError(f"{host.name}: {name} must be a string, not {type(value).__name__}")
    if numbers and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise _bad(host, name, value, "a string")


def _port(host: InventoryHost) -> int | None:
    name, value = _value(host, ("ansible_port", "ansible_ssh_port"))
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65536:
        raise _bad(host, name, value, "a port number from 1 to 65535")
    return value


def _connection(host: InventoryHost, settings: SshSettings) -> str:
    wanted = _text(host, "ansible_connection")
    if wanted is not None:
        if wanted not in CONNECTIONS:
            raise _bad(host, "ansible_connection", wanted, f"one of {', '.join(CONNECTIONS)}")
        return CONNECTIONS[wanted]
    chosen = settings.connection or "asyncssh"
    if chosen not in CONNECTIONS:
        raise InputError(f"--connection must be one of {', '.join(CONNECTIONS)}, not {chosen!r}")
    return CONNECTIONS[chosen]


def _become(host: InventoryHost, settings: SshSettings) -> Become | None:
    wanted = host.resolved("ansible_become", settings.become)
    wanted = _WORDS.get(str(wanted).lower(), wanted)
    if not isinstance(wanted, bool):
        raise _bad(host, "ansible_become", wanted, "true or false")
    if not wanted:
        return None
    method = _text(host, "ansible_become_method") or settings.become_method
    method = method.removeprefix("ansible.builtin.").removeprefix("community.general.")
    if method not in METHODS:
        raise _bad(host, "ansible_become_method", method, f"one of {', '.join(METHODS)}")
    names = ("ansible_become_password", "ansible_become_pass", f"ansible_{method}_pass")
    password = _text(host, *names, numbers=True) or settings.become_password
    if password is not None and (method != "sudo" or set(password) & set("\r\n\0")):
        why = f"{method} works without one only" if method != "sudo" else "it has a line break"
        raise InputError(f"{host.name}: the become password (-K) is of no use: {why}")
    flags = _text(host, "ansible_become_flags") or ""
    try:
        words = tuple(shlex.split(flags))
    except ValueError as error:
        raise InputError(f"{host.name}: ansible_become_flags is no shell line: {error}") from error
    return Become(
        user=_text(host, "ansible_become_user", numbers=True) or settings.become_user or "root",
        method=cast("BecomeMethod", method),
        password=password,
        exe=_text(host, "ansible_become_exe"),
        flags=words,
    )


def _jump_of_args(host: InventoryHost, warn: Callable[[str], None]) -> str | None:
    """The jump host that ansible_ssh_common_args or _extra_args ask for."""
    jump: str | None = None
    for name in ("ansible_ssh_common_args", "ansible_ssh_extra_args"):
        text = _text(host, name)
        if not text:
            continue
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise InputError(f"{host.name}: {name} is not a shell line: {error}") from error
        for option, value in _ssh_options(words):
            found = _jump_of_option(option, value)
            if found:
                jump = jump or found
            else:
                warn(_ignored(name, option, value))
    return jump


def _ssh_options(words: list[str]) -> Iterator[tuple[str, str]]:
    """(option, value) pairs of an ssh command line; ``-o Key=value`` comes out as (key, value)."""
    rest = iter(words)
    for word in rest:
        if word[:2] in ("-o", "-J", "-i", "-p", "-l", "-F", "-c", "-m"):
            value = word[2:] or next(rest, "")
            if word[:2] == "-o":
                yield split_keyword(value)
            else:
                yield word[:2], value
        else:
            yield word, ""


def _jump_of_option(option: str, value: str) -> str | None:
    if option in ("-J", "proxyjump"):
        return value
    if option == "proxycommand":
        return _jump_of_command(value)
    return None


def _jump_of_command(command: str) -> str | None:
    """``ssh -W %h:%p [-q] [-p port] [user@]bastion``, the classic spelling of a jump host."""
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    if not words or Path(words[0]).name != "ssh" or "%h:%p" not in command:
        return None
    port = ""
    hosts = []
    rest = iter(words[1:])
    for word in rest:
        if word in ("-W", "-i", "-F", "-o", "-l", "-p"):
            value = next(rest, "")
            port = f":{value}" if word == "-p" else port
        elif not word.startswith("-"):
            hosts.append(word)
    return f"{hosts[0]}{port}" if len(hosts) == 1 else None


def _ignored(name: str, option: str, value: str) -> str:
    if option == "stricthostkeychecking":
        hint = "use --host-key-checking"
    elif option == "userknownhostsfile":
        hint = "set UserKnownHostsFile in the ssh_config"
    else:
        hint = "put it into the ssh_config"
    shown = f"{option} {value}".strip()
    return f"{name}: only a jump host is read from here; ignored: {shown} ({hint})"
