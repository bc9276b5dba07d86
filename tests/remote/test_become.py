"""Becoming another user by the real sudo, doas and su, behind a real sshd."""

from __future__ import annotations

import shutil
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fleetpush.errors import HostError
from fleetpush.remote import become
from fleetpush.remote.connection import Become, Target
from fleetpush.remote.settings import SshSettings
from tests.fleet.sudo import PASSWORD, needs_sudo, sudo_rules
from tests.remote.talk import Heard, settings, target, with_connectors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fleetpush.remote.connectors import Connectors
    from tests.fleet.sshd import SshdFleet

pytestmark = pytest.mark.sshd

WHO = "id -un; exec cat"
DOAS = Path("/etc/doas.conf")

needs_doas = pytest.mark.skipif(not shutil.which("doas"), reason="no doas on this machine")


@pytest.fixture
def sudoers(fleet: SshdFleet) -> Iterator[Callable[..., None]]:
    with sudo_rules(fleet.user) as write:
        yield write


@pytest.fixture
def doas_conf(fleet: SshdFleet) -> Iterator[Callable[[str], None]]:
    before = DOAS.read_bytes() if DOAS.exists() else None

    def write(text: str) -> None:
        DOAS.write_text(text.replace("USER", fleet.user))
        DOAS.chmod(0o400)

    yield write
    DOAS.unlink(missing_ok=True)
    if before is not None:
        DOAS.write_bytes(before)


def speak(
    fleet: SshdFleet, wanted: Become, line: str = WHO, stdin: bytes = b"\x00\xffhead\n"
) -> Heard:
    """Runs ``line`` as the other user, with ``stdin`` written at once."""
    heard = Heard()

    async def work(connectors: Connectors) -> None:
        conn = await connectors.connect(target(fleet))
        try:
            process = await become.start(conn, line, heard, wanted)
            process.write(stdin)
            process.write_eof()
            await heard.end()
        finally:
            await conn.close()

    with_connectors(settings(fleet), work)
    return heard


def refusal(fleet: SshdFleet, wanted: Become) -> tuple[str, str]:
    """The slug and the words of the failure, whenever it comes."""
    try:
        heard = speak(fleet, wanted)
    except HostError as error:
        return error.failure.slug, error.failure.message
    assert heard.ends[0][0] != 0
    failure = become.failure_of(heard.err.decode())
    assert failure is not None, heard.err
    return failure.slug, failure.message


@needs_sudo
@pytest.mark.parametrize("defaults", ["!use_pty", "use_pty", "log_input, log_output"])
@pytest.mark.parametrize("password", [None, PASSWORD])
def test_sudo_without_a_password_hands_stdin_over_whole(
    fleet: SshdFleet, sudoers: Callable[..., None], defaults: str, password: str | None
) -> None:
    sudoers(f"Defaults {defaults}, iolog_dir={fleet.root}/io", "USER ALL=(ALL) NOPASSWD: ALL")
    heard = speak(fleet, Become(password=password))
    assert bytes(heard.out) == b"root\n\x00\xffhead\n"
    assert heard.ends == [(0, "exit status 0")]


@needs_sudo
@pytest.mark.parametrize("defaults", ["!use_pty", "use_pty", "log_input, log_output"])
def test_sudo_takes_the_password_and_leaves_the_rest(
    fleet: SshdFleet, sudoers: Callable[..., None], defaults: str
) -> None:
    sudoers(f"Defaults {defaults}, iolog_dir={fleet.root}/io", "USER ALL=(ALL) ALL")
    payload = bytes(range(256)) * 4096
    # A digest, not an echo: sudo 1.9.13 that logs may lose the last of much output when its command ends.
    heard = speak(fleet, Become(password=PASSWORD), "id -un; sha256sum", payload)
    assert heard.out.decode().split() == ["root", sha256(payload).hexdigest(), "-"]
    assert PASSWORD.encode() not in heard.out + heard.err


@needs_sudo
def test_cached_credentials_do_not_make_the_password_input(
    fleet: SshdFleet, sudoers: Callable[..., None]
) -> None:
    sudoers("Defaults:USER timestamp_type=global", "USER ALL=(ALL) ALL")
    for password in (PASSWORD, "not the password, and not asked for"):
        heard = speak(fleet, Become(password=password))
        assert bytes(heard.out) == b"root\n\x00\xffhead\n"


@needs_sudo
def test_the_host_s_own_address_survives(fleet: SshdFleet, sudoers: Callable[..., None]) -> None:
    sudoers("USER ALL=(ALL) NOPASSWD: ALL")
    heard = speak(fleet, Become(), 'echo "$SSH_CONNECTION" "$HOME" "$LC_ALL"')
    words = heard.out.decode().split()
    assert words[2] == fleet.addresses[0]
    assert words[4:] == ["/root"]


@needs_sudo
def test_sudo_to_somebody_who_is_not_root(fleet: SshdFleet, sudoers: Callable[..., None]) -> None:
    sudoers("USER ALL=(nobody) NOPASSWD: ALL")
    assert speak(fleet, Become(user="nobody")).out.startswith(b"nobody\n")
    slug, text = refusal(fleet, Become())
    assert slug in ("become_password", "become_refused"), text


@needs_sudo
@pytest.mark.parametrize(
    ("rule", "wanted", "slug", "says"),
    [
        ("USER ALL=(ALL) ALL", Become(), "become_password", "give -K"),
        ("USER ALL=(ALL) ALL", Become(password="wrong"), "become_password", "is wrong"),
        ("root ALL=(ALL) ALL", Become(password=PASSWORD), "become_refused", "sudoers"),
        (
            "USER ALL=(ALL) NOPASSWD: ALL",
            Become(user="nosuchuser"),
            "become_refused",
            "mend --become-user",
        ),
        (
            "USER ALL=(ALL) NOPASSWD: ALL",
            Become(exe="/nonexistent/sudo"),
            "become_missing",
            "ansible_become_exe",
        ),
        (
            "USER ALL=(ALL) NOPASSWD: ALL",
            Become(exe="/nonexistent/sudo", password=PASSWORD),
            "become_missing",
            "ansible_become_exe",
        ),
    ],
)
def test_whoever_is_refused_is_told_why(
    fleet: SshdFleet,
    sudoers: Callable[..., None],
    rule: str,
    wanted: Become,
    slug: str,
    says: str,
) -> None:
    sudoers(rule)
    found, text = refusal(fleet, wanted)
    assert found == slug, text
    assert says in text
    assert PASSWORD not in text


@needs_doas
def test_doas_works_without_a_password_or_says_so(
    fleet: SshdFleet, doas_conf: Callable[[str], None]
) -> None:
    doas_conf("permit nopass USER\n")
    heard = speak(fleet, Become(method="doas"), 'id -un; echo "$SSH_CONNECTION"')
    assert heard.out.startswith(b"root\n")
    assert fleet.addresses[0].encode() in heard.out
    for rule in ("permit USER\n", "deny USER\n"):
        doas_conf(rule)
        slug, text = refusal(fleet, Become(method="doas"))
        assert slug == "become_refused", text
        assert "nopass" in text


def test_su_that_wants_a_password_gets_none(fleet: SshdFleet) -> None:
    slug, text = refusal(fleet, Become(method="su"))
    assert slug == "become_refused", text
    assert "without" in text


def test_su_from_root_needs_none() -> None:
    heard = Heard()

    async def work(connectors: Connectors) -> None:
        conn = await connectors.connect(
            Target(name="here", address="localhost", connection="local")
        )
        wanted = Become(method="su", user="nobody", flags=("-s", "/bin/sh"))
        process = await become.start(conn, WHO, heard, wanted)
        process.write(b"\x00rest")
        process.write_eof()
        await heard.end()
        await conn.close()

    with_connectors(SshSettings(), work)
    assert bytes(heard.out) == b"nobody\n\x00rest"


def test_a_host_that_says_nothing_is_given_up(
    fleet: SshdFleet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(become, "_PATIENCE", 1.0)
    mute = fleet.home(0) / "mute"
    mute.write_text("#!/bin/sh\nexec sleep 30\n")
    mute.chmod(0o755)
    with pytest.raises(HostError, match="has said nothing for") as error:
        speak(fleet, Become(exe=str(mute), password=PASSWORD))
    assert error.value.failure.slug == "become_failed"


def test_the_password_is_in_no_representation() -> None:
    assert PASSWORD not in repr(Become(password=PASSWORD))
    assert PASSWORD not in become.command("true", Become(password=PASSWORD), "token")


def test_flags_that_are_ours_are_ours() -> None:
    line = become.command("true", Become(password="x", flags=("-n", "-i", "-H")), "token")
    assert "-i" in line.split()
    assert "-n" not in line.split()
