"""The key that receipts are signed with: the operator's own, or one of the state directory's."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from fleetpush.deploy.receipt.sshsig import PrivateKey, SignatureFormatError, check_strength
from fleetpush.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

NAME = "receipt_key"
"""In the state directory; ``receipt_key.pub`` is what goes into an allowed_signers file."""


class SignKeyError(InputError):
    """The key to sign with cannot be used."""

    slug = "sign_key"


def read_key(path: Path) -> PrivateKey:
    """A private key, in OpenSSH's form or PEM. Raises SignKeyError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SignKeyError(f"cannot read the key {path}: {error.strerror}") from error
    openssh = b"BEGIN OPENSSH PRIVATE KEY" in data
    load = serialization.load_ssh_private_key if openssh else serialization.load_pem_private_key
    try:
        key = load(data, password=None)
    except TypeError as error:
        raise SignKeyError(_encrypted(path)) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        if "assword" in str(error) or "ncrypted" in str(error):
            raise SignKeyError(_encrypted(path)) from error
        raise SignKeyError(f"{path} is no private key that can be used: {error}") from error
    if not isinstance(key, PrivateKey):
        raise SignKeyError(f"{path}: only ed25519, ecdsa and rsa keys can sign receipts")
    try:
        check_strength(key)
    except SignatureFormatError as error:
        raise SignKeyError(f"{path}: {error}") from error
    return key


def _encrypted(path: Path) -> str:
    return (
        f"the key {path} is encrypted, and nobody is asked for its passphrase here: make a key for receipts"
        " (ssh-keygen -t ed25519 -N '' -f FILE), or take the state directory's and sign the receipt yourself:"
        f" ssh-keygen -Y sign -n fleetpush-receipt -f {path} RECEIPT"
    )


def state_key(state_dir: Path) -> PrivateKey:
    """The state directory's own, made at its first use, its owner's alone. Raises SignKeyError."""
    path = state_dir / NAME
    try:
        if not path.exists():
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make(path)
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except OSError as error:
        raise SignKeyError(
            f"cannot make the key {path}: {error.strerror}; name one with --sign-key"
        ) from error
    return read_key(path)


def _make(path: Path) -> None:
    """Whole or not at all; of several at once one is kept. Raises OSError."""
    key = ed25519.Ed25519PrivateKey.generate()
    form = serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH
    private = key.private_bytes(*form, serialization.NoEncryption())
    beside = path.with_name(f".{NAME}.{secrets.token_hex(6)}")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(private)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(beside, path)
            public = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
            line = key.public_key().public_bytes(*public).decode()
            beside_it = path.with_name(f"{NAME}.pub")
            beside_it.touch(0o600)
            beside_it.write_text(f"{line} {NAME}\n")
    finally:
        beside.unlink()
