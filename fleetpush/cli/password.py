"""Passwords come from the terminal, never from argv or a pipe that something else feeds."""

from __future__ import annotations

import getpass
import os

from fleetpush.errors import UsageError


def ask_password() -> str:
    """Asks on /dev/tty without echo. Raises UsageError where there is no terminal to ask on."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError as error:
        raise UsageError(
            "-k asks for the SSH password on a terminal and there is none; use a key or an SSH agent"
        ) from error
    return getpass.getpass("SSH password: ")
