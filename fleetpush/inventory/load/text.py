"""The text of a file that an inventory is made of, or words on why there is none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fleetpush.errors import InputError
from fleetpush.inventory.marked import VAULT_HEADER

if TYPE_CHECKING:
    from pathlib import Path


_COMMENT = re.compile(rb"^[#;][^\n]*[\x80-\xff][^\n]*", re.MULTILINE)


def shown(path: Path, cwd: Path) -> str:
    """The path as messages name it."""
    return str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)


def read_bytes(path: Path, name: str, what: str) -> bytes:
    """The file's content. Raises InputError that says ``what`` cannot be read, and why."""
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise unreadable(error, name, what) from error


def unreadable(error: Exception, name: str, what: str) -> InputError:
    """A failed look at the file system in words."""
    reason = getattr(error, "strerror", None) or error
    return InputError(f"cannot read {what} {name}: {reason}")


def decode(data: bytes, name: str, *, strange_comments: bool = False) -> str:
    """UTF-8, with or without a byte-order mark. Raises InputError for anything else, and for a vault.

    ``strange_comments``: lines that begin with ``#`` or ``;`` may hold any bytes, which are lost.
    """
    try:
        text = (_COMMENT.sub(b"#", data) if strange_comments else data).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{name}:{line}: not UTF-8 (byte 0x{data[error.start]:02x}): save the file as UTF-8"
        ) from error
    if text.startswith(VAULT_HEADER):
        raise InputError(
            f"{name}:1: the whole file is vault-encrypted, which fleetpush cannot decrypt: encrypt single "
            "values in it (ansible-vault encrypt_string), or let Ansible read it and give its result: "
            "ansible-inventory -i INVENTORY --list --ask-vault-pass > fleet.json"
        )
    return text
