"""What we sign OpenSSH verifies, what OpenSSH signs we verify, and nothing else."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.deploy.receipt import NAMESPACE, sshsig
from fleetpush.deploy.receipt.keys import read_key
from fleetpush.deploy.receipt.sshsig import Signature, SignatureFormatError, WrongSignatureError
from tests.deploy.receipt.keygen import KINDS, accepts, line_of, make_key, signed

if TYPE_CHECKING:
    from pathlib import Path

TEXT = b'{"what": "was deployed"}\n'


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("keys")
    return {name: make_key(folder / name, *kind) for name, kind in KINDS.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_ssh_keygen_takes_what_we_sign(keys: dict[str, Path], kind: str, tmp_path: Path) -> None:
    signature = sshsig.sign(read_key(keys[kind]), TEXT, NAMESPACE)
    allowed = f"me@example.com {line_of(keys[kind])}\n"
    assert accepts(allowed, signature, TEXT, tmp_path)
    assert not accepts(allowed, signature, TEXT + b" ", tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_we_take_what_ssh_keygen_signs(keys: dict[str, Path], kind: str) -> None:
    signature = Signature.read(signed(keys[kind], TEXT))
    signature.check(TEXT, NAMESPACE)
    assert line_of(keys[kind]) == f"{signature.kind} {base64.b64encode(signature.blob).decode()}"
    with pytest.raises(WrongSignatureError):
        signature.check(TEXT + b" ", NAMESPACE)


def test_the_fingerprint_is_ssh_keygens(keys: dict[str, Path]) -> None:
    import subprocess

    told = subprocess.run(["ssh-keygen", "-lf", keys["rsa"]], capture_output=True, check=True)
    assert Signature.read(signed(keys["rsa"], TEXT)).fingerprint == told.stdout.split()[1].decode()


def test_a_signature_for_something_else_is_none(keys: dict[str, Path]) -> None:
    with pytest.raises(WrongSignatureError, match="'git'"):
        Signature.read(signed(keys["ed25519"], TEXT, "git")).check(TEXT, NAMESPACE)


def packed(signature: str) -> bytes:
    return base64.b64decode("".join(signature.splitlines()[1:-1]))


def armoured(data: bytes) -> str:
    return f"{sshsig.BEGIN}\n{base64.b64encode(data).decode()}\n{sshsig.END}\n"


@pytest.fixture(scope="module")
def signatures(keys: dict[str, Path]) -> dict[str, bytes]:
    return {kind: packed(sshsig.sign(read_key(key), TEXT, NAMESPACE)) for kind, key in keys.items()}


@given(st.data())
@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa-256"])
def test_no_changed_bit_gets_past(
    signatures: dict[str, bytes], kind: str, data: st.DataObject
) -> None:
    signature = bytearray(signatures[kind])
    bit = data.draw(st.integers(0, len(signature) * 8 - 1))
    signature[bit // 8] ^= 1 << bit % 8
    with pytest.raises((WrongSignatureError, SignatureFormatError)):
        Signature.read(armoured(bytes(signature))).check(TEXT, NAMESPACE)


@given(st.binary(max_size=300))
def test_anything_else_is_refused_as_no_signature(rest: bytes) -> None:
    for data in (rest, b"SSHSIG\0\0\0\x01" + rest):
        with pytest.raises((WrongSignatureError, SignatureFormatError)):
            Signature.read(armoured(data)).check(TEXT, NAMESPACE)
    with pytest.raises(SignatureFormatError):
        Signature.read(rest.decode("latin-1"))


def test_a_weak_algorithm_is_refused(keys: dict[str, Path]) -> None:
    """SHA-1, which nobody has made for years, is not taken from whoever makes it today."""
    real = Signature.read(signed(keys["rsa"], TEXT))
    old = Signature(real.blob, NAMESPACE, b"sha512", b"ssh-rsa", real.raw)
    with pytest.raises(WrongSignatureError):
        old.check(TEXT, NAMESPACE)


def test_a_kind_that_is_not_known_says_what_does_know_it() -> None:
    blob = sshsig._joined([b"sk-ssh-ed25519@openssh.com", b"k" * 32, b"ssh:"])
    signature = Signature(blob, NAMESPACE, b"sha512", b"sk-ssh-ed25519@openssh.com", b"s")
    with pytest.raises(SignatureFormatError, match="ssh-keygen -Y verify"):
        signature.check(TEXT, NAMESPACE)
