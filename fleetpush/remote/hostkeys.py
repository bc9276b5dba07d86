"""known_hosts, parsed once: which keys a host may show, and what to tell the operator if it shows another."""

from __future__ import annotations

import base64
import fcntl
import fnmatch
import hashlib
import hmac
import os
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from fleetpush.errors import InputError

USER_FILES = (Path("~/.ssh/known_hosts"), Path("~/.ssh/known_hosts2"))
SYSTEM_FILES = (Path("/etc/ssh/ssh_known_hosts"), Path("/etc/ssh/ssh_known_hosts2"))

_PLAIN_ALGORITHMS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-256",
    "rsa-sha2-512",
)
_CERTIFICATE_ALGORITHMS = (
    "ssh-ed25519-cert-v01@openssh.com",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ecdsa-sha2-nistp384-cert-v01@openssh.com",
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "rsa-sha2-256-cert-v01@openssh.com",
    "rsa-sha2-512-cert-v01@openssh.com",
)


@dataclass(frozen=True)
class KnownKeys:
    """What known_hosts says of one name: keys of its own, of authorities, and revoked ones."""

    name: str
    hosts: tuple[asyncssh.SSHKey, ...] = ()
    authorities: tuple[asyncssh.SSHKey, ...] = ()
    revoked: tuple[asyncssh.SSHKey, ...] = ()

    def algorithms(self) -> list[str]:
        """Host key algorithms to ask for: those first whose key can be recognised, as ssh does."""
        known = [alg.decode() for key in self.hosts for alg in key.sig_algorithms]
        preferred = [alg for alg in known if alg in _PLAIN_ALGORITHMS]
        first = list(_CERTIFICATE_ALGORITHMS) if self.authorities else []
        return list(dict.fromkeys([*first, *preferred, *_PLAIN_ALGORITHMS]))


@dataclass(frozen=True)
class _Line:
    marker: str
    patterns: tuple[str, ...]
    key: asyncssh.SSHKey


class KnownHosts:
    """One set of known_hosts files. New keys go to the first of them.

    Raises InputError for a file that exists and cannot be read; lines that make no sense are skipped.
    """

    def __init__(self, paths: tuple[Path, ...] = ()) -> None:
        self.paths = tuple(p.expanduser() for p in paths or (*USER_FILES, *SYSTEM_FILES))
        self._exact: dict[str, list[_Line]] = {}
        self._wild: list[_Line] = []
        self._hashed: list[tuple[bytes, bytes, _Line]] = []
        for path in self.paths:
            if path.exists():
                self._load(path)

    @property
    def path(self) -> Path:
        """Where an operator would add a key."""
        return self.paths[0]

    def lookup(self, host: str, port: int, alias: str | None = None) -> KnownKeys:
        """The keys for ``host``; a port other than 22 is part of the name, an alias replaces both."""
        host = host.lower()
        name = alias or (host if port == 22 else f"[{host}]:{port}")
        lines = self._matching(name)
        if not lines and name != host and not alias:
            # As ssh does: a key known for the bare name is good for its other ports too; another key
            # there does not count as changed.
            lines = self._matching(host)
        return KnownKeys(name, *_sorted(lines))

    def is_changed(self, known: KnownKeys) -> bool:
        """True if the very name has keys, so that another key is a change and not a first sight."""
        return any(line.marker == "" for line in self._matching(known.name))

    def knows(self, known: KnownKeys, key: asyncssh.SSHKey) -> bool:
        """True if ``key`` has been accepted for the name since it was looked up."""
        return key in [line.key for line in self._exact.get(known.name, []) if line.marker == ""]

    def add(self, known: KnownKeys, key: asyncssh.SSHKey) -> None:
        """Accepts ``key`` for the name and appends it to the file.

        Raises OSError when the file cannot be written; the key is accepted all the same.
        """
        self._exact.setdefault(known.name, []).append(_Line("", (known.name,), key))
        text = key.export_public_key("openssh").decode().split()
        _append(self.path, f"{known.name} {text[0]} {text[1]}\n")

    def _matching(self, name: str) -> list[_Line]:
        lines = list(self._exact.get(name, ()))
        lines += [line for line in self._wild if _matches(line.patterns, name)]
        if self._hashed:
            raw = name.encode()
            for salt, digest, line in self._hashed:
                if hmac.digest(salt, raw, "sha1") == digest:
                    lines.append(line)
        return lines

    def _load(self, path: Path) -> None:
        try:
            text = path.read_text(errors="replace")
        except OSError as error:
            raise InputError(f"cannot read known_hosts {path}: {error.strerror}") from error
        keys: dict[str, asyncssh.SSHKey | None] = {}
        for raw in text.splitlines():
            words = raw.split()
            marker = words.pop(0) if words and words[0].startswith("@") else ""
            if len(words) < 3 or words[0].startswith("#"):
                continue
            data = f"{words[1]} {words[2]}"
            if data not in keys:
                keys[data] = _key(data)
            key = keys[data]
            if key is not None:
                self._add_line(_Line(marker, tuple(words[0].split(",")), key))

    def _add_line(self, line: _Line) -> None:
        first = line.patterns[0]
        if first.startswith("|1|"):
            fields = first.split("|")
            try:
                salt, digest = base64.b64decode(fields[2]), base64.b64decode(fields[3])
            except (ValueError, IndexError):
                return
            self._hashed.append((salt, digest, line))
        elif any(sign in pattern for pattern in line.patterns for sign in "*?!"):
            self._wild.append(line)
        else:
            for pattern in line.patterns:
                self._exact.setdefault(pattern.lower(), []).append(line)


def fingerprint(key: asyncssh.SSHKey) -> str:
    """``SHA256:...`` as ssh-keygen -l prints it."""
    digest = hashlib.sha256(key.public_data).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _key(data: str) -> asyncssh.SSHKey | None:
    try:
        return asyncssh.import_public_key(data)
    except asyncssh.KeyImportError:
        return None


def _sorted(
    lines: list[_Line],
) -> tuple[tuple[asyncssh.SSHKey, ...], tuple[asyncssh.SSHKey, ...], tuple[asyncssh.SSHKey, ...]]:
    def of(marker: str) -> tuple[asyncssh.SSHKey, ...]:
        return tuple(dict.fromkeys(line.key for line in lines if line.marker == marker))

    return of(""), of("@cert-authority"), of("@revoked")


def _matches(patterns: tuple[str, ...], name: str) -> bool:
    """ssh's pattern list: a negated match wins. "[" is a plain character in known_hosts."""
    found = False
    for pattern in patterns:
        glob = pattern.lstrip("!").replace("[", "[[]")
        if fnmatch.fnmatchcase(name, glob):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _append(path: Path, line: str) -> None:
    """One line at the end, whole, even if another run appends at the same time."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not path.is_char_device() and file.tell() > 0:
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else "\n" + line
        file.write(line.encode())
