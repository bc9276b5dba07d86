"""ssh_config: what is honoured, in ssh's own order of precedence."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetpush.errors import InputError
from fleetpush.remote.connection import Target
from fleetpush.remote.route import route_of, route_of_hop
from fleetpush.remote.sshconfig import HostConfig, SshConfig


def config(tmp_path: Path, text: str, name: str = "config") -> SshConfig:
    file = tmp_path / name
    file.write_text(text)
    return SshConfig(file)


def test_silence_means_the_name_itself(tmp_path: Path) -> None:
    assert config(tmp_path, "# nothing\n").lookup("web") == HostConfig(hostname="web")
    assert SshConfig(Path("none")).lookup("web") == HostConfig(hostname="web")


def test_every_keyword_that_counts(tmp_path: Path) -> None:
    found = config(
        tmp_path,
        "Host web\n  HostName=10.0.0.9\n  Port = 2200\n  User ann\n  IdentityFile ~/k1\n"
        "  IdentityFile /k2\n  IdentitiesOnly yes\n  ProxyJump gate\n  HostKeyAlias webkey\n"
        '  UserKnownHostsFile ~/kh "/k h2"\n  ConnectTimeout 7\n',
    ).lookup("web")
    assert found == HostConfig(
        hostname="10.0.0.9",
        port=2200,
        user="ann",
        identity_files=(Path("~/k1").expanduser(), Path("/k2")),
        identities_only=True,
        proxy_jump="gate",
        host_key_alias="webkey",
        known_hosts=(Path("~/kh").expanduser(), Path("/k h2")),
        connect_timeout=7.0,
    )


def test_the_first_value_wins_and_none_is_no_jump(tmp_path: Path) -> None:
    found = config(
        tmp_path,
        "Host web\n  ProxyJump none\n  User first\nHost *\n  User last\n  ProxyJump gate\n",
    )
    assert found.lookup("web").proxy_jump is None
    assert found.lookup("web").user == "first"
    assert found.lookup("db").proxy_jump == "gate"


def test_includes_take_effect_where_they_stand(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "10-a").write_text("Host web\n  User included\n")
    (tmp_path / "d" / "20-b").write_text("Host web\n  User too-late\n  Port 22022\n")
    found = config(
        tmp_path, f"Port 1\nInclude {tmp_path}/d/*\nHostName early\nHost web\n  User own\n"
    )
    assert found.lookup("web") == HostConfig(hostname="early", user="included", port=1)
    # The lines after an Include belong to the block before it again.
    assert found.lookup("db") == HostConfig(hostname="early", port=1)


def test_an_include_inside_a_block_counts_only_for_its_hosts(tmp_path: Path) -> None:
    (tmp_path / "inner").write_text(
        "User all-gates\nHost gate2\n  Port 2\nMatch host gate3\n  Port 3\n"
    )
    found = config(tmp_path, f"Host gate*\n  Include {tmp_path}/inner\nHost *\n  Port 9\n")
    assert found.lookup("web") == HostConfig(hostname="web", port=9)
    assert found.lookup("gate1") == HostConfig(hostname="gate1", user="all-gates", port=9)
    assert found.lookup("gate2").port == 2
    assert found.lookup("gate3").port == 3


def test_an_include_of_itself_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="circles"):
        config(tmp_path, f"Include {tmp_path}/config\n")


def test_match_by_host_counts_and_match_exec_is_ignored_with_a_warning(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    found = config(
        tmp_path,
        f'Match host web,db*\n  User matched\nMatch exec "touch {marker}"\n  Port 7\n'
        "Match all\n  HostKeyAlias everyone\n",
    )
    assert found.lookup("db2") == HostConfig(
        hostname="db2", user="matched", host_key_alias="everyone"
    )
    assert found.lookup("x").user is None
    assert not marker.exists()
    assert len(found.warnings) == 1
    assert "exec" in found.warnings[0]


@pytest.mark.parametrize("text", ["Port eighty\n", "ConnectTimeout soon\n"])
def test_a_value_of_no_use_is_bad_input(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="ssh_config"):
        config(tmp_path, text).lookup("web")


def test_a_file_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing"):
        SshConfig(tmp_path / "missing")


def test_the_inventory_wins_over_ssh_config(tmp_path: Path) -> None:
    found = config(tmp_path, "Host web\n  Port 1\n  User cfg\n  ProxyJump cfg-gate\n  HostName h\n")
    told = Target(name="n", address="web", port=2, user="inv", jump="inv-gate")
    route = route_of(told, found)
    assert (route.host, route.port, route.user, route.jump) == ("h", 2, "inv", ("inv-gate",))
    silent = route_of(Target(name="n", address="web"), found)
    assert (silent.host, silent.port, silent.user, silent.jump) == ("h", 1, "cfg", ("cfg-gate",))


def test_a_jump_host_is_not_its_own_way(tmp_path: Path) -> None:
    found = config(tmp_path, "Host *\n  ProxyJump gate\n")
    assert route_of(Target(name="n", address="web"), found).jump == ("gate",)
    assert route_of_hop(("gate",), found, None).jump == ()
    assert route_of_hop(("other",), found, None).jump == ("gate",)
    assert route_of_hop(("first", "second"), found, None).jump == ("first",)


@pytest.mark.parametrize(
    ("hop", "parts"),
    [
        ("gate", (None, "gate", 22)),
        ("ann@gate:2222", ("ann", "gate", 2222)),
        ("ann@realm@gate", ("ann@realm", "gate", 22)),
        ("[fd00::1]:2222", (None, "fd00::1", 2222)),
        ("fd00::1", (None, "fd00::1", 22)),
    ],
)
def test_a_hop_is_user_host_and_port(
    hop: str, parts: tuple[str | None, str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleetpush.remote.route.local_user", lambda: "me")
    route = route_of_hop((hop,), SshConfig(Path("none")), None)
    user, host, port = parts
    assert (route.user, route.host, route.port) == (user or "me", host, port)


def test_the_tokens_of_a_proxy_command_mean_the_route(tmp_path: Path) -> None:
    found = config(tmp_path, "Host web\n  HostName 10.0.0.9\n  ProxyCommand nc -l %r %h %p 100%%\n")
    route = route_of(Target(name="n", address="web", port=2222, user="ann"), found)
    assert route.proxy_command == "nc -l ann 10.0.0.9 2222 100%"
