"""That hosts were about to switch together: what a run that ended in the middle of it is resumed from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from fleetpush.deploy.history.record import intact

if TYPE_CHECKING:
    from fleetpush.deploy.history.history import History

DECISION = "activation"
"""The key of the note."""

State = Literal["open", "settled", "undone"]


@dataclass(frozen=True, slots=True)
class Decision:
    """``state``: open until every host has switched, or every host is back. ``digest``: the manifest's."""

    state: State
    digest: str
    hosts: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def decision_of(history: History, run_id: str) -> Decision | None:
    """None where no host of the run was told to switch. Raises HistoryError."""
    found = history.notes(run_id).get(DECISION)
    if found is None:
        return None
    with intact(run_id):
        return Decision(found["state"], found["digest"], tuple(found["hosts"]))
