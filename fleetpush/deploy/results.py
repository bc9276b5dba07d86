"""How a run ended: per host and as a whole, the exit code, and the JSON document (``schema: 1``)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = 1


class HostStatus(StrEnum):
    """A host's last word."""

    VERIFIED = "verified"
    ALREADY_PRESENT = "already_present"
    FAILED = "failed"
    UNREACHABLE = "unreachable"

    @property
    def good(self) -> bool:
        return self in (HostStatus.VERIFIED, HostStatus.ALREADY_PRESENT)


@dataclass(frozen=True, slots=True)
class HostResult:
    """One host. Bytes are content and protocol on the peer links; ``digest`` is the manifest's, in hex."""

    host: str
    status: HostStatus
    dest: str = ""
    slug: str = ""
    message: str = ""
    chunks_reused: int = 0
    """Whole ones that it held when it joined."""
    bytes_reused: int = 0
    """Of the content, that it held before, blocks of other chunks included."""
    bytes_received: int = 0
    bytes_sent: int = 0
    connected_at_s: float | None = None
    verified_at_s: float | None = None
    activated: bool = False
    changed: bool = False
    """What whoever opens the destination finds is another than before."""
    digest: str | None = None
    verified_by: str = ""
    """How it proved the content: ``full``, ``chunks`` or ``known`` (README, "Proof"); "" if it did not."""
    kept: tuple[tuple[int, ...], ...] = ()
    """Device, inode, size, time of change and of the inode's, of each file; not in the document."""
    over_ssh: str = ""
    """Why its link to the origin ran through its SSH connection; "" if none did."""


@dataclass(frozen=True, slots=True)
class FileSum:
    """One deployed file; ``sha256`` in hex, None where the run ended before it was known."""

    path: str
    size: int
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds; None where the run never got there. ``bound_source`` says where the rate came from."""

    connect_s: float | None = None
    bootstrap_s: float | None = None
    makespan_s: float | None = None
    bound_s: float | None = None
    bound_source: str = ""
    total_s: float = 0.0
    activation_spread_s: float | None = None
    """From the first command to switch to the last acknowledgement, where hosts switch together."""

    @property
    def ratio(self) -> float | None:
        if not self.makespan_s or not self.bound_s:
            return None
        return self.makespan_s / self.bound_s


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes on the peer links (content and its framing) and on the control channels."""

    origin_bytes_sent: int = 0
    peer_bytes_sent: int = 0
    cross_rack_bytes: int = 0
    control_bytes: int = 0


@dataclass(frozen=True, slots=True)
class LostTime:
    """Where ``seconds`` of the time beyond the bound went, by what was measured; None for what says nothing.

    ``cause``: late_hosts, slow_hosts, proving, origin, origin_copies, processor, disk, quiet or last_hosts;
    ``held_by``: turn, connecting, agent, reading or admission of late hosts, else processor, whole_core,
    disk, over_ssh, paused or bwlimit, "" where no figure says (README, "Where the time went").
    """

    cause: str
    seconds: float
    hosts: tuple[str, ...] = ()
    racks: tuple[str, ...] = ()
    """Those that ``hosts`` are all of."""
    rate: float | None = None
    """Bytes a second."""
    usual_rate: float | None = None
    """Half of the hosts had that or more."""
    usual_s: float | None = None
    copies: float | None = None
    held_by: str = ""
    held_s: float | None = None
    share: float | None = None
    """Of an agent's time."""
    from_s: float | None = None

    def as_json(self) -> dict[str, Any]:
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        lists = {"hosts": list(self.hosts), "racks": list(self.racks)}
        return {**found, **lists, "held_by": self.held_by or None}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError or ValueError for what is none."""
        lists = {name: tuple(document[name]) for name in ("hosts", "racks")}
        return cls(**{**document, **lists, "held_by": document["held_by"] or ""})


@dataclass(frozen=True, slots=True)
class OriginResult:
    """A host that the sources lay on. ``status``: sent, left_out (before a byte moved) or lost (later).

    ``files``: what was sent from there.
    """

    host: str
    status: str
    slug: str = ""
    message: str = ""
    files: tuple[str, ...] = ()
    bytes_sent: int = 0


@dataclass(frozen=True, slots=True)
class RunReport:
    """Everything the recap, the JSON document and the exit code are made of."""

    run_id: str
    command: str
    exit_code: int
    topology: str
    discovery: str
    encrypt: bool
    manifest_digest: str
    manifest_name: str
    size: int
    chunk_size: int
    chunks: int
    files: tuple[FileSum, ...]
    results: tuple[HostResult, ...]
    timing: Timing
    traffic: Traffic
    error: str = ""
    """Why the whole run failed, if it did (a changed source, an internal error)."""
    origins: tuple[OriginResult, ...] = ()
    """Where sources are on hosts."""
    lost_time: tuple[LostTime, ...] = ()
    """Of a run that took much longer than its bound; the most first."""

    def count(self, *statuses: HostStatus) -> int:
        return sum(1 for r in self.results if r.status in statuses)

    @property
    def status(self) -> str:
        return "ok" if self.exit_code == 0 else "failed"

    def as_json(self) -> dict[str, Any]:
        """The document that ``-o json`` prints: a stable interface."""
        good = (HostStatus.VERIFIED, HostStatus.ALREADY_PRESENT)
        timing = self.timing
        return {
            "schema": SCHEMA,
            "run_id": self.run_id,
            "command": self.command,
            "exit_code": self.exit_code,
            "status": self.status,
            "error": self.error or None,
            "topology": self.topology,
            "discovery": self.discovery,
            "encrypt": self.encrypt,
            "manifest": {
                "name": self.manifest_name,
                "digest": self.manifest_digest,
                "size": self.size,
                "chunk_size": self.chunk_size,
                "chunks": self.chunks,
                "files": [{"path": f.path, "size": f.size, "sha256": f.sha256} for f in self.files],
            },
            "hosts": {
                "total": len(self.results),
                "verified": self.count(*good),
                "already_present": self.count(HostStatus.ALREADY_PRESENT),
                "failed": self.count(HostStatus.FAILED),
                "unreachable": self.count(HostStatus.UNREACHABLE),
                "activated": sum(1 for r in self.results if r.activated),
            },
            "timing": {
                "connect_s": timing.connect_s,
                "bootstrap_s": timing.bootstrap_s,
                "makespan_s": timing.makespan_s,
                "bound_s": timing.bound_s,
                "bound_source": timing.bound_source,
                "ratio": timing.ratio,
                "total_s": timing.total_s,
                "activation_spread_s": timing.activation_spread_s,
            },
            "traffic": {
                "origin_bytes_sent": self.traffic.origin_bytes_sent,
                "peer_bytes_sent": self.traffic.peer_bytes_sent,
                "cross_rack_bytes": self.traffic.cross_rack_bytes,
                "control_bytes": self.traffic.control_bytes,
            },
            "lost_time": [lost.as_json() for lost in self.lost_time],
            "origins": [_origin_json(origin) for origin in self.origins],
            "results": [_result_json(r) for r in self.results],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """The report whose ``as_json`` the document is.

        Raises KeyError, TypeError or ValueError for what is none.
        """
        manifest = document["manifest"]
        timing = _fields_of(Timing, document["timing"])
        return cls(
            **{name: document[name] for name in _AS_THEY_ARE},
            manifest_digest=manifest["digest"],
            manifest_name=manifest["name"],
            **{name: manifest[name] for name in ("size", "chunk_size", "chunks")},
            files=tuple(FileSum(**file) for file in manifest["files"]),
            results=tuple(map(_result_of, document["results"])),
            timing=Timing(**timing),
            traffic=Traffic(**document["traffic"]),
            error=document["error"] or "",
            origins=tuple(map(_origin_of, document.get("origins", ()))),
            lost_time=tuple(map(LostTime.from_json, document.get("lost_time", ()))),
        )


_AS_THEY_ARE = ("run_id", "command", "exit_code", "topology", "discovery", "encrypt")


def _result_json(result: HostResult) -> dict[str, Any]:
    why = {"slug": result.slug, "message": result.message}
    reason = why if any(why.values()) else None
    return {
        "host": result.host,
        "status": result.status.value,
        "reason": reason,
        "dest": result.dest,
        "chunks_reused": result.chunks_reused,
        "bytes_reused": result.bytes_reused,
        "bytes_received": result.bytes_received,
        "bytes_sent": result.bytes_sent,
        "connected_at_s": result.connected_at_s,
        "verified_at_s": result.verified_at_s,
        "activated": result.activated,
        "changed": result.changed,
        "digest": result.digest,
        "verified_by": result.verified_by or None,
        "over_ssh": result.over_ssh or None,
    }


def _origin_json(origin: OriginResult) -> dict[str, Any]:
    why = {"slug": origin.slug, "message": origin.message}
    return {
        "host": origin.host,
        "status": origin.status,
        "reason": why if any(why.values()) else None,
        "files": list(origin.files),
        "bytes_sent": origin.bytes_sent,
    }


def _origin_of(document: Mapping[str, Any]) -> OriginResult:
    reason = document["reason"] or {}
    files = tuple(document["files"])
    sent = document["bytes_sent"]
    return OriginResult(
        document["host"], document["status"], **reason, files=files, bytes_sent=sent
    )


def _result_of(document: Mapping[str, Any]) -> HostResult:
    reason = document["reason"] or {}
    same = _fields_of(HostResult, document)
    for word in ("verified_by", "over_ssh"):
        same[word] = document.get(word) or ""
    return HostResult(**{**same, "status": HostStatus(document["status"]), **reason})


def _fields_of(kind: type[HostResult | Timing], document: Mapping[str, Any]) -> dict[str, Any]:
    """Of what stands in ``document`` that which is kept; the rest follows from it."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in document.items() if name in names}
