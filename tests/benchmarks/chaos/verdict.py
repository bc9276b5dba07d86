"""Whether the end of a round is one that was promised, and the report is what is there."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tests.benchmarks.chaos.faults import HARMLESS
from tests.e2e.desk import name
from tests.e2e.watching import residue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.chaos.real import Round
    from tests.e2e.desk import Outcome
    from tests.e2e.watching import Scene

FOR_RESUMING = (".previous was left", ".absent was left")
GOOD = ("verified", "already_present")
SMALL_DISK = 16 * 1024
CODES = {"interrupt": 130, "abort": 130, "terminate": 143, "kill_command": -9}


def judge(played: Round, outcome: Outcome, before: Scene, after: Scene) -> list[str]:
    """All that is wrong, in sentences."""
    wrongs = residue(before, after, [played.source.name])
    if _half_switched(played, outcome):
        wrongs = [wrong for wrong in wrongs if not wrong.endswith(FOR_RESUMING)]
    wrongs += _contents(played, after)
    if "Traceback" in outcome.stderr:
        wrongs.append(f"a traceback: {outcome.stderr[-1500:]}")
    if "results" in outcome.document:
        wrongs += _report(played, outcome, after)
    elif outcome.exit not in (5, *CODES.values()):  # the source changed while it was read
        wrongs.append(f"no report, exit {outcome.exit}: {outcome.stderr[-800:]}")
    wrongs += _exit(played, outcome, after)
    return wrongs


def _half_switched(played: Round, outcome: Outcome) -> bool:
    """A host was lost while all switched together: what ``runs resume`` needs stays until then."""
    results = outcome.document.get("results", [])
    well = all(r["status"] in GOOD for r in results)
    return "together" in played.draw.flags and not well and any(r["activated"] for r in results)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _final(played: Round, after: Scene, host: int) -> str | None:
    """The digest of what has the final name."""
    address = played.desk.fleet.addresses[host]
    return after.homes[address].get(played.source.name)


def _contents(played: Round, after: Scene) -> Iterator[str]:
    """Every host has the content, or what it had before."""
    good = {_digest(played.content)} | ({_digest(played.other)} if played.other else set())
    for host in range(played.hosts):
        before = _digest(played.old[host]) if host in played.old else None
        found = _final(played, after, host)
        if found != before and found not in good:
            yield f"{name(host)} holds neither the content nor what it had: {played.draw.of(host)}"


def _report(played: Round, outcome: Outcome, after: Scene) -> Iterator[str]:
    results = {r["host"]: r for r in outcome.document["results"]}
    if set(results) != {name(i) for i in range(played.hosts)}:
        yield f"the report is about {len(results)} hosts"
    well = all(r["status"] in GOOD for r in results.values())
    activates = "each" in played.draw.flags or ("together" in played.draw.flags and well)
    for host in range(played.hosts):
        result = results.get(name(host))
        if result is None:
            continue
        there = _final(played, after, host) == _digest(played.content)
        good = result["status"] in GOOD
        switched = good and (result["activated"] or result["status"] == "already_present")
        if switched and not there and not played.other:
            yield f"{name(host)} is said to have it and has not: {result}"
        if good and activates and not switched:
            yield f"{name(host)} is said to be well without its file in place: {result}"
        kinds = played.draw.of(host)
        if there and not switched and not kinds and not played.draw.run_kinds:
            yield f"{name(host)} has it, and is said not to: {result}"
        if not good and not kinds and not _excused(played):
            yield f"{name(host)} failed, and nobody had touched it: {result['reason']}"
        if good and kinds and not kinds & HARMLESS and not _struck_late(played, host):
            yield f"{name(host)} is well in spite of {kinds}: {result}"


def _excused(played: Round) -> bool:
    """Whether hosts that nothing happened to may fail."""
    return bool(played.draw.run_kinds) or "together" in played.draw.flags


def _struck_late(played: Round, host: int) -> bool:
    """What strikes in mid-run may come when a host is done."""
    late = any(f.phase for f in played.draw.faults if f.host == host)
    return late or "none" in played.draw.flags or played.draw.size < SMALL_DISK


def _exit(played: Round, outcome: Outcome, after: Scene) -> Iterator[str]:
    kinds = {f.kind for f in played.struck if f.host is None}
    told = {CODES[kind] for kind in kinds if kind in CODES}
    results = outcome.document.get("results", [])
    well = bool(results) and all(r["status"] in GOOD for r in results)
    if outcome.exit == 0 and not well:
        yield "exit 0 with a host that is not well"
    if outcome.exit == 0 and "none" not in played.draw.flags and not played.other:
        lacking = [
            name(i)
            for i in range(played.hosts)
            if _final(played, after, i) != _digest(played.content)
        ]
        if lacking:
            yield f"exit 0, and {lacking} lack it"
    if outcome.exit not in {0, 3, 4, 5, 8} | told:
        yield f"exit {outcome.exit}: {outcome.stderr[-800:]}"
    if well and outcome.exit != 0 and not told:
        yield f"exit {outcome.exit} with every host well: {outcome.document.get('error')}"
