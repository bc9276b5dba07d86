"""A run's receipt: written, kept, printed again, and checked against who may have signed it."""

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fleetpush.cli.main import app
from fleetpush.deploy.receipt import NAMESPACE
from tests.deploy.receipt.keygen import line_of, make_key, signed
from tests.report.feed import ESCAPES


@pytest.fixture(autouse=True)
def desk(tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    (here / "dc1.yaml").write_text("all: {hosts: {'node[1-12]': }}\n")
    monkeypatch.chdir(here)
    return here


def invoke(*words, **more):
    result = CliRunner().invoke(app, words, **more)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def deploy(*words, **more):
    return invoke("deploy", "model.pt", "-i", "dc1.yaml", *words, **more)


def verify(*words):
    return invoke("runs", "verify", "r.json", *words)


def public_key(tmp_path):
    return " ".join((tmp_path / "state/fleetpush/receipt_key.pub").read_text().split()[:2])


def test_a_receipt_says_of_each_host_what_it_has_and_how_it_proved_it(script):
    result = deploy("--receipt", "r.json", "-o", "json")
    document, receipt = json.loads(result.stdout), json.loads(Path("r.json").read_text())
    assert receipt["schema"] == 1
    assert (receipt["kind"], receipt["command"]) == ("fleetpush receipt", "deploy")
    assert receipt["run_id"] == document["run_id"]
    assert receipt["manifest"]["digest"] == document["manifest"]["digest"]
    assert (receipt["sources"], receipt["inventories"]) == (["model.pt"], ["dc1.yaml"])
    assert receipt["began"] < receipt["ended"]
    assert receipt["operator"].keys() == {"user", "machine"}
    assert "No host has signed anything" in receipt["testimony"]
    for said, result in zip(receipt["hosts"], document["results"], strict=True):
        same = ("host", "status", "digest", "verified_by", "activated", "dest", "bytes_received")
        assert [said[key] for key in same] == [result[key] for key in same]
        assert (said["verified_at"] is None) == (result["verified_at_s"] is None)
        good = said["status"] in ("verified", "already_present")
        assert said["bytes"] == (document["manifest"]["size"] if good else 0)


def test_the_history_keeps_the_very_same_one(script):
    deploy("--receipt", "r.json")
    assert invoke("runs", "receipt", "last").stdout == Path("r.json").read_text()
    invoke("runs", "receipt", "last", "--receipt", "again.json")
    for ending in ("", ".sig"):
        assert Path(f"again.json{ending}").read_bytes() == Path(f"r.json{ending}").read_bytes()


def test_ssh_keygen_verifies_it(script, tmp_path):
    deploy("--receipt", "r.json")
    Path("allowed").write_text(f"ops@example.com {public_key(tmp_path)}\n")
    words = ["ssh-keygen", "-Y", "verify", "-f", "allowed", "-I", "ops@example.com"]
    words += ["-n", NAMESPACE, "-s", "r.json.sig"]
    with Path("r.json").open() as text:
        subprocess.run(words, stdin=text, check=True, capture_output=True)
    result = verify("--allowed-signers", "allowed")
    assert result.exit_code == 0
    assert result.stdout.startswith("intact, signed by ops@example.com: ssh-ed25519 SHA256:")
    assert "11 of 12 hosts verified" in result.stdout
    assert "no host has signed anything" in result.stdout


def test_who_signed_it_is_unknown_where_nobody_says_who_may(script):
    deploy("--receipt", "r.json")
    result = verify()
    assert result.exit_code == 0
    assert result.stdout.startswith("intact, signer unknown: ssh-ed25519 SHA256:")
    document = json.loads(verify("-o", "json").stdout)
    assert (document["verdict"], document["signer"]) == ("signer_unknown", None)
    assert document["hosts"] == {"total": 12, "verified": 11}


@pytest.mark.parametrize("ending", ["", ".sig"])
def test_a_change_is_seen(script, ending):
    deploy("--receipt", "r.json")
    if ending:
        first = Path("r.json.sig").read_bytes()
        deploy("--receipt", "r.json")
        Path("r.json.sig").write_bytes(first)
    else:
        text = Path("r.json").read_text()
        Path("r.json").write_text(text.replace('"status": "failed"', '"status": "verified"'))
        assert Path("r.json").read_text() != text
    result = verify()
    assert result.exit_code == 3
    assert result.stdout.startswith("NOT INTACT: r.json or its signature was changed")
    assert json.loads(verify("-o", "json").stdout)["verdict"] == "tampered"


def test_a_signer_who_may_not_is_refused(script, tmp_path):
    deploy("--receipt", "r.json")
    other = make_key(tmp_path / "other")
    Path("allowed").write_text(f"you {line_of(other)}\nme {public_key(tmp_path)}\n")
    assert verify("--allowed-signers", "allowed", "--identity", "me").exit_code == 0
    result = verify("--allowed-signers", "allowed", "--identity", "you")
    assert result.exit_code == 3
    assert "is not a key of 'you' in allowed" in result.stdout
    Path("allowed").write_text(f"you {line_of(other)}\n")
    assert verify("--allowed-signers", "allowed").exit_code == 3


def test_the_operators_own_key_signs_it(script, tmp_path):
    key = make_key(tmp_path / "key", "-t", "rsa", "-b", "2048")
    deploy("--receipt", "r.json", "--sign-key", str(key))
    Path("allowed").write_text(f"me {line_of(key)}\n")
    assert verify("--allowed-signers", "allowed", "--identity", "me").exit_code == 0
    assert not (tmp_path / "state/fleetpush/receipt_key").exists()


def test_one_that_ssh_keygen_has_signed_is_as_good(script, tmp_path):
    """So an agent, a hardware token or an encrypted key can sign."""
    deploy("--receipt", "r.json")
    key = make_key(tmp_path / "key", "-t", "ecdsa")
    Path("r.json.sig").write_text(signed(key, Path("r.json").read_bytes()))
    Path("allowed").write_text(f"me {line_of(key)}\n")
    assert verify("--allowed-signers", "allowed").exit_code == 0


def test_a_key_that_is_none_is_found_before_any_host_is_touched(script, tmp_path):
    encrypted = make_key(tmp_path / "key", passphrase="correct horse")
    for key in (str(encrypted), "nowhere"):
        result = deploy("--sign-key", key)
        assert result.exit_code == 5
        assert "key" in result.stderr
    assert invoke("runs", "list").stdout.startswith("no run is recorded")


def test_a_place_where_no_receipt_can_be_is_found_before_any_host_is_touched(script):
    result = deploy("--receipt", "nowhere/r.json")
    assert result.exit_code == 5
    assert script.options is None


@pytest.mark.parametrize(
    ("text", "signature", "why"),
    [
        (None, None, "cannot read r.json"),
        ("{}", None, "cannot read r.json.sig"),
        ("{}", "no signature", "it is no SSH signature"),
        ("{}", "ours", "no receipt that this version"),
        ("[1]", "ours", "no receipt that this version"),
        ('{"kind": "fleetpush receipt", "schema": 2}', "ours", "no receipt that this version"),
    ],
)
def test_what_is_no_receipt(tmp_path, text, signature, why):
    if text is not None:
        Path("r.json").write_text(text)
    if signature == "ours":
        signature = signed(make_key(tmp_path / "key"), text.encode())
    if signature is not None:
        Path("r.json.sig").write_text(signature)
    result = verify()
    assert result.exit_code == 5
    assert why in result.stderr


def test_an_identity_needs_a_file_that_names_it(script):
    deploy("--receipt", "r.json")
    assert verify("--identity", "me").exit_code == 5


def test_a_run_without_one_says_so(script):
    script.fails = RuntimeError("broken")
    deploy()
    result = invoke("runs", "receipt", "last")
    assert result.exit_code == 5
    assert "has no receipt" in result.stderr


def test_a_hostile_receipt_drives_no_terminal(tmp_path):
    hosts = [{"digest": "d", "bytes": 1, "status": "verified", "verified_by": ESCAPES}]
    manifest = {"name": ESCAPES, "digest": ESCAPES}
    receipt = {
        "schema": 1,
        "kind": "fleetpush receipt",
        "run_id": ESCAPES,
        "operator": {"user": ESCAPES, "machine": ESCAPES},
        "ended": ESCAPES,
        "manifest": manifest,
        "hosts": hosts,
    }
    text = json.dumps(receipt)
    Path("r.json").write_text(text)
    Path("r.json.sig").write_text(signed(make_key(tmp_path / "key"), text.encode()))
    result = verify()
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert "\\x1b" in result.stdout


def test_a_run_that_cannot_be_signed_for_goes_on_without(script, tmp_path):
    """The state directory's key cannot be read: the run is well, and one warning says what it lacks."""
    place = tmp_path / "state/fleetpush"
    place.mkdir(parents=True)
    (place / "receipt_key").write_text("no key")
    script.become_clean()
    result = deploy()
    assert result.exit_code == 0
    assert result.stderr.count("this run has no receipt") == 1
    assert invoke("runs", "list", "-o", "json").stdout.count('"status": "ok"') == 2


def test_a_receipt_that_was_asked_for_is_no_matter_of_a_warning(script, tmp_path):
    place = tmp_path / "state/fleetpush"
    place.mkdir(parents=True)
    (place / "receipt_key").write_text("no key")
    assert deploy("--receipt", "r.json").exit_code == 5
    assert invoke("runs", "list").stdout.startswith("no run is recorded")


def test_whoever_tries_again_signs_with_a_key_of_their_own(script, tmp_path):
    key = make_key(tmp_path / "key")
    deploy("--sign-key", str(key))
    invoke("runs", "retry", "last", "--receipt", "r.json")
    Path("allowed").write_text(f"me {public_key(tmp_path)}\n")
    assert verify("--allowed-signers", "allowed").exit_code == 0
