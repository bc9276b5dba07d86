"""known_hosts, read as ssh reads it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import asyncssh
import pytest

from fleetpush.errors import InputError
from fleetpush.remote.hostkeys import KnownHosts, fingerprint

if TYPE_CHECKING:
    from pathlib import Path

KEY = asyncssh.generate_private_key("ssh-ed25519").convert_to_public()
OTHER = asyncssh.generate_private_key("ecdsa-sha2-nistp256").convert_to_public()


def line(names: str, key: asyncssh.SSHKey = KEY, marker: str = "") -> str:
    words = key.export_public_key("openssh").decode().split()
    return f"{marker} {names} {words[0]} {words[1]} a comment\n".lstrip()


def known(tmp_path: Path, text: str) -> KnownHosts:
    file = tmp_path / "known_hosts"
    file.write_text(text)
    return KnownHosts((file,))


@pytest.mark.parametrize(
    ("names", "host", "port", "found"),
    [
        ("web", "web", 22, True),
        ("web", "WEB", 22, True),
        ("web,10.0.0.1", "10.0.0.1", 22, True),
        ("web", "web2", 22, False),
        ("[web]:2222", "web", 2222, True),
        ("[web]:2222", "web", 22, False),
        ("web", "web", 2222, True),
        ("*.example.com", "a.example.com", 22, True),
        ("*.example.com,!bad.example.com", "bad.example.com", 22, False),
        ("!bad.example.com,*.example.com", "bad.example.com", 22, False),
        ("[127.1.*]:2222", "127.1.3.4", 2222, True),
        ("web?", "web1", 22, True),
    ],
)
def test_names_patterns_and_ports(
    tmp_path: Path, names: str, host: str, port: int, found: bool
) -> None:
    assert bool(known(tmp_path, line(names)).lookup(host, port).hosts) is found


def test_hashed_names_are_found(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(line("web") + line("[web]:2222", OTHER))
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=True, capture_output=True)
    assert "web" not in file.read_text()
    hosts = KnownHosts((file,))
    assert hosts.lookup("web", 22).hosts == (KEY,)
    assert hosts.lookup("web", 2222).hosts == (OTHER,)
    assert hosts.lookup("db", 22).hosts == ()


def test_markers_are_told_apart(tmp_path: Path) -> None:
    text = line("web", KEY, "@cert-authority") + line("*", OTHER, "@revoked")
    found = known(tmp_path, text).lookup("web", 22)
    assert (found.hosts, found.authorities, found.revoked) == ((), (KEY,), (OTHER,))


def test_an_alias_replaces_name_and_port(tmp_path: Path) -> None:
    hosts = known(tmp_path, line("the-web"))
    assert hosts.lookup("web", 2222, "the-web").hosts == (KEY,)


def test_another_key_is_a_change_only_under_the_very_name(tmp_path: Path) -> None:
    hosts = known(tmp_path, line("web") + line("[db]:2222") + line("ca", KEY, "@cert-authority"))
    assert hosts.is_changed(hosts.lookup("web", 22))
    assert hosts.is_changed(hosts.lookup("db", 2222))
    assert not hosts.is_changed(hosts.lookup("web", 2222))
    assert not hosts.is_changed(hosts.lookup("new", 22))
    assert not hosts.is_changed(hosts.lookup("ca", 22))


def test_algorithms_of_known_keys_are_asked_for_first(tmp_path: Path) -> None:
    hosts = known(tmp_path, line("web", OTHER) + line("ca", KEY, "@cert-authority"))
    assert hosts.lookup("web", 22).algorithms()[0] == "ecdsa-sha2-nistp256"
    assert hosts.lookup("new", 22).algorithms()[0] == "ssh-ed25519"
    assert hosts.lookup("ca", 22).algorithms()[0] == "ssh-ed25519-cert-v01@openssh.com"


def test_lines_that_make_no_sense_do_not_hide_the_others(tmp_path: Path) -> None:
    text = "# a comment\n\nweb\nweb ssh-ed25519 AAAA\n|1|bad| ssh-ed25519 x\n@revoked\n" + line(
        "web"
    )
    assert known(tmp_path, text).lookup("web", 22).hosts == (KEY,)


def test_a_new_key_is_appended_on_a_line_of_its_own(tmp_path: Path) -> None:
    hosts = known(tmp_path, line("web").rstrip("\n"))
    new = hosts.lookup("db", 2222)
    hosts.add(new, OTHER)
    assert hosts.knows(new, OTHER)
    assert not hosts.knows(new, KEY)
    again = KnownHosts(hosts.paths)
    assert again.lookup("db", 2222).hosts == (OTHER,)
    assert again.lookup("web", 22).hosts == (KEY,)
    assert hosts.path.read_text().endswith("\n")


def test_several_files_count_and_the_first_is_written(tmp_path: Path) -> None:
    (tmp_path / "b").write_text(line("web"))
    hosts = KnownHosts((tmp_path / "a", tmp_path / "b"))
    assert hosts.lookup("web", 22).hosts == (KEY,)
    hosts.add(hosts.lookup("db", 22), KEY)
    assert (tmp_path / "a").read_text().startswith("db ")


def test_a_file_that_cannot_be_read_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    with pytest.raises(InputError, match="dir"):
        KnownHosts((tmp_path / "dir",))


def test_the_fingerprint_is_the_one_that_ssh_keygen_prints(tmp_path: Path) -> None:
    file = tmp_path / "key.pub"
    KEY.write_public_key(str(file))
    command = ["ssh-keygen", "-l", "-f", str(file)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert fingerprint(KEY) in printed.split()
