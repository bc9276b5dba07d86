"""Inventory scripts: run with ``--list``, and with ``--host`` for what that leaves out."""

from __future__ import annotations

import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from fleetpush.errors import InputError
from fleetpush.inventory.load.listing import add_listing, parse

if TYPE_CHECKING:
    from fleetpush.inventory.load.source import Source
    from fleetpush.inventory.model import Inventory

_AT_ONCE = 8
"""Runs with ``--host`` side by side: most of such a run is waiting for a network."""
_LAST_WORDS = 300


def run_script(source: Source, inventory: Inventory, seconds: float) -> None:
    """Adds what the script lists; each of its runs may take ``seconds``.

    Raises InputError with its name and last words for one that fails, hangs or prints no inventory.
    """
    script = _Script(source, str(inventory.cwd), seconds)
    add_listing(script.ask("--list"), source, inventory, script.ask_of_each)


class _Script:
    def __init__(self, source: Source, cwd: str, seconds: float) -> None:
        self._source = source
        self._cwd = cwd
        self._seconds = seconds

    def ask_of_each(self, hosts: list[str]) -> dict[str, object]:
        """What ``--host`` says, by host."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            answers = pool.map(lambda host: self.ask("--host", host), hosts)
            try:
                return dict(zip(hosts, answers, strict=True))
            except InputError:
                pool.shutdown(cancel_futures=True)
                raise

    def ask(self, *arguments: str) -> object:
        """The document that the script prints; None where it prints nothing about a host."""
        command = " ".join((f"inventory script {self._source.name}", *arguments))
        printed, complaints = self._run(command, arguments)
        if arguments[0] == "--host" and not printed.strip():
            return None
        try:
            return parse(printed.decode("utf-8-sig"), command)
        except UnicodeDecodeError:
            raise InputError(f"{command}: what it printed is not UTF-8{complaints}") from None
        except InputError as error:
            raise InputError(f"{error}{complaints}") from error

    def _run(self, command: str, arguments: tuple[str, ...]) -> tuple[bytes, str]:
        """What it printed on stdout, and its last words on stderr as the end of a message."""
        try:
            process = subprocess.Popen(
                [self._source.path, *arguments],
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # so that what it has started ends with it
            )
        except OSError as error:
            raise InputError(
                f"{command}: cannot be started: {error.strerror}: look at its first line"
            ) from error
        with process:
            try:
                printed, complaints = process.communicate(timeout=self._seconds)
            except BaseException as error:  # Ctrl-C, too: it would outlive us
                _end(process)
                if isinstance(error, subprocess.TimeoutExpired):
                    words = _last_words(error.stderr or b"")
                    raise InputError(
                        f"{command}: has not ended after {self._seconds:g} s{words}"
                    ) from None
                raise
        words = _last_words(complaints)
        if process.returncode:
            raise InputError(f"{command}: {_how_it_ended(process.returncode)}{words}")
        return printed, words


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:  # it has just ended by itself
        process.kill()


def _how_it_ended(code: int) -> str:
    return f"failed with exit code {code}" if code > 0 else f"was ended by signal {-code}"


def _last_words(complaints: bytes) -> str:
    text = " ".join(complaints.decode("utf-8", "replace").split())
    if not text:
        return ""
    return f"; its last words: {'...' if len(text) > _LAST_WORDS else ''}{text[-_LAST_WORDS:]}"
