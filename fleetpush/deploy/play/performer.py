"""What really does a task on hosts, as the strategy sees it.

The strategy decides who does what when, and what a result means; a performer connects, does, and tells.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, Self

from fleetpush.playbook.model import Become

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fleetpush.errors import HostFailure
    from fleetpush.inventory.model import Host
    from fleetpush.playbook.model import ActionName, Task

Status = Literal["ok", "changed", "failed", "unreachable", "skipped"]


@dataclass(frozen=True, slots=True)
class Call:
    """One task on one host, templates filled in.

    ``arguments`` are those that somebody gave, typed as ``playbook.actions`` says; nothing in them is a
    template any more. ``become`` is what the task and its play say, None in it where they say nothing; the
    inventory's ``ansible_become*`` win over it, as in Ansible, and the command line fills the rest.
    """

    action: ActionName
    arguments: Mapping[str, object]
    become: Become = field(default_factory=Become)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call.

    ``slug`` and ``message`` say in a line why it ``failed`` or was ``unreachable``. ``result`` is what
    ``register`` keeps and conditions ask of: ``rc``, ``stdout`` and ``stderr`` of a command, ``msg`` where
    there is something to say. What ran and failed says ``changed: True`` in it, too. The strategy adds
    ``changed``, ``failed``, ``skipped``, ``unreachable`` and ``stdout_lines``.
    """

    status: Status
    slug: str = ""
    message: str = ""
    result: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def of(cls, failure: HostFailure, **result: object) -> Self:
        """What a host's failure is to a play; ``result``: what is known all the same."""
        status: Status = "unreachable" if failure.unreachable else "failed"
        return cls(status, failure.slug, failure.message, {**result, "msg": failure.message})

    @property
    def lost(self) -> bool:
        return self.status in ("failed", "unreachable")


class Performer(Protocol):
    """One for a run of playbooks, called by one task at a time. A call may be cancelled: then it cleans up.

    Where one host fails, its outcome says so and the others go on. FleetpushError is for what concerns the
    run as a whole, such as a source that is not there: it ends the run with that exit code.
    """

    async def begin(self, hosts: Sequence[Host]) -> Mapping[str, Outcome]:
        """Connects to hosts that are needed now, each for the first time or after it was unreachable.

        Returns those that failed only: ``unreachable`` or ``failed``.
        """

    async def perform(
        self, task: Task, calls: Mapping[str, Call], check: bool
    ) -> Mapping[str, Outcome]:
        """Does what each host is called for and returns an outcome for every one of ``calls``.

        All are hosts that ``begin`` was asked for without complaint. Their arguments may differ, ``dest`` in
        any case. ``check``: nothing is changed; ``changed`` means that it would be. Commands come here under
        ``check`` only if ``creates`` or ``removes`` can tell, and are not run; ``wait_for`` never does.
        """

    async def release(self, hosts: Sequence[str]) -> None:
        """Those hosts are not needed any more: failed ones at once, others when no later play wants them.

        Hosts that are through with their batch stay until the play ends: what they hold, others may need.
        Of hosts that it found unreachable a performer is not told again.
        """

    async def close(self) -> None:
        """The run is over, however it ended: hosts are left clean. Called once, also after an error."""
