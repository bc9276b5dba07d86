"""Runs a command on this host: its output kept within bounds, its processes ended with it.

What it leaves in the background goes on, if it has let go of the command's output: that is how a service
is started by hand.
"""

from __future__ import annotations

import glob
import os
import selectors
import signal
import subprocess
import tempfile
import time

from fleetpush.agent.cores import allowed
from fleetpush.errors import HostError
from fleetpush.lean.suppress import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from typing import Any

KEPT = 32 * 1024
"""Bytes kept of the beginning of an output, and as many of its end."""

KILL_AFTER = 5.0
"""Seconds between asking a command to end and ending it."""

DRAIN = 0.3
"""Seconds that the output of a command that has ended is still read: a child may hold it open."""

LOOK_EVERY = 0.1


class Output:
    """The beginning and the end of what a stream said."""

    __slots__ = ("_head", "_tail", "_total")

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._total = 0

    def add(self, data: bytes) -> None:
        self._total += len(data)
        room = KEPT - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        if len(self._tail) > KEPT:
            del self._tail[:-KEPT]

    def text(self) -> str:
        """What there was, with a note where bytes were left out."""
        missing = self._total - len(self._head) - len(self._tail)
        gap = f"\n[{missing} bytes left out]\n".encode() if missing else b""
        return bytes(self._head + gap + self._tail).decode("utf-8", "replace")


def run(arguments: dict[str, Any], stop: threading.Event) -> dict[str, Any]:
    """Runs ``argv``, or ``shell`` by the shell ``executable``; the result as Ansible's command has it.

    ``creates`` and ``removes`` are patterns of paths: it is skipped where the first is there already or
    the second is not. ``check``: it is not run, whatever these say. ``timeout`` in seconds. Raises HostError:
    command_timeout, command_not_found, command_interrupted, bad_chdir.
    """
    chdir = os.path.expanduser(arguments.get("chdir") or "~")
    skipped = _not_wanted(arguments, chdir)
    if skipped:
        return {"rc": 0, "stdout": skipped, "stderr": "", "skipped": True, "seconds": 0.0}
    if arguments.get("check"):
        return {"rc": 0, "stdout": "", "stderr": "", "skipped": False, "seconds": 0.0}
    shell = arguments.get("shell")
    argv = [arguments.get("executable") or "/bin/sh", "-c", shell] if shell else arguments["argv"]
    began = time.monotonic()
    process = _start(argv, chdir, arguments)
    outputs = Output(), Output()
    try:
        _read(process, outputs, arguments.get("timeout"), stop)
    finally:
        _end(process)
    return {
        "rc": process.returncode,
        "stdout": outputs[0].text(),
        "stderr": outputs[1].text(),
        "skipped": False,
        "seconds": round(time.monotonic() - began, 3),
    }


def _not_wanted(arguments: dict[str, Any], chdir: str) -> str:
    creates, removes = arguments.get("creates"), arguments.get("removes")
    if creates and _there(creates, chdir):
        return f"skipped, since {creates} exists"
    if removes and not _there(removes, chdir):
        return f"skipped, since {removes} does not exist"
    return ""


def _there(pattern: str, chdir: str) -> bool:
    return bool(glob.glob(os.path.join(chdir, os.path.expanduser(pattern))))


def _start(argv: list[str], chdir: str, arguments: dict[str, Any]) -> subprocess.Popen[bytes]:
    environment = {**os.environ, **(arguments.get("environment") or {})}
    try:
        os.stat(os.path.join(chdir, "."))
    except OSError as error:
        raise HostError("bad_chdir", f"cannot work in {chdir}: {error.strerror}") from error
    with _input(arguments.get("stdin")) as source:
        try:
            with allowed():
                return subprocess.Popen(
                    argv,
                    stdin=source,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    cwd=chdir,
                    env=environment,
                    start_new_session=True,
                )
        except OSError as error:
            raise HostError(
                "command_not_found", f"cannot run {argv[0]}: {error.strerror}"
            ) from error


def _input(text: str | None) -> Any:  # noqa: ANN401 - either of two kinds of open file
    """What the command reads: a file that nobody else can open, so that it never waits for us."""
    if text is None:
        return open(os.devnull, "rb")
    if hasattr(os, "memfd_create"):
        file = os.fdopen(os.memfd_create("stdin"), "w+b")
    else:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it, whichever it is
    file.write(text.encode())
    file.seek(0)
    return file


def _read(
    process: subprocess.Popen[bytes],
    outputs: tuple[Output, Output],
    timeout: float | None,
    stop: threading.Event,
) -> None:
    """Until it has ended and its output with it, or time is up."""
    give_up = None if timeout is None else time.monotonic() + timeout
    ended_at = None
    with selectors.DefaultSelector() as selector:
        for pipe, output in zip((process.stdout, process.stderr), outputs):
            assert pipe is not None
            selector.register(pipe, selectors.EVENT_READ, output)
        while selector.get_map() or process.poll() is None:
            if stop.is_set():
                raise HostError("command_interrupted", "the run ended before the command did")
            now = time.monotonic()
            if process.poll() is not None:
                ended_at = ended_at or now
                if now - ended_at > DRAIN:
                    return
            elif give_up is not None and now > give_up:
                raise HostError(
                    "command_timeout",
                    f"not done within {timeout:g} s: it was ended. {_last_words(outputs)}".strip(),
                )
            for key, _ in selector.select(LOOK_EVERY if selector.get_map() else 0):
                data = os.read(key.fd, 1 << 16)
                key.data.add(data)
                if not data:
                    selector.unregister(key.fileobj)
            if not selector.get_map():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(LOOK_EVERY)


def _last_words(outputs: tuple[Output, Output]) -> str:
    said = (outputs[1].text().strip() or outputs[0].text().strip()).splitlines()
    return f"Its last words: {said[-1][:200]}" if said else ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """Nothing of it is left unless it ended by itself: then only what it put into the background."""
    if process.poll() is None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(KILL_AFTER)
                break
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # what ignored the request
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
