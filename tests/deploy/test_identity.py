"""Peers of one run accept each other by TLS 1.3 and nobody else, whatever their clocks say."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from fleetpush.deploy.identity import RunIdentity

if TYPE_CHECKING:
    from pathlib import Path


def context(
    folder: Path, trusts: RunIdentity, server: bool, shows: tuple[bytes, bytes] | None
) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.verify_mode = ssl.CERT_REQUIRED
    made.verify_flags |= ssl.VERIFY_X509_STRICT
    made.load_verify_locations(cadata=trusts.ca_pem.decode())
    if shows is not None:
        pem = folder / f"{server}.pem"
        pem.write_bytes(b"".join(shows))
        made.load_cert_chain(pem)
    return made


def shake_hands(
    server: ssl.SSLContext, client: ssl.SSLContext
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Both ends in memory, until each has read one byte of the other: a server's refusal counts too."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(down, up), server.wrap_bio(up, down, server_side=True)]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
                end.write(b"x")
            except ssl.SSLWantReadError:
                pass
    for end in ends:
        assert end.read(1) == b"x"
    return ends[1], ends[0]


def common_name(end: ssl.SSLObject) -> str:
    peer = end.getpeercert()
    assert peer is not None
    names = {key: value for part in peer["subject"] for key, value in part}
    assert names["organizationName"] == "run-7"
    return str(names["commonName"])


def test_two_peers_of_a_run_know_each_other_by_name(tmp_path: Path) -> None:
    run = RunIdentity("run-7")
    server = context(tmp_path, run, True, run.issue("web1"))
    client = context(tmp_path, run, False, run.issue("web2"))
    at_server, at_client = shake_hands(server, client)
    assert common_name(at_server) == "web2"
    assert common_name(at_client) == "web1"
    assert at_server.version() == "TLSv1.3"


def test_a_peer_of_another_run_is_refused_by_both_sides(tmp_path: Path) -> None:
    run, other = RunIdentity("run-7"), RunIdentity("run-7")
    stranger = other.issue("web2")
    with pytest.raises(ssl.SSLError, match=r"(?i)verify failed|unknown ca"):
        shake_hands(
            context(tmp_path, run, True, run.issue("web1")), context(tmp_path, run, False, stranger)
        )
    with pytest.raises(ssl.SSLError, match=r"(?i)verify failed"):
        shake_hands(
            context(tmp_path, run, True, stranger), context(tmp_path, run, False, run.issue("web1"))
        )


def test_a_client_without_a_certificate_is_refused(tmp_path: Path) -> None:
    run = RunIdentity("run-7")
    server = context(tmp_path, run, True, run.issue("web1"))
    with pytest.raises(
        ssl.SSLError, match=r"(?i)did not return a certificate|certificate.required"
    ):
        shake_hands(server, context(tmp_path, run, False, None))


def test_a_peer_cannot_issue_certificates_itself(tmp_path: Path) -> None:
    run = RunIdentity("run-7")
    peer = x509.load_pem_x509_certificate(run.issue("web1")[0])
    constraints = peer.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert not constraints.value.ca
    authority = x509.load_pem_x509_certificate(run.ca_pem)
    assert (
        authority.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    )


def test_a_clock_may_show_any_date() -> None:
    run = RunIdentity("run-7")
    for pem in (run.ca_pem, run.issue("web1")[0]):
        certificate = x509.load_pem_x509_certificate(pem)
        assert certificate.not_valid_before_utc.timestamp() == 0
        assert certificate.not_valid_after_utc.year == 9999
        key = certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert key.curve.name == "secp256r1"


def test_every_peer_has_a_key_of_its_own() -> None:
    run = RunIdentity("run-7")
    issued = [run.issue("web1"), run.issue("web1")]
    assert len({key for _, key in issued}) == 2
    assert len({x509.load_pem_x509_certificate(cert).serial_number for cert, _ in issued}) == 2


@pytest.mark.parametrize("peer_id", ["", "x" * 65])
def test_a_name_that_fits_no_certificate_is_said_so(peer_id: str) -> None:
    with pytest.raises(ValueError, match="64"):
        RunIdentity("run-7").issue(peer_id)
