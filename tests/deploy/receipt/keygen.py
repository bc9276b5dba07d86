"""The real ssh-keygen, whose word on signatures counts."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from fleetpush.deploy.receipt import NAMESPACE

if TYPE_CHECKING:
    from pathlib import Path

KINDS = {
    "ed25519": ("-t", "ed25519"),
    "rsa": ("-t", "rsa", "-b", "2048"),
    "ecdsa-256": ("-t", "ecdsa", "-b", "256"),
    "ecdsa-384": ("-t", "ecdsa", "-b", "384"),
    "ecdsa-521": ("-t", "ecdsa", "-b", "521"),
}


def make_key(path: Path, *kind: str, passphrase: str = "") -> Path:
    words = ["ssh-keygen", "-q", *(kind or KINDS["ed25519"]), "-N", passphrase, "-C", "", "-f"]
    subprocess.run([*words, path], check=True)
    return path


def signed(key: Path, text: bytes, namespace: str = NAMESPACE) -> str:
    words = ["ssh-keygen", "-Y", "sign", "-n", namespace, "-f", str(key)]
    return subprocess.run(words, input=text, capture_output=True, check=True).stdout.decode()


def accepts(
    allowed: str, signature: str, text: bytes, folder: Path, *, identity: str = "me@example.com"
) -> bool:
    """Whether ``ssh-keygen -Y verify`` takes it for ``identity``'s."""
    (folder / "allowed").write_text(allowed)
    (folder / "sig").write_text(signature)
    words = ["ssh-keygen", "-Y", "verify", "-f", folder / "allowed", "-I", identity]
    words += ["-n", NAMESPACE, "-s", folder / "sig"]
    return not subprocess.run(words, input=text, capture_output=True, check=False).returncode


def line_of(key: Path) -> str:
    """The public key's kind and base64."""
    return " ".join(key.with_suffix(".pub").read_text().split()[:2])
