"""The receipt's text: JSON (``schema: 1``), the very bytes that are signed."""

from __future__ import annotations

import getpass
import json
import socket
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import fleetpush
from fleetpush.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleetpush.deploy.options import DeployOptions
    from fleetpush.deploy.results import HostResult, RunReport

SCHEMA = 1
KIND = "fleetpush receipt"

TESTIMONY = (
    "What stands under hosts is what each host's agent said over SSH, as this command heard it. No host has"
    " signed anything: the signature says who ran the command, and that nobody has changed this text since."
)


def text_of(report: RunReport, options: DeployOptions, ended: float) -> str:
    """The receipt of a run that ended at ``ended``, in seconds since the epoch: one line a host."""
    began = ended - report.timing.total_s
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "kind": KIND,
        "run_id": report.run_id,
        "command": report.command,
        "sources": list(options.sources),
        "inventories": list(options.inventories),
        "limit": options.limit,
        "operator": {"user": _user(), "machine": socket.gethostname()},
        "fleetpush": fleetpush.__version__,
        "began": _time(began),
        "ended": _time(ended),
        "exit_code": report.exit_code,
        "verify": options.verify,
        "activate": options.activate,
        "manifest": {
            "digest": report.manifest_digest,
            "name": report.manifest_name,
            "size": report.size,
            "chunk_size": report.chunk_size,
            "chunks": report.chunks,
        },
        "testimony": TESTIMONY,
        "files": [{"path": f.path, "size": f.size, "sha256": f.sha256} for f in report.files],
        "hosts": [_host(result, report, began) for result in report.results],
    }
    return "{\n" + ",\n".join(_lines(document)) + "\n}\n"


def _host(result: HostResult, report: RunReport, began: float) -> dict[str, Any]:
    at = result.verified_at_s
    return {
        "host": result.host,
        "status": result.status.value,
        "reason": result.slug or None,
        "digest": result.digest,
        "bytes": report.size if result.status.good else 0,
        "bytes_received": result.bytes_received,
        "verified_at": None if at is None else _time(began + at),
        "verified_by": result.verified_by or None,
        "activated": result.activated,
        "dest": result.dest,
    }


def _lines(document: dict[str, Any]) -> Iterator[str]:
    for key, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            inner = ",\n".join(f"  {_json(each)}" for each in value)
            yield f' "{key}": [\n{inner}\n ]'
        else:
            yield f' "{key}": {_json(value)}'


def _json(value: object) -> str:
    # Two of these signs may stand in strings alone; some pipelines' runners take them for a command.
    return json.dumps(value).replace("##", "#\\u0023")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an id that no name belongs to
        return ""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a receipt says, in short. ``proofs``: how many hosts were verified in which way."""

    run_id: str
    operator: str
    ended: str
    name: str
    digest: str
    hosts: int
    good: int
    proofs: dict[str, int]

    @classmethod
    def read(cls, text: bytes) -> Self:
        """Raises InputError for what is no receipt of this form."""
        try:
            document = json.loads(text)
            if document["kind"] != KIND or document["schema"] != SCHEMA:
                raise ValueError("of another form")
            hosts, operator = document["hosts"], document["operator"]
            good = [host for host in hosts if host["digest"] and host["bytes"] is not None]
            good = [host for host in good if host["status"] in ("verified", "already_present")]
            return cls(
                run_id=str(document["run_id"]),
                operator=f"{operator['user']} on {operator['machine']}",
                ended=str(document["ended"]),
                name=str(document["manifest"]["name"]),
                digest=str(document["manifest"]["digest"]),
                hosts=len(hosts),
                good=len(good),
                proofs=dict(Counter(str(host["verified_by"]) for host in good)),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"this is no receipt that this version of fleetpush knows ({error})",
                slug="bad_receipt",
            ) from error
