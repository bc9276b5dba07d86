"""The run's certificates: an authority of its own for each run, and a certificate for each peer.

The authority lives in this process's memory and dies with it: no key is ever written to disk, and no
certificate of one run means anything to another. Peers find each other's names in the certificates'
common name; the organisation is the run.
"""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOT_BEFORE = datetime(1970, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""For ever, as RFC 5280 has it (4.1.2.5: no well-defined expiration date).

What bounds a certificate's use is the authority: only the agents of this run trust it, only while they live,
and nobody can ask it for another one after the run. Dates would bound nothing beyond that, and a host whose
clock stands at 1970 (a dead battery, no NTP yet) or jumps in mid-run could not be served.
"""


class RunIdentity:
    """One run's authority. Keep it in memory only; ``ca_pem`` is what peers trust."""

    def __init__(self, run_id: str) -> None:
        """Raises ValueError for a run id that does not fit a certificate (1 to 64 characters)."""
        self._run_id = run_id
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = self._subject("fleetpush run")
        key_id = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        self._authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id)
        builder = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(key_id, critical=False)
        )
        certificate = builder.sign(self._key, hashes.SHA256())
        self.ca_pem: bytes = certificate.public_bytes(Encoding.PEM)

    def issue(self, peer_id: str) -> tuple[bytes, bytes]:
        """A new certificate and its private key for ``peer_id``, both as PEM.

        Raises ValueError for an id that does not fit a certificate (1 to 64 characters).
        """
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            self._builder(self._subject(peer_id), key.public_key())
            .add_extension(_NO_AUTHORITY, critical=True)
            .add_extension(_A_PEERS_USE, critical=True)
            .add_extension(_BOTH_SIDES, critical=False)
            .add_extension(self._authority, critical=False)
        )
        certificate = builder.sign(self._key, hashes.SHA256())
        key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return certificate.public_bytes(Encoding.PEM), key_pem

    def _subject(self, common_name: str) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, self._run_id),
                x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            ]
        )

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        return x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=subject,
            public_key=key,
            serial_number=x509.random_serial_number(),
            not_valid_before=NOT_BEFORE,
            not_valid_after=NOT_AFTER,
        )


_BOTH_SIDES = x509.ExtendedKeyUsage(
    [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


# The same in every peer's certificate.
_NO_AUTHORITY = x509.BasicConstraints(ca=False, path_length=None)
_A_PEERS_USE = _usage(signs_certificates=False)
