"""Private key files: which are tried where nobody says, and what to tell about one that is no use."""

from __future__ import annotations

from pathlib import Path

DEFAULT_FILES = tuple(
    Path("~/.ssh") / name for name in ("id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk")
)


def trouble_of(path: Path, error: Exception) -> str:
    """Why ``path`` gave no key, as a sentence; ``error`` is what the library that read it raised."""
    if isinstance(error, FileNotFoundError):
        return f"there is no private key {path}"
    if isinstance(error, OSError):
        return f"cannot read the private key {path}: {error.strerror}"
    text = str(error).strip()
    if any(word in text.lower() for word in ("passphrase", "password", "encrypted")):
        return f"the private key {path} is encrypted and not in an agent: run ssh-add {path}"
    return f"{path} is not a private key that can be used: {text or type(error).__name__}"
