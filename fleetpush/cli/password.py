"""Passwords come from the terminal, never from argv or a pipe that something else feeds."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING, Any

from fleetpush.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


def asked(given: Mapping[str, Any]) -> dict[str, Any]:
    """The passwords that ``-k`` and ``-K`` ask for, without echo, by their names in the options.

    Raises UsageError where there is no terminal to ask on.
    """
    found: dict[str, Any] = {}
    if given["ask_pass"]:
        _check_terminal("-k")
        found["password"] = getpass.getpass("SSH password: ")
    if given["ask_become_pass"]:
        _check_terminal("-K")
        same = found.get("password")
        prompt = "BECOME password [defaults to SSH password]: " if same else "BECOME password: "
        found["become_password"] = getpass.getpass(prompt) or same
    return found


def _check_terminal(flag: str) -> None:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError as error:
        instead = "a key or an SSH agent" if flag == "-k" else "sudo without a password (NOPASSWD)"
        raise UsageError(
            f"{flag} asks for a password on a terminal and there is none; use {instead}"
        ) from error
