"""SSH signatures (OpenSSH's PROTOCOL.sshsig): what ``ssh-keygen -Y sign`` writes and ``-Y verify`` reads.

Every run signs one, so this stands on ``cryptography``, which a run has loaded anyway; a whole SSH library
would cost half a second where nothing else needs it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from fleetpush.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

PrivateKey = ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = ed25519.Ed25519PublicKey | rsa.RSAPublicKey | ec.EllipticCurvePublicKey

BEGIN, END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_MAGIC = b"SSHSIG"
_VERSION = 1
_WIDTH = 70
_LEAST_RSA_BITS = 2048
_KINDS = frozenset(
    ("ssh-ed25519", "ssh-rsa", *(f"ecdsa-sha2-nistp{bits}" for bits in (256, 384, 521)))
)
_DIGESTS = {b"sha256": hashlib.sha256, b"sha512": hashlib.sha512}
_RSA: dict[bytes, type[hashes.SHA256 | hashes.SHA512]] = {
    b"rsa-sha2-256": hashes.SHA256,
    b"rsa-sha2-512": hashes.SHA512,
}
_CURVES: dict[str, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    "nistp256": hashes.SHA256,
    "nistp384": hashes.SHA384,
    "nistp521": hashes.SHA512,
}


class SignatureFormatError(InputError):
    """It is no SSH signature, or one by a key of a kind that is not known here."""

    slug = "bad_signature_file"


class WrongSignatureError(Exception):
    """It is no signature of this message: one of the two was changed, or they never belonged together."""


def sign(key: PrivateKey, message: bytes, namespace: str) -> str:
    """The armoured signature of ``message`` by ``key``."""
    data = _to_be_signed(message, namespace.encode(), b"sha512")
    blob = blob_of(key.public_key())
    fields = [blob, namespace.encode(), b"", b"sha512", _joined([*_raw_signature(key, data)])]
    packed = _MAGIC + _VERSION.to_bytes(4, "big") + _joined(fields)
    lines = textwrap.wrap(base64.b64encode(packed).decode(), _WIDTH)
    return "\n".join([BEGIN, *lines, END]) + "\n"


@dataclass(frozen=True, slots=True)
class Signature:
    """What an armoured signature holds. ``blob`` is the public key as SSH writes it."""

    blob: bytes
    namespace: str
    digest: bytes
    algorithm: bytes
    raw: bytes

    @classmethod
    def read(cls, text: str) -> Signature:
        """Raises SignatureFormatError."""
        body = text.strip()
        if not body.startswith(BEGIN) or not body.endswith(END):
            raise SignatureFormatError(f"it is no SSH signature: it does not begin with {BEGIN}")
        try:
            packed = base64.b64decode("".join(body[len(BEGIN) : -len(END)].split()), validate=True)
            head = _MAGIC + _VERSION.to_bytes(4, "big")
            if not packed.startswith(head):
                raise ValueError("of another version")
            blob, namespace, _, digest, raw = _split(packed[len(head) :], 5)
            algorithm, signature = _split(raw, 2)
            if digest not in _DIGESTS:
                raise ValueError(f"made with the hash {digest!r}")
            return cls(blob, namespace.decode(), digest, algorithm, signature)
        except (ValueError, binascii.Error) as error:
            raise SignatureFormatError(f"it is no SSH signature: {error}") from error

    @property
    def kind(self) -> str:
        """The key's, as SSH calls it. Raises SignatureFormatError."""
        return kind_of(self.blob)

    @property
    def fingerprint(self) -> str:
        """The key's, as ``ssh-keygen -l`` prints it."""
        found = base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")
        return f"SHA256:{found}"

    def check(self, message: bytes, namespace: str) -> None:
        """Raises WrongSignatureError if it is not the key's signature of ``message`` for ``namespace``,
        SignatureFormatError for a key of a kind that is not known here."""
        key = _public_key(self.blob)
        if self.namespace != namespace:
            raise WrongSignatureError(f"it was made for {self.namespace!r}, not for {namespace!r}")
        data = _to_be_signed(message, self.namespace.encode(), self.digest)
        try:
            _check(key, self.algorithm, self.raw, data)
        except (InvalidSignature, ValueError) as error:
            raise WrongSignatureError("it is not a signature of this text") from error


def blob_of(key: PublicKey) -> bytes:
    """The key as SSH writes it."""
    form = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    return base64.b64decode(key.public_bytes(*form).split()[1])


def kind_of(blob: bytes) -> str:
    """What SSH calls a key's kind. Raises SignatureFormatError."""
    try:
        return _split(blob, None)[0].decode("ascii")
    except (ValueError, IndexError) as error:
        raise SignatureFormatError("its public key cannot be read") from error


def _public_key(blob: bytes) -> PublicKey:
    kind = kind_of(blob)
    if kind not in _KINDS:  # a hardware key's, say, which signs other bytes than these
        raise SignatureFormatError(_unknown(kind))
    line = f"{kind} {base64.b64encode(blob).decode()}".encode()
    try:
        key = serialization.load_ssh_public_key(line)
    except (ValueError, NotImplementedError, UnsupportedAlgorithm) as error:
        raise SignatureFormatError("its public key cannot be read") from error
    if not isinstance(key, PublicKey):
        raise SignatureFormatError(_unknown(kind))
    return key


def _unknown(kind: str) -> str:
    return (
        f"a key of the kind {kind[:60]!r} is not known here: use an ed25519, ecdsa or rsa key, or check it"
        " with ssh-keygen -Y verify"
    )


def check_strength(key: PrivateKey | PublicKey) -> None:
    """Raises SignatureFormatError for a key that OpenSSH would not take."""
    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey) and key.key_size < _LEAST_RSA_BITS:
        raise SignatureFormatError(f"an RSA key of {key.key_size} bits is too short")


def _to_be_signed(message: bytes, namespace: bytes, digest: bytes) -> bytes:
    return _MAGIC + _joined([namespace, b"", digest, _DIGESTS[digest](message).digest()])


def _raw_signature(key: PrivateKey, data: bytes) -> tuple[bytes, bytes]:
    """The algorithm's name and the signature, as SSH writes them."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return b"ssh-ed25519", key.sign(data)
    if isinstance(key, rsa.RSAPrivateKey):
        return b"rsa-sha2-512", key.sign(data, padding.PKCS1v15(), hashes.SHA512())
    curve = _curve_of(key.public_key())
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(_CURVES[curve]())))
    return b"ecdsa-sha2-" + curve.encode(), _joined([_mpint(r), _mpint(s)])


def _check(key: PublicKey, algorithm: bytes, raw: bytes, data: bytes) -> None:
    """Raises InvalidSignature or ValueError."""
    check_strength(key)
    if isinstance(key, ed25519.Ed25519PublicKey):
        if algorithm != b"ssh-ed25519":
            raise ValueError(algorithm)
        key.verify(raw, data)
    elif isinstance(key, rsa.RSAPublicKey):
        if algorithm not in _RSA:  # SHA-1 included
            raise ValueError(algorithm)
        # Some signers leave leading zeros out.
        key.verify(raw.rjust(key.key_size // 8, b"\0"), data, padding.PKCS1v15(), _RSA[algorithm]())
    else:
        curve = _curve_of(key)
        if algorithm != b"ecdsa-sha2-" + curve.encode():
            raise ValueError(algorithm)
        r, s = (int.from_bytes(part, "big") for part in _split(raw, 2))
        key.verify(encode_dss_signature(r, s), data, ec.ECDSA(_CURVES[curve]()))


def _curve_of(key: ec.EllipticCurvePublicKey) -> str:
    return {"secp256r1": "nistp256", "secp384r1": "nistp384", "secp521r1": "nistp521"}[
        key.curve.name
    ]


def _joined(parts: Iterable[bytes]) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _split(data: bytes, count: int | None) -> list[bytes]:
    """The strings that ``data`` is made of, ``count`` of them or any number. Raises ValueError."""
    found = []
    while data:
        length = int.from_bytes(data[:4], "big")
        if len(data) < 4 + length:
            raise ValueError("it is cut off")
        found.append(data[4 : 4 + length])
        data = data[4 + length :]
    if count is not None and len(found) != count:
        raise ValueError("it has other parts than a signature has")
    return found


def _mpint(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "big")
