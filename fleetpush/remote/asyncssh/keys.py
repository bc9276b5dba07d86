"""Keys to log in with: the agent's and the files', loaded once and shared by all hosts."""

from __future__ import annotations

import asyncio
import copy
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import asyncssh

from fleetpush.errors import HostError
from fleetpush.remote.keyfiles import DEFAULT_FILES, trouble_of

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class Identity:
    """What one key file gave: key pairs to offer, or why it gave none."""

    pairs: list[asyncssh.SSHKeyPair] = field(default_factory=list)
    trouble: str = ""


@dataclass
class Offer:
    """The key pairs for one login, best first, what they are called, and what could not be used."""

    pairs: list[asyncssh.SSHKeyPair]
    names: list[str]
    troubles: list[str]


class KeyStore:
    """Every file is read once, the agent is asked once over one connection."""

    def __init__(self, agent_path: str | None = None) -> None:
        self._agent_path = agent_path if agent_path is not None else os.environ.get("SSH_AUTH_SOCK")
        self._agent: asyncssh.SSHAgentClient | None = None
        self._agent_pairs: list[asyncssh.SSHKeyPair] | None = None
        self._asking = asyncio.Lock()
        self._identities: dict[Path, Identity] = {}

    async def offer(
        self, explicit: Sequence[Path], configured: Sequence[Path], *, identities_only: bool
    ) -> Offer:
        """Keys in the order in which a login tries them: explicit and configured files, agent, defaults.

        The default files count only where no file is named, as in ssh. Raises HostError for an explicit
        file that cannot be used (``private_key_unusable``).
        """
        agent = await self._ask_agent()
        named = [*explicit, *configured]
        chosen: list[tuple[str, asyncssh.SSHKeyPair]] = []
        troubles: list[str] = []
        for path in named:
            identity = self._identity(path, agent)
            if identity.trouble and path in explicit:
                raise HostError("private_key_unusable", identity.trouble, unreachable=True)
            if identity.trouble:
                troubles.append(identity.trouble)
            chosen += [(str(path), pair) for pair in identity.pairs]
        if not identities_only:
            chosen += [(f"agent key {_comment(pair)}", pair) for pair in agent]
        if not named:
            for path in DEFAULT_FILES:
                if path.expanduser().exists():
                    identity = self._identity(path, agent)
                    troubles += [identity.trouble] if identity.trouble else []
                    chosen += [(str(path), pair) for pair in identity.pairs]
        unique = {pair.public_data: (name, pair) for name, pair in reversed(chosen)}
        ordered = list(reversed(unique.values()))
        # A login sets the signature algorithm on its key pair: each gets copies of its own.
        pairs = [copy.copy(pair) for _, pair in ordered]
        return Offer(pairs, list(dict.fromkeys(name for name, _ in ordered)), troubles)

    async def close(self) -> None:
        if self._agent is not None:
            self._agent.close()
            await self._agent.wait_closed()
            self._agent = None

    async def _ask_agent(self) -> list[asyncssh.SSHKeyPair]:
        async with self._asking:
            if self._agent_pairs is None:
                self._agent_pairs = []
                if self._agent_path:
                    try:
                        self._agent = await asyncssh.connect_agent(self._agent_path)
                        self._agent_pairs = list(await self._agent.get_keys())
                    except (OSError, ValueError):
                        self._agent_pairs = []  # a stale SSH_AUTH_SOCK is as good as none
            return self._agent_pairs

    def _identity(self, path: Path, agent: list[asyncssh.SSHKeyPair]) -> Identity:
        path = path.expanduser()
        if path not in self._identities:
            self._identities[path] = _load(path, agent)
        return self._identities[path]


def _load(path: Path, agent: list[asyncssh.SSHKeyPair]) -> Identity:
    held = _in_agent(path, agent)
    if held:
        return Identity(held)
    try:
        return Identity(list(asyncssh.load_keypairs(str(path))))
    except (OSError, asyncssh.KeyEncryptionError, asyncssh.KeyImportError) as error:
        return Identity(trouble=trouble_of(path, error))


def _in_agent(path: Path, agent: list[asyncssh.SSHKeyPair]) -> list[asyncssh.SSHKeyPair]:
    """The agent's pair for ``path``, by the public half beside it (or by a path to a public key)."""
    for public in (Path(f"{path}.pub"), path):
        try:
            data = asyncssh.read_public_key(str(public)).public_data
        except (OSError, asyncssh.KeyImportError):
            continue
        return [pair for pair in agent if pair.public_data == data]
    return []


def _comment(pair: asyncssh.SSHKeyPair) -> str:
    return pair.get_comment() or pair.get_algorithm()
