"""What a result means: registered, changed or not, failed or not, ignored or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleetpush.deploy.play.performer import Outcome, Status


@dataclass(frozen=True, slots=True)
class Verdict:
    """One task on one host, with what the task's conditions make of it. ``result`` is what is registered."""

    status: Status
    slug: str = ""
    message: str = ""
    changed: bool = False
    ignored: bool = False
    result: Mapping[str, object] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        return self.status == "failed"

    @property
    def lost(self) -> bool:
        """The host takes no further part."""
        return self.status in ("failed", "unreachable") and not self.ignored


def verdict_of(outcome: Outcome) -> Verdict:
    """What an outcome means before any condition is asked."""
    given = dict(outcome.result)
    changed = outcome.status == "changed" or bool(given.get("changed", False))
    result = {**given, "changed": changed, "failed": outcome.status == "failed"}
    if outcome.status in ("failed", "unreachable"):
        result.setdefault("msg", outcome.message)
    if outcome.status in ("skipped", "unreachable"):
        result[outcome.status] = True
    for stream in ("stdout", "stderr"):
        if isinstance(given.get(stream), str):
            result.setdefault(f"{stream}_lines", str(given[stream]).splitlines())
    return Verdict(outcome.status, outcome.slug, outcome.message, changed=changed, result=result)


def failure(slug: str, message: str) -> Verdict:
    """A host that fails before anything is done there."""
    return Verdict(
        "failed", slug, message, result={"changed": False, "failed": True, "msg": message}
    )


def skipped(reason: str, **more: object) -> Verdict:
    """A host on which there is nothing to do."""
    result = {"changed": False, "failed": False, "skipped": True, "skip_reason": reason, **more}
    return Verdict("skipped", result=result)
