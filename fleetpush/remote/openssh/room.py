"""Where OpenSSH's masters live: a private directory for their sockets, and what ends with this program."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_SHORT = "/tmp"  # noqa: S108 (mkdtemp makes a private directory in it)
_LONGEST_ROOM = 64
"""A socket's path has about a hundred bytes, of which ssh wants eighteen for a name while it binds."""

# Ends the masters and removes their directory when this program is gone without having done so.
_WATCH = """\
import os, shutil, signal, sys
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
alive = set()
for line in sys.stdin:
    (alive.add if line[0] == "+" else alive.discard)(int(line[1:]))
for pid in alive:
    try:
        os.kill(pid, signal.SIGTERM)
    except OSError:
        pass
shutil.rmtree(sys.argv[1], ignore_errors=True)
"""

# Answers only what asks for a password: a passphrase or a code is not ours to give.
_ASK = """\
import os, socket, sys
prompt = " ".join(sys.argv[1:]).lower()
if "password" not in prompt or "passphrase" in prompt:
    sys.exit(1)
s = socket.socket(socket.AF_UNIX)
s.connect(os.environ["FLEETPUSH_ASK_AT"])
s.sendall(os.environ["FLEETPUSH_ASK_TOKEN"].encode() + b"\\n")
word = b""
while True:
    more = s.recv(4096)
    if not more:
        break
    word += more
sys.stdout.buffer.write(word + b"\\n")
"""


class Room:
    """One a run. A password travels from here over a socket in it: on no command line, disk or environment.

    Raises OSError where there is no place for it.
    """

    def __init__(self) -> None:
        base = tempfile.gettempdir()
        self.path = Path(
            tempfile.mkdtemp(prefix="fp-", dir=base if len(base) < _LONGEST_ROOM else _SHORT)
        )
        self._names = 0
        self._words: dict[str, str] = {}
        self._server: asyncio.Server | None = None
        self._watch = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _WATCH, str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def new_socket(self) -> str:
        self._names += 1
        return str(self.path / str(self._names))

    def watch(self, pid: int, sign: str) -> None:
        """``+``: end this process if we cannot; ``-``: it has ended."""
        assert self._watch.stdin is not None
        with contextlib.suppress(OSError):
            self._watch.stdin.write(f"{sign}{pid}\n".encode())
            self._watch.stdin.flush()

    async def ask_here(self, word: str) -> dict[str, str]:
        """The environment in which ssh asks us for its password."""
        script = self.path / "askpass"
        if self._server is None:
            # Without a secret in it; ssh runs nothing but a file.
            quoted = _ASK.replace("'", "'\\''")
            script.write_text(f"#!/bin/sh\nexec '{sys.executable}' -I -S -c '{quoted}' \"$@\"\n")
            script.chmod(0o700)
            self._server = await asyncio.start_unix_server(self._answer, str(self.path / "ask"))
        token = secrets.token_hex(16)
        self._words[token] = word
        return {
            "SSH_ASKPASS": str(script),
            "SSH_ASKPASS_REQUIRE": "force",
            "DISPLAY": os.environ.get("DISPLAY") or "none:0",  # before OpenSSH 8.4 it wants one
            "FLEETPUSH_ASK_AT": str(self.path / "ask"),
            "FLEETPUSH_ASK_TOKEN": token,
        }

    def forget(self, env: dict[str, str]) -> None:
        """The login is over: its token is good for nothing any more."""
        self._words.pop(env.get("FLEETPUSH_ASK_TOKEN", ""), None)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        assert self._watch.stdin is not None
        with contextlib.suppress(OSError):
            self._watch.stdin.close()
        await asyncio.get_running_loop().run_in_executor(None, self._watch.wait)
        shutil.rmtree(self.path, ignore_errors=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError):
            token = (await reader.readline()).decode(errors="replace").strip()
            writer.write(self._words.get(token, "").encode())
        writer.close()
