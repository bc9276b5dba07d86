"""A session's channel in the hands of the member that takes part in an exchange over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fleetpush.errors import HostFailure

if TYPE_CHECKING:
    from collections.abc import Callable

    from fleetpush.deploy.channel import AgentChannel
    from fleetpush.deploy.member import Member


class LentChannel:
    """What a member does with an ``AgentChannel``; ends with the exchange, not with the agent."""

    def __init__(
        self, channel: AgentChannel, member: Member, cut: Callable[[HostFailure], None]
    ) -> None:
        """``cut`` ends the agent."""
        self.member = member
        self._cut = cut
        self._channel = channel
        self._before = channel.bytes_in, channel.bytes_out
        self._counted: tuple[int, int] | None = None

    @property
    def running(self) -> bool:
        """The agent is in the exchange."""
        return self._counted is None and self._channel.running

    @property
    def bytes_in(self) -> int:
        return (self._counted or self._figures())[0]

    @property
    def bytes_out(self) -> int:
        return (self._counted or self._figures())[1]

    @property
    def stderr_tail(self) -> bytes:
        return self._channel.stderr_tail

    def _figures(self) -> tuple[int, int]:
        before_in, before_out = self._before
        return self._channel.bytes_in - before_in, self._channel.bytes_out - before_out

    def say(self, message: dict[str, Any]) -> None:
        """Queues ``message``; ignored once the exchange is over."""
        if self.running:
            self._channel.say(message)

    def kill(self) -> None:
        if self.running:
            self._cut(HostFailure("agent_lost", "its agent was cut off in an exchange"))

    def over(self, status: int | None, reason: str) -> None:
        """The agent has left the exchange, or is gone."""
        self._counted = self._figures()
        self.member.channel_ended(status, reason)
