"""What can go wrong, in words an operator can act on.

A whole-run failure raises one of these; a single host's failure is data (``HostFailure``) and never
stops the others. Each class fixes the exit code of the command (see the table in ``--help``).
"""

from __future__ import annotations

from fleetpush.record import Record


class FleetpushError(Exception):
    """A failure of the whole run. ``slug`` is stable and documented; the text says what to do."""

    exit_code = 1
    slug = "internal"

    def __init__(self, message: str, *, slug: str | None = None) -> None:
        super().__init__(message)
        if slug is not None:
            self.slug = slug


class UsageError(FleetpushError):
    """The command line does not make sense."""

    exit_code = 2
    slug = "usage"


class InputError(FleetpushError):
    """A bad inventory, playbook, source or configuration."""

    exit_code = 5
    slug = "bad_input"


class SourceChangedError(InputError):
    """The source file changed while it was being read or sent."""

    slug = "source_changed"


class ManifestError(FleetpushError):
    """Bytes that claim to be a manifest and are not, or that say something impossible."""

    slug = "bad_manifest"


class HostFailure(Record):
    """Why one host did not make it: data, never raised.

    ``unreachable`` covers refused keys, changed host keys and time-outs, as Ansible has it.
    """

    __slots__ = ("slug", "message", "unreachable")

    def __init__(self, slug: str, message: str, unreachable: bool = False) -> None:
        self.slug = slug
        self.message = message
        self.unreachable = unreachable


class HostError(FleetpushError):
    """Carries a ``HostFailure`` up one call stack to the place where it becomes that host's result."""

    exit_code = 3

    def __init__(self, slug: str, message: str, *, unreachable: bool = False) -> None:
        super().__init__(message, slug=slug)
        self.failure = HostFailure(slug, message, unreachable)


class RemoteProtocolError(FleetpushError):
    """The other end broke the protocol: that peer is dropped, nobody else suffers."""

    slug = "protocol"
