"""From inventory variables to a target, as Ansible reads them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fleetpush.errors import HostError, InputError
from fleetpush.remote.connection import Become, Target
from fleetpush.remote.connectors import Connectors, files_for, raise_fd_limit
from fleetpush.remote.settings import SshSettings
from fleetpush.remote.target import target_of


class FakeHost:
    """A host of the inventory with its variables resolved."""

    def __init__(self, **variables: object) -> None:
        self.name = "web1"
        self.variables = variables

    def resolved(self, name: str, default: object = None) -> object:
        return self.variables.get(name, default)


FLAGS = SshSettings(
    user="flag", password="flagged", private_key=Path("/flag/key"), jump="flag-jump"
)


def test_a_host_without_variables_is_reached_by_its_name_and_the_flags() -> None:
    assert target_of(FakeHost(), FLAGS) == Target(
        name="web1",
        address="web1",
        user="flag",
        password="flagged",
        private_key=Path("/flag/key"),
        jump="flag-jump",
    )


def test_variables_win_over_flags() -> None:
    host = FakeHost(
        ansible_host="10.0.0.1",
        ansible_port="2222",
        ansible_user="ann",
        ansible_password="pw",
        ansible_ssh_private_key_file="/inv/key",
        ansible_python_interpreter="/opt/python",
        ansible_connection="ssh",
        ansible_ssh_common_args="-J bastion",
    )
    assert target_of(host, FLAGS) == Target(
        name="web1",
        address="10.0.0.1",
        port=2222,
        user="ann",
        password="pw",
        private_key=Path("/inv/key"),
        python="/opt/python",
        jump="bastion",
    )


def test_interpreter_discovery_is_no_path() -> None:
    host = FakeHost(ansible_python_interpreter="auto_silent")
    assert target_of(host, FLAGS).python is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ansible_port", "abc"),
        ("ansible_port", 0),
        ("ansible_port", 70000),
        ("ansible_port", True),
        ("ansible_host", ["10.0.0.1"]),
        ("ansible_user", {"name": "x"}),
        ("ansible_connection", "docker"),
        ("ansible_ssh_common_args", "-J 'unbalanced"),
    ],
)
def test_a_value_of_no_use_names_host_and_variable(name: str, value: object) -> None:
    with pytest.raises(InputError, match=rf"web1: {name}"):
        target_of(FakeHost(**{name: value}), FLAGS)


def test_a_bad_password_is_not_repeated() -> None:
    with pytest.raises(InputError, match="web1: ansible_password") as error:
        target_of(FakeHost(ansible_password=["hunter2"]), FLAGS)
    assert "hunter2" not in str(error.value)


def test_neither_settings_nor_targets_show_a_password() -> None:
    target = target_of(FakeHost(ansible_password="hunter2"), FLAGS)
    assert "hunter2" not in repr(target)
    assert "flagged" not in repr(FLAGS)


def test_a_numeric_user_is_a_user() -> None:
    assert target_of(FakeHost(ansible_user=1000), FLAGS).user == "1000"


@pytest.mark.parametrize(
    ("arguments", "jump"),
    [
        ("-J ann@gate:2222", "ann@gate:2222"),
        ("-Jgate,gate2", "gate,gate2"),
        ("-o ProxyJump=gate", "gate"),
        ("-oProxyJump=gate", "gate"),
        ("-o 'proxyjump gate'", "gate"),
        ("""-o ProxyCommand="ssh -W %h:%p -q ann@gate" """, "ann@gate"),
        ("""-o ProxyCommand='ssh -p 2200 gate -W %h:%p'""", "gate:2200"),
    ],
)
def test_every_spelling_of_a_jump_host_is_read(arguments: str, jump: str) -> None:
    heard: list[str] = []
    host = FakeHost(ansible_ssh_common_args=arguments)
    assert target_of(host, SshSettings(), heard.append).jump == jump
    assert heard == []


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ("-o StrictHostKeyChecking=no", "--host-key-checking"),
        ("-o ServerAliveInterval=5", "serveraliveinterval 5"),
        ("-o ProxyCommand='nc -x proxy %h %p'", "ssh_config"),
        ("-C", "-C"),
    ],
)
def test_what_is_ignored_is_said(arguments: str, word: str) -> None:
    heard: list[str] = []
    host = FakeHost(ansible_ssh_common_args=f"-J gate {arguments}")
    assert target_of(host, SshSettings(), heard.append).jump == "gate"
    assert len(heard) == 1
    assert word in heard[0]
    assert "web1" not in heard[0]


@pytest.mark.parametrize(
    ("said", "plugin"),
    [
        ("ssh", "asyncssh"),
        ("smart", "asyncssh"),
        ("paramiko_ssh", "paramiko"),
        ("paramiko", "paramiko"),
        ("openssh", "openssh"),
        ("local", "local"),
    ],
)
def test_ansibles_names_of_connections_mean_our_plugins(said: str, plugin: str) -> None:
    assert target_of(FakeHost(), SshSettings(connection=said)).connection == plugin
    host = FakeHost(ansible_connection=said)
    assert target_of(host, SshSettings(connection="local")).connection == plugin


def test_the_files_that_a_run_needs_depend_on_how_hosts_are_reached() -> None:
    def needed(connection: str) -> int:
        return files_for([Target(name="h", address="h", connection=connection)] * 10)

    assert needed("openssh") > needed("asyncssh") == needed("paramiko")


def test_an_unknown_connection_flag_is_bad_input() -> None:
    with pytest.raises(InputError, match="local"):
        target_of(FakeHost(), SshSettings(connection="telnet"))


async def test_a_target_of_an_unknown_connection_names_the_known_ones() -> None:
    connectors = Connectors(SshSettings())
    with pytest.raises(HostError, match=r"asyncssh.*local"):
        await connectors.connect(Target(name="h", address="h", connection="telnet"))
    await connectors.close()


def test_the_limit_of_open_files_is_raised_or_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [256, 4096]
    monkeypatch.setattr("resource.getrlimit", lambda _which: tuple(limits))
    monkeypatch.setattr("resource.setrlimit", lambda _which, new: limits.__setitem__(0, new[0]))
    raise_fd_limit(3000)
    assert limits == [3000, 4096]
    raise_fd_limit(100)
    assert limits == [3000, 4096]
    with pytest.raises(InputError, match=r"5000 open files.*4096.*ulimit") as error:
        raise_fd_limit(5000)
    assert error.value.slug == "too_few_open_files"


def test_nobody_is_become_unless_somebody_says_so() -> None:
    assert target_of(FakeHost(ansible_become_user="ann"), FLAGS).become is None
    assert target_of(FakeHost(ansible_become="no"), replace(FLAGS, become=True)).become is None
    for word in ("True", "yes", "1", 1, True):
        assert target_of(FakeHost(ansible_become=word), FLAGS).become == Become()


def test_whom_to_become_and_how_is_the_host_s_before_the_flags() -> None:
    flags = replace(FLAGS, become=True, become_user="bob", become_password="flagged")
    assert target_of(FakeHost(), flags).become == Become(user="bob", password="flagged")
    host = FakeHost(
        ansible_become_user="ann",
        ansible_become_method="ansible.builtin.sudo",
        ansible_become_pass=1234,
        ansible_become_exe="/opt/sudo",
        ansible_become_flags="-E 'a b'",
    )
    assert target_of(host, flags).become == Become(
        user="ann", password="1234", exe="/opt/sudo", flags=("-E", "a b")
    )
    assert target_of(FakeHost(ansible_sudo_pass="old"), flags).become == Become(
        user="bob", password="old"
    )


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"ansible_become": "perhaps"}, "ansible_become must be true or false"),
        ({"ansible_become_method": "runas"}, "one of sudo, doas, su"),
        ({"ansible_become_method": "su", "ansible_become_pass": "x"}, "su works without one"),
        ({"ansible_become_pass": "two\nlines"}, "line break"),
        ({"ansible_become_pass": ["secret"]}, "must be a string, not list"),
        ({"ansible_become_flags": "'"}, "no shell line"),
    ],
)
def test_what_cannot_be_become_is_said_before(variables: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says) as error:
        target_of(FakeHost(**variables), replace(FLAGS, become=True, password=None))
    assert "secret" not in str(error.value)
