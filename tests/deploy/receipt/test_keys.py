"""The key to sign with: the operator's, or one that is made at its first use and is nobody else's to read."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from fleetpush.deploy.receipt.keys import NAME, SignKeyError, read_key, state_key
from fleetpush.deploy.receipt.sshsig import blob_of
from tests.deploy.receipt.keygen import make_key

if TYPE_CHECKING:
    from pathlib import Path


def test_the_state_directorys_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    place = tmp_path / "new" / "state"
    before = os.umask(0)
    try:
        with ThreadPoolExecutor(8) as pool:
            keys = list(pool.map(state_key, [place] * 8))
    finally:
        os.umask(before)
    assert len({blob_of(key.public_key()) for key in keys}) == 1
    modes = {path.name: path.stat().st_mode & 0o777 for path in (place, *place.iterdir())}
    assert modes == {"state": 0o700, NAME: 0o600, f"{NAME}.pub": 0o600}
    told = subprocess.run(["ssh-keygen", "-yf", place / NAME], capture_output=True, check=True)
    public = (place / f"{NAME}.pub").read_text()
    assert public.split()[:2] == told.stdout.decode().split()[:2], "OpenSSH reads it, too"


def test_a_key_that_others_may_read_is_closed_to_them(tmp_path: Path) -> None:
    state_key(tmp_path)
    (tmp_path / NAME).chmod(0o644)
    state_key(tmp_path)
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("form", ["RFC4716", "PEM"])
def test_an_encrypted_key_is_refused_and_the_message_knows_a_way(tmp_path: Path, form: str) -> None:
    key = make_key(tmp_path / "key", "-t", "ecdsa", "-m", form, passphrase="correct horse")
    with pytest.raises(SignKeyError, match=r"is encrypted.*ssh-keygen -Y sign") as failure:
        read_key(key)
    assert failure.value.exit_code == 5


def test_what_is_no_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no key")
    short = make_key(tmp_path / "short", "-t", "rsa", "-b", "1024")
    for path, why in (
        (tmp_path / "text", "no private key"),
        (tmp_path / "nowhere", "cannot read the key"),
        (tmp_path, "Is a directory"),
        (short, "1024 bits is too short"),
    ):
        with pytest.raises(SignKeyError, match=why):
            read_key(path)


def test_a_pem_key_will_do(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key", "-t", "rsa", "-b", "2048", "-m", "PEM")
    assert key.read_text().startswith("-----BEGIN RSA PRIVATE KEY")
    read_key(key)
