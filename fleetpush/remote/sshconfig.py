"""What ssh_config says about a host: parsed once for all hosts, ``Include`` and all."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fleetpush.errors import InputError

if TYPE_CHECKING:
    import paramiko

USER_FILE = Path("~/.ssh/config")
SYSTEM_FILE = Path("/etc/ssh/ssh_config")

_NEVER = "Host !*"
_PERCENT = "\x1a"
_MATCH_KEYWORDS = ("all", "host", "originalhost", "user", "localuser", "canonical", "final")
_DEEPEST_INCLUDE = 16


@dataclass(frozen=True, kw_only=True)
class HostConfig:
    """The keywords that are honoured; None or empty where ssh_config is silent. Times in seconds.

    ``proxy_command`` still has its %h, %p and %r.
    """

    hostname: str
    port: int | None = None
    user: str | None = None
    identity_files: tuple[Path, ...] = ()
    identities_only: bool = False
    proxy_jump: str | None = None
    proxy_command: str | None = None
    host_key_alias: str | None = None
    known_hosts: tuple[Path, ...] = ()
    connect_timeout: float | None = None


class SshConfig:
    """The user's file and the system's, or only ``path`` where one is given ("none" reads nothing).

    ``warnings`` says what was ignored. Raises InputError for a file that cannot be read or parsed.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.warnings: list[str] = []
        self._config: paramiko.SSHConfig | None = None
        lines: list[str] = []
        if path is None:
            for default in (USER_FILE.expanduser(), SYSTEM_FILE):
                if default.is_file():
                    lines += self._expanded(default, default.parent, (), 0)
        elif str(path) != "none":
            # ssh -F looks for relative includes in ~/.ssh, wherever the file itself is.
            lines += self._expanded(path, USER_FILE.expanduser().parent, (), 0)
        if any(not line.startswith(("Host ", "Match ")) for line in lines):
            self._config = _parsed(lines, path or USER_FILE)

    def lookup(self, host: str) -> HostConfig:
        """What the files say for the name that the operator would give to ssh."""
        if self._config is None:
            return HostConfig(hostname=host)
        try:
            found = self._config.lookup(host)
            return _host_config(host, dict(found))
        except (ValueError, KeyError) as error:
            raise InputError(f"ssh_config has no usable settings for {host}: {error}") from error

    def _expanded(
        self, path: Path, origin: Path, condition: tuple[str, ...], depth: int
    ) -> list[str]:
        """The lines of ``path`` with its includes in place; ``condition`` is the enclosing block's."""
        try:
            text = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read ssh_config {path}: {error}") from error
        block = condition
        lines = [_header(block)]
        for raw in text.splitlines():
            line = raw.strip()
            keyword, rest = split_keyword(line)
            if not line or line.startswith("#") or keyword == "canonicalizehostname":
                continue  # canonical names would cost a DNS query a host, one after the other
            if keyword in ("host", "match"):
                block = self._block(keyword, rest, condition, path)
                lines.append(_header(block))
            elif keyword == "include":
                for file in _included(rest, origin, path):
                    if depth >= _DEEPEST_INCLUDE:
                        raise InputError(f"{path}: Include goes round in circles")
                    lines += self._expanded(file, origin, block, depth + 1)
                lines.append(_header(block))
            elif keyword == "proxycommand":
                # Its %h, %p and %r mean what the inventory says, which the parser cannot know.
                lines.append(line.replace("%", _PERCENT))
            else:
                lines.append(line)
        return lines

    def _block(
        self, keyword: str, rest: str, condition: tuple[str, ...], path: Path
    ) -> tuple[str, ...]:
        words = _words(rest, path)
        if keyword == "host":
            return (*condition, "originalhost", ",".join(words))
        wanted = [word.lower().lstrip("!") for word in words if word.lower().lstrip("!")]
        unknown = [w for w in wanted[:1] if w not in _MATCH_KEYWORDS]
        unknown += [w for w in wanted if w in ("exec", "tagged", "localnetwork", "address")]
        if unknown:
            self.warnings.append(f"{path}: ignored the block 'Match {rest}' ({unknown[0]})")
            return ("never",)
        return condition + tuple(word for word in words if word.lower() != "all")


def _header(block: tuple[str, ...]) -> str:
    if not block:
        return "Host *"
    if "never" in block:
        return _NEVER
    return "Match " + " ".join(block)


def split_keyword(line: str) -> tuple[str, str]:
    """(keyword in lower case, the rest) of ``Keyword value`` or ``Keyword=value``."""
    found = re.match(r"([^\s=]*)\s*=?\s*(.*)", line.strip())
    assert found is not None  # every part of the pattern may be empty
    return found[1].lower(), found[2].strip()


def _words(rest: str, path: Path) -> list[str]:
    try:
        return shlex.split(rest)
    except ValueError as error:
        raise InputError(f"{path}: {rest!r}: {error}") from error


def _included(rest: str, origin: Path, path: Path) -> list[Path]:
    found: list[Path] = []
    for pattern in _words(rest, path):
        whole = Path(pattern).expanduser()
        anchor = Path(whole.anchor) if whole.is_absolute() else origin
        relative = str(whole.relative_to(whole.anchor)) if whole.is_absolute() else pattern
        found += sorted(file for file in anchor.glob(relative) if file.is_file())
    return found


def _parsed(lines: list[str], path: Path) -> paramiko.SSHConfig:
    import paramiko  # noqa: PLC0415 (a tenth of a second that only an ssh_config is worth)

    try:
        return paramiko.SSHConfig.from_text("\n".join(lines) + "\n")
    except paramiko.ConfigParseError as error:
        raise InputError(f"cannot read ssh_config {path}: {error}") from error


def _host_config(host: str, found: dict[str, object]) -> HostConfig:
    def text(key: str) -> str | None:
        value = found.get(key)
        return value if isinstance(value, str) and value.lower() != "none" else None

    port, timeout = text("port"), text("connecttimeout")
    identities = found.get("identityfile")
    files = identities if isinstance(identities, list) else []
    return HostConfig(
        hostname=text("hostname") or host,
        port=int(port) if port else None,
        user=text("user"),
        identity_files=tuple(Path(file).expanduser() for file in files if file != "none"),
        identities_only=(text("identitiesonly") or "no").lower() == "yes",
        proxy_jump=text("proxyjump"),
        proxy_command=(text("proxycommand") or "").replace(_PERCENT, "%") or None,
        host_key_alias=text("hostkeyalias"),
        known_hosts=tuple(
            Path(file).expanduser() for file in shlex.split(text("userknownhostsfile") or "")
        ),
        connect_timeout=float(timeout) if timeout else None,
    )
