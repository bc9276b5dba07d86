"""Keys to log in with, as paramiko has them: each file read once, the agent asked once."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import paramiko

from fleetpush.errors import HostError
from fleetpush.remote.keyfiles import DEFAULT_FILES, trouble_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paramiko.message import Message


class _Agent(paramiko.Agent):
    """One connection to the agent for all logins: a question and its answer stay together."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        super().__init__()

    def _send_message(self, message: Message) -> tuple[int, Message]:
        with self._turn:
            # paramiko has no lock of its own, and its stubs do not know of the method.
            answer: tuple[int, Message] = super()._send_message(message)  # type: ignore[misc]  # not in the stubs
            return answer


class Offer(NamedTuple):
    """The keys for one login, best first, each with its name; and what could not be used."""

    keys: list[tuple[str, paramiko.PKey]]
    troubles: list[str]


class KeyStore:
    """For any thread; the first that asks loads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._agent: _Agent | None = None
        self._held: list[paramiko.PKey] | None = None
        self._files: dict[Path, tuple[paramiko.PKey | None, str]] = {}

    def offer(
        self, explicit: Sequence[Path], configured: Sequence[Path], *, identities_only: bool
    ) -> Offer:
        """Keys in the order in which a login tries them: explicit and configured files, agent, defaults.

        The default files count only where no file is named, as in ssh. Raises HostError for an explicit
        file that cannot be used (``private_key_unusable``).
        """
        with self._lock:
            held = self._ask_agent()
            named = [*explicit, *configured]
            chosen: list[tuple[str, paramiko.PKey]] = []
            troubles: list[str] = []
            for path in named or [p for p in DEFAULT_FILES if p.expanduser().exists()]:
                key, trouble = self._file(path.expanduser(), held)
                if trouble and path in explicit:
                    raise HostError("private_key_unusable", trouble, unreachable=True)
                troubles += [trouble] if trouble else []
                chosen += [(str(path), key)] if key is not None else []
        agent = [] if identities_only else [(f"agent key {_comment(key)}", key) for key in held]
        ordered = [*chosen, *agent] if named else [*agent, *chosen]
        first = {key.asbytes(): (name, key) for name, key in reversed(ordered)}
        return Offer(list(reversed(first.values())), troubles)

    def close(self) -> None:
        if self._agent is not None:
            self._agent.close()
            self._agent = None

    def _ask_agent(self) -> list[paramiko.PKey]:
        if self._held is None:
            self._held = []
            if os.environ.get("SSH_AUTH_SOCK"):
                try:
                    self._agent = _Agent()
                    self._held = list(self._agent.get_keys())
                except (OSError, paramiko.SSHException):
                    self._held = []  # a stale SSH_AUTH_SOCK is as good as none
        return self._held

    def _file(self, path: Path, held: list[paramiko.PKey]) -> tuple[paramiko.PKey | None, str]:
        if path not in self._files:
            self._files[path] = _load(path, held)
        return self._files[path]


def _load(path: Path, held: list[paramiko.PKey]) -> tuple[paramiko.PKey | None, str]:
    for public in (Path(f"{path}.pub"), path):
        try:
            words = public.read_text().split()
        except (OSError, UnicodeDecodeError):
            continue
        for key in held:
            if len(words) > 1 and key.get_base64() == words[1]:
                return key, ""
    try:
        return paramiko.PKey.from_path(path), ""
    except Exception as error:  # noqa: BLE001 (paramiko and cryptography hand on whatever a bad file provokes)
        return None, trouble_of(path, error)


def _comment(key: paramiko.PKey) -> str:
    return getattr(key, "comment", "") or key.get_name()
