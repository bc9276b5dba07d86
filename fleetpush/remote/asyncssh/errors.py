"""asyncssh's errors, as the failures that an operator is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncssh

from fleetpush.remote import failures
from fleetpush.remote.failures import text_of

if TYPE_CHECKING:
    from fleetpush.errors import HostError
    from fleetpush.remote.route import Route


def of_ssh(route: Route, error: Exception, phase: str, tried: list[str]) -> HostError:
    """An error of the SSH layer itself. ``tried`` names keys, and says why others were not used."""
    text = text_of(error)
    if isinstance(error, asyncssh.ChannelOpenError):
        return failures.behind_jump(route, text, prohibited=is_prohibited(error))
    if phase == "login":
        return _of_login(route, error, tried)
    if isinstance(error, asyncssh.ConnectionLost):
        return failures.of_close(route, error)
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return failures.key_invalid(route, text)
    if isinstance(error, asyncssh.KeyExchangeFailed):
        return failures.no_common_algorithm(route, text)
    return failures.not_ssh(route, text)


def is_prohibited(error: Exception) -> bool:
    """Whether sshd may not open the channel, rather than could not."""
    return isinstance(error, asyncssh.ChannelOpenError) and (
        error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED
    )


def _of_login(route: Route, error: Exception, tried: list[str]) -> HostError:
    if isinstance(error, asyncssh.PermissionDenied):
        return failures.refused(route, tried, "")
    if "authentication" in str(error).lower():  # too many authentication failures
        return failures.refused(route, tried, text_of(error))
    return failures.lost_in_login(route, text_of(error))
