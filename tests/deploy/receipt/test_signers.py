"""allowed_signers files mean what they mean to ssh-keygen."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from fleetpush.deploy.receipt import NAMESPACE
from fleetpush.deploy.receipt.signers import AllowedSigners
from fleetpush.deploy.receipt.sshsig import Signature
from fleetpush.errors import InputError
from tests.deploy.receipt.keygen import accepts, line_of, make_key, signed

if TYPE_CHECKING:
    from pathlib import Path

TEXT = b"text"
ME = "me@example.com"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_key(tmp_path_factory.mktemp("key") / "key")


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("me@example.com KEY", True),
        ("me@example.com KEY a comment", True),
        ("# a comment\n\nyou@example.com,me@example.com KEY", True),
        ("*@example.com KEY", True),
        ("m?@example.com KEY", True),
        ("*@example.com,!me@example.com KEY", False),
        ("you@example.com KEY", False),
        ("[m]e@example.com KEY", False),
        (f'me@example.com namespaces="file,{NAMESPACE}" KEY', True),
        ('me@example.com namespaces="fleetpush-*" KEY', True),
        ('me@example.com namespaces="git" KEY', False),
        (f'me@example.com NAMESPACES="{NAMESPACE}" KEY', True),
        ('me@example.com valid-after="20200101" KEY', True),
        ('me@example.com valid-after="29990101Z" KEY', False),
        ('me@example.com valid-before="20200101120000" KEY', False),
        ('me@example.com valid-before="299901011200Z" KEY', True),
        ('me@example.com valid-after="20200101",valid-before="29990101" KEY', True),
        (f'me@example.com valid-before="29990101",namespaces="{NAMESPACE}" KEY', True),
        ("me@example.com cert-authority KEY", False),
        ("me@example.com OTHER", False),
        ("me@example.com OTHER\nme@example.com KEY", True),
    ],
)
def test_as_ssh_keygen_reads_them(key: Path, tmp_path: Path, line: str, allowed: bool) -> None:
    other = make_key(tmp_path / "other")
    text = line.replace("KEY", line_of(key)).replace("OTHER", line_of(other)) + "\n"
    signature = signed(key, TEXT)
    assert accepts(text, signature, TEXT, tmp_path) is allowed, "not what ssh-keygen says"
    signers = AllowedSigners.read(tmp_path / "allowed")
    blob = Signature.read(signature).blob
    assert (signers.who(blob, NAMESPACE, ME) == ME) is allowed


def test_without_an_identity_the_line_says_who(key: Path, tmp_path: Path) -> None:
    (tmp_path / "allowed").write_text(f"*@example.com,root {line_of(key)}\n")
    signers = AllowedSigners.read(tmp_path / "allowed")
    blob = Signature.read(signed(key, TEXT)).blob
    assert signers.who(blob, NAMESPACE, None) == "*@example.com,root"
    assert signers.who(b"another key", NAMESPACE, None) is None


@pytest.mark.parametrize(
    "line",
    ["me", "me ssh-ed25519", "me ssh-ed25519 !!!", 'me valid-after="soon" KEY', "me sometimes KEY"],
)
def test_a_line_that_cannot_be_is_named(key: Path, tmp_path: Path, line: str) -> None:
    path = tmp_path / "allowed"
    path.write_text("# fine\n" + line.replace("KEY", line_of(key)))
    with pytest.raises(InputError, match=f"{path}, line 2: "):
        AllowedSigners.read(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read --allowed-signers"):
        AllowedSigners.read(tmp_path / "nowhere")


def test_ssh_keygen_is_there() -> None:
    """Else the tests above would say nothing."""
    assert subprocess.run(["ssh-keygen", "-Y"], capture_output=True, check=False).returncode != 127
