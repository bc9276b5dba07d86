"""How a run of playbooks ended: per host and as a whole, and the JSON document (``schema: 1``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from fleetpush.deploy.results import SCHEMA, HostResult, HostStatus, RunReport, Timing, Traffic

Reason = Literal[
    "max_fail_percentage",
    "any_errors_fatal",
    "run_once",
    "batch_failed",
    "interrupted",
    "deadline",
    "error",
]
HostEnd = Literal["done", "failed", "unreachable", "stopped", "untouched"]

COUNTS = ("ok", "changed", "unreachable", "failed", "skipped", "rescued", "ignored")
"""What Ansible's recap counts, in its order."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a play ended before its end."""

    reason: Reason
    message: str

    @property
    def by_threshold(self) -> bool:
        """Somebody has said how many failures are too many, and there were more."""
        return self.reason in ("max_fail_percentage", "any_errors_fatal")


@dataclass(frozen=True, slots=True)
class HostRecap:
    """One host. ``task`` is where it was lost, ``slug`` and ``message`` say why.

    ``end``: ``stopped`` is in the midst of a play that a rule or a signal ended, ``untouched`` before.
    """

    host: str
    end: HostEnd
    counts: tuple[int, ...]
    """In the order of ``COUNTS``."""
    task: str = ""
    slug: str = ""
    message: str = ""

    def count(self, name: str) -> int:
        return self.counts[COUNTS.index(name)]

    def as_result(self) -> HostResult:
        """The same, as of a deploy."""
        statuses = {"done": HostStatus.VERIFIED, "unreachable": HostStatus.UNREACHABLE}
        status = statuses.get(self.end, HostStatus.FAILED)
        stopped = self.end == "stopped"
        return HostResult(
            host=self.host,
            status=status,
            slug=self.slug or ("stopped" if stopped else ""),
            message=self.message or ("the play was stopped before it was done" if stopped else ""),
        )

    def as_json(self) -> dict[str, Any]:
        reason = {"slug": self.slug, "message": self.message, "task": self.task}
        return {
            "host": self.host,
            "status": self.end,
            **dict(zip(COUNTS, self.counts, strict=True)),
            "reason": reason if self.slug else None,
        }


@dataclass(frozen=True, slots=True)
class PlayRecap:
    """One play: its hosts in batches, of which so many are done."""

    name: str
    playbook: str
    batches: tuple[tuple[str, ...], ...]
    batches_done: int
    stop: Stop | None = None

    def as_json(self) -> dict[str, Any]:
        stop = {"reason": self.stop.reason, "message": self.stop.message} if self.stop else None
        return {
            "name": self.name,
            "playbook": self.playbook,
            "batches": [list(batch) for batch in self.batches],
            "batches_done": self.batches_done,
            "stopped": stop,
        }


@dataclass(frozen=True, slots=True)
class PlayReport:
    """Everything the recap, the JSON document and the exit code are made of. Times in seconds."""

    run_id: str
    exit_code: int
    check: bool
    playbooks: tuple[str, ...]
    plays: tuple[PlayRecap, ...]
    results: tuple[HostRecap, ...]
    total_s: float
    error: str = ""
    """Why the run as a whole failed, if it did."""
    command: str = field(default="play", init=False)

    @property
    def status(self) -> str:
        return "ok" if self.exit_code == 0 else "failed"

    @property
    def stop(self) -> Stop | None:
        """The rule or the signal that ended it, if one did."""
        return next((play.stop for play in self.plays if play.stop), None)

    def named(self, *ends: HostEnd) -> list[str]:
        """The hosts that ended so."""
        return [result.host for result in self.results if result.end in ends]

    def as_run(self) -> RunReport:
        """What it is for programs that know hosts and failures only; untouched hosts are not in it."""
        return RunReport(
            run_id=self.run_id,
            command=self.command,
            exit_code=self.exit_code,
            topology="",
            discovery="",
            encrypt=True,
            manifest_digest="",
            manifest_name=", ".join(self.playbooks),
            size=0,
            chunk_size=0,
            chunks=0,
            files=(),
            results=tuple(r.as_result() for r in self.results if r.end != "untouched"),
            timing=Timing(total_s=self.total_s),
            traffic=Traffic(),
            error=self.error or (self.stop.message if self.stop else ""),
        )

    def as_json(self) -> dict[str, Any]:
        """The document that ``-o json`` prints: a stable interface."""
        ends: tuple[HostEnd, ...] = ("done", "failed", "unreachable", "stopped", "untouched")
        return {
            "schema": SCHEMA,
            "run_id": self.run_id,
            "command": self.command,
            "exit_code": self.exit_code,
            "status": self.status,
            "error": self.error or None,
            "check": self.check,
            "playbooks": list(self.playbooks),
            "plays": [play.as_json() for play in self.plays],
            "hosts": {
                "total": len(self.results),
                **{end: len(self.named(end)) for end in ends},
                "changed": sum(1 for result in self.results if result.count("changed")),
            },
            "timing": {"total_s": self.total_s},
            "results": [result.as_json() for result in self.results],
        }
