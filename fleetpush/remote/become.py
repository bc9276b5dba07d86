"""Another user on the host: sudo, doas or su around the command that is run there.

Without a password it costs no round trip: whoever may not become that user is told so by the command's end.
With one for sudo, and for su in any case, we wait for a prompt or for the word that we are through: cached
credentials must not make the password the head of what the command reads, nor su that head the password.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import shlex
from typing import TYPE_CHECKING, get_args

from fleetpush.errors import HostError, HostFailure
from fleetpush.remote.settings import BecomeMethod

if TYPE_CHECKING:
    from fleetpush.remote.connection import Become, Connection, Process, ProcessHandler

METHODS: tuple[str, ...] = get_args(BecomeMethod)

_PATIENCE = 30.0
"""Seconds for a prompt, or for the answer to a password: PAM takes its time over a wrong one."""

_KEPT = 4096
_OURS = ("-n", "-S", "-H", "--non-interactive", "--stdin", "--set-home")
"""Flags that are ours to choose, whatever ansible_become_flags says."""

# All for sh, since the login shell may be any, and without a backslash, a "!" or a newline, which some of
# those take for something else. In English, because what they complain of is read below. sudo and doas drop
# SSH_CONNECTION, from which an agent learns its address: it travels as the last argument.
_OUTSIDE = 'LC_ALL=C; export LC_ALL; exec "$@" "$SSH_CONNECTION"'
_INSIDE = "SSH_CONNECTION=$1; export SSH_CONNECTION; unset LC_ALL; "


async def start(
    connection: Connection, line: str, handler: ProcessHandler, become: Become | None
) -> Process:
    """Runs ``line`` as the user that ``become`` names; None: as whoever has logged in.

    Raises HostError as ``Connection.start`` does, and for a host that does not let us become that user. Some
    do so only later, when the process ends: see ``failure_of``.
    """
    if become is None:
        return await connection.start(line, handler)
    token = secrets.token_hex(8)
    wrapped = command(line, become, token)
    if not become.waits:
        return await connection.start(wrapped, handler)
    gate = _Gate(handler, become, token)
    process = await connection.start(wrapped, gate)
    try:
        async with asyncio.timeout(_PATIENCE):
            await gate.passed(process)
    except BaseException as error:  # cancelled, too: nobody else has a handle to end it by
        process.kill()
        if isinstance(error, TimeoutError):
            why = f"{become.method} has said nothing for {_PATIENCE:.0f} s; try it there by hand"
            raise HostError("become_failed", why) from None
        raise
    return process


def command(line: str, become: Become, token: str) -> str:
    """The line for the login shell; ``token`` is in the prompt and in the word that we are through."""
    told = f"echo; echo {_through(token)}; " if become.waits else ""
    exe = become.exe or become.method
    flags = [flag for flag in become.flags if flag not in _OURS]
    if become.method == "su":
        # su keeps SSH_CONNECTION. Its user's shell may be any, too.
        one_line = "exec " + shlex.join(["/bin/sh", "-c", f"unset LC_ALL; {told}{line}"])
        words = [exe, *flags, "-c", one_line, "--", become.user]
    else:
        if become.method == "doas":
            flags = ["-n", *flags]
        elif become.password is None:
            flags = ["-H", "-n", *flags]
        else:
            flags = ["-H", "-S", "-p", _prompt(token), *flags]
        inside = ["/bin/sh", "-c", f"{_INSIDE}{told}{line}", "sh"]
        words = [exe, *flags, "-u", become.user, "--", *inside]
    return "exec " + shlex.join(["/bin/sh", "-c", _OUTSIDE, "sh", *words])


def failure_of(said: str) -> HostFailure | None:
    """What a process that never got going has against us, by its stderr; None if it is not about this."""
    for pattern, slug, advice in _COMPLAINTS:
        match = pattern.search(said)
        if match:
            return HostFailure(slug, f"{match[0].strip()}: {advice}")
    return None


_WRONG = "the password is wrong: give another with -K"
_COMPLAINTS = [
    (re.compile(pattern, re.MULTILINE), slug, advice)
    for pattern, slug, advice in (
        (
            r"\S*(?:sudo|doas|su): (?:command )?not found$|exec: \S+: [Nn]ot found$",
            "become_missing",
            "install it, or take another --become-method (ansible_become_exe says where it is)",
        ),
        (
            r"^sudo: (?:a password|a terminal) is required.*",
            "become_password",
            "give -K, or allow it without one (NOPASSWD)",
        ),
        (
            r"^sudo: .*must have a tty.*",
            "become_refused",
            "take requiretty out of its sudoers for this user",
        ),
        (r"^.*incorrect password attempt.*|^Sorry, try again\.", "become_password", _WRONG),
        (
            r"^sudo: unknown user:? .*|^doas: unknown user.*|^su: user .* does not exist.*",
            "become_refused",
            "mend --become-user",
        ),
        (
            r"^.*(?:is not in the sudoers file|not allowed to|may not run sudo).*",
            "become_refused",
            "add a rule to its sudoers",
        ),
        (
            r"^doas: (?:Operation not permitted|Authentication (?:required|failed)).*",
            "become_refused",
            "add 'permit nopass' to its doas.conf; doas works without a password only",
        ),
        (
            r"^su: (?:Authentication failure|Permission denied|must be run from a terminal).*",
            "become_refused",
            "su works without a password only: log in as root, or take sudo",
        ),
        # Its last words only: it also warns of what hinders nobody, such as a name that does not resolve.
        (r"^(?:sudo|doas|su): .*\Z", "become_failed", "try it there by hand"),
    )
]


class _Gate:
    """Stands before ``handler`` until we are through; what comes before is noise, prompts and complaints."""

    def __init__(self, handler: ProcessHandler, become: Become, token: str) -> None:
        self._handler = handler
        self._become = become
        self._mark = f"\n{_through(token)}\n".encode()
        self._prompt = (_prompt(token) if become.method == "sudo" else "Password:").encode()
        self._heard = b""
        self._said = b""
        self._through = False
        self._end: tuple[int | None, str] | None = None
        self._news = asyncio.Event()

    async def passed(self, process: Process) -> None:
        """Returns when we are through; answers one prompt. Raises HostError if it is not to be."""
        answered = False
        while not self._through:
            if self._end is not None:
                raise self._refusal(*self._end)
            if self._prompt in self._said:
                if self._become.password is None:
                    why = "su asks for a password there, and works here without one only"
                    raise HostError("become_refused", f"{why}: log in as root, or take sudo")
                if answered:
                    raise HostError("become_password", f"sudo: {_WRONG}")
                answered = True
                self._said = self._said.replace(self._prompt, b"")
                process.write(self._become.password.encode() + b"\n")
            self._news.clear()
            await self._news.wait()

    def _refusal(self, status: int | None, reason: str) -> HostError:
        if status is None:
            return HostError("connection_lost", reason, unreachable=True)
        said = self._said.decode(errors="replace").strip()
        last = said.splitlines()[-1][:300] if said else reason
        why = failure_of(said)
        if why is None:
            return HostError("become_failed", f"{self._become.method}: {last}")
        return HostError(why.slug, why.message)

    def stdout(self, data: bytes) -> None:
        if self._through:
            self._handler.stdout(data)
            return
        self._heard += data
        _, mark, rest = self._heard.partition(self._mark)
        if not mark:
            self._heard = self._heard[-len(self._mark) :]
            return
        self._through = True
        self._news.set()
        if rest:
            self._handler.stdout(rest)

    def stderr(self, data: bytes) -> None:
        if self._through:
            self._handler.stderr(data)
            return
        self._said = (self._said + data)[-_KEPT:]
        self._news.set()

    def ended(self, status: int | None, reason: str) -> None:
        if self._through:
            self._handler.ended(status, reason)
            return
        self._end = status, reason
        self._news.set()


def _prompt(token: str) -> str:
    return f"[fleetpush {token}] password: "


def _through(token: str) -> str:
    return f"fleetpush-through-{token}"
